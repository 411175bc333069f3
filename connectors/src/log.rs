//! The log: one worker's view of Kafka (or of the memory log), blocking, used from one OS thread.
//!
//! A `Log` value is a group member (optional), a transactional producer (optional), a plain idempotent producer and a reader without
//! group. Every call is bounded in time. Records of owned partitions are delivered only after [`Log::start`] for the partition.
//!
//! Absent on purpose: retries and recovery (the lane machine decides), `async`, and any type of a client library.

use std::time::Duration;

use schemas::record::{Outgoing, Partition, Received};

/// What to open.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Name of this client in the broker's logs and metrics.
    pub client_id: String,
    /// Group membership, if wanted.
    pub group: Option<Group>,
    /// Transactional id of the transactional producer, if wanted. Its transactions are initialised before the group is joined.
    pub transactional_id: Option<String>,
    /// Time limits.
    pub timeouts: Timeouts,
}

/// Group membership.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Group id.
    pub id: String,
    /// Topics.
    pub topics: Vec<String>,
    /// Begin by itself on assignment (participants, tools): at the committed offset, else here. `None`: the caller starts each partition.
    pub auto_start: Option<Begin>,
}

/// Where reading begins without a committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At the oldest record.
    Earliest,
    /// At the end.
    Latest,
}

/// Time limits. `transaction < session < poll interval`.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// A transaction that is open longer is aborted by the broker.
    pub transaction: Duration,
    /// A member that is silent longer loses its partitions.
    pub session: Duration,
    /// A member that does not poll for longer loses its partitions.
    pub poll_interval: Duration,
    /// One request to the broker.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            transaction: Duration::from_secs(5),
            session: Duration::from_secs(10),
            poll_interval: Duration::from_secs(60),
            request: Duration::from_secs(5),
        }
    }
}

/// Bounds of one poll.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Records at most.
    pub records: usize,
    /// Bytes of keys and values at most (the first record is always taken).
    pub bytes: usize,
    /// How long to wait for the first record.
    pub wait: Duration,
}

/// What a poll brought.
#[derive(Debug, Default)]
pub struct Polled {
    /// Records in order of each partition.
    pub records: Vec<Received>,
    /// The assignment, if it changed since the last poll: all partitions now owned. A change ends every belief of the old one;
    /// records in `records` are of the new assignment.
    pub assigned: Option<Vec<Partition>>,
}

/// A committed group offset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The next offset to read; `None` if nothing was ever committed (or it expired).
    pub offset: Option<i64>,
    /// Metadata: the transactional id of the committer.
    pub metadata: String,
}

/// What became of a produced record.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The token given to [`Log::produce`].
    pub token: u64,
    /// Partition and offset, or why it was not written.
    pub result: Result<(u32, i64), Error>,
}

/// What a read without group brought.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Committed records, in order.
    pub records: Vec<Received>,
    /// Position after the last thing read (records, aborted records and markers). `next >= to`: the end asked for is reached.
    pub next: i64,
}

/// Beginning and end of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Oldest offset.
    pub begin: i64,
    /// Next offset to be written (high watermark), whatever transactions are open.
    pub end: i64,
    /// Next offset a read_committed reader can reach (last stable offset).
    pub stable_end: i64,
}

/// A topic to create or check.
#[derive(Debug, Clone)]
pub struct TopicSpec {
    /// Name.
    pub name: String,
    /// Partitions.
    pub partitions: u32,
    /// Settings, e.g. `cleanup.policy` = `compact`.
    pub config: Vec<(String, String)>,
}

/// A topic as it is.
#[derive(Debug, Clone)]
pub struct TopicInfo {
    /// Partitions.
    pub partitions: u32,
    /// `max.message.bytes`, if known.
    pub message_bytes_max: Option<usize>,
    /// `message.timestamp.type`, `cleanup.policy` ... as the broker tells them.
    pub config: Vec<(String, String)>,
}

/// Why a call failed; [`Error::class`] says what follows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// This record cannot be written as it is: too large, unknown topic, not authorised, invalid.
    #[error("record refused by the log: {reason}")]
    Record {
        /// What the log said.
        reason: String,
    },
    /// A newer producer with the same transactional id exists.
    #[error("fenced by a newer producer: {reason}")]
    Fenced {
        /// What the log said.
        reason: String,
    },
    /// The group has moved on: the member's generation is old.
    #[error("stale group generation: {reason}")]
    Generation {
        /// What the log said.
        reason: String,
    },
    /// The transaction must be aborted.
    #[error("transaction must be aborted: {reason}")]
    Abortable {
        /// What the log said.
        reason: String,
    },
    /// A stable answer is held up by an open transaction.
    #[error("held up by an open transaction")]
    Held,
    /// No answer in time: it may or may not have happened.
    #[error("no answer: {reason}")]
    Unknown {
        /// What was asked.
        reason: String,
    },
    /// An offset outside of the partition.
    #[error("offset out of range on {partition:?}: {reason}")]
    OutOfRange {
        /// The partition.
        partition: Partition,
        /// What the log said.
        reason: String,
    },
    /// The client is broken for good: replace it.
    #[error("client failed: {reason}")]
    Fatal {
        /// What the log said.
        reason: String,
    },
}

/// What follows from an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Set the record's cause aside.
    Record,
    /// Nobody's fault: recover, do not count.
    Ownership,
    /// Abort and recover; may count against the record.
    Batch,
    /// Ask again.
    Retry,
    /// Replace the producers, then recover.
    Doubt,
}

impl Error {
    /// What follows from it.
    pub fn class(&self) -> Class {
        match self {
            Self::Record { .. } => Class::Record,
            Self::Fenced { .. } | Self::Generation { .. } => Class::Ownership,
            Self::Abortable { .. } | Self::OutOfRange { .. } => Class::Batch,
            Self::Held => Class::Retry,
            Self::Unknown { .. } | Self::Fatal { .. } => Class::Doubt,
        }
    }
}

/// One worker's view of the log.
pub trait Log: Sized + Send + 'static {
    /// What values are opened on: addresses and settings, or the memory log itself.
    type Cluster: Clone + Send + Sync + 'static;

    /// Opens producers (initialising transactions) and then joins the group.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the broker does not answer, naming its address.
    fn open(cluster: &Self::Cluster, options: &Options) -> Result<Self, Error>;

    /// The one place where assignments change. Waits up to `bounds.wait` for the first record, then takes what is there.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] and [`Error::Fatal`].
    fn poll(&mut self, bounds: Bounds) -> Result<Polled, Error>;

    /// Begins (or begins again) delivering an owned partition at `offset`.
    fn start(&mut self, partition: &Partition, offset: i64) -> Result<(), Error>;

    /// Stops delivering an owned partition; records already fetched of it are not delivered any more.
    fn pause(&mut self, partition: &Partition) -> Result<(), Error>;

    /// Changes the topics of the group membership.
    fn subscribe(&mut self, topics: &[String]) -> Result<(), Error>;

    /// The group's stable committed offset, waiting at most `wait` for pending transactions.
    ///
    /// # Errors
    /// [`Error::Held`] if a transaction with offsets is pending for longer.
    fn committed(&mut self, partition: &Partition, wait: Duration) -> Result<Committed, Error>;

    /// Commits group offsets outside of transactions (participants).
    fn commit_offsets(&mut self, offsets: &[(Partition, i64)]) -> Result<(), Error>;

    /// Begins a transaction.
    fn begin(&mut self) -> Result<(), Error>;

    /// Hands over a record of the open transaction. The result comes with [`Log::flush`]; what is known at once fails at once.
    fn produce(&mut self, record: &Outgoing, token: u64) -> Result<(), Error>;

    /// Waits until every record handed over is acknowledged or failed, and tells each that failed, plus the last good one per
    /// partition (so the offset of a header that was written last is known).
    fn flush(&mut self) -> Result<Vec<Delivery>, Error>;

    /// Adds the group offsets to the open transaction, with the generation and member of the last poll.
    fn send_offsets(&mut self, offsets: &[(Partition, i64)], metadata: &str) -> Result<(), Error>;

    /// Commits. `Ok(tainted)`: committed; `tainted` says that a timeout or transport event was seen, so the producers must be
    /// replaced before the next begin.
    fn commit(&mut self) -> Result<bool, Error>;

    /// Aborts the open transaction.
    ///
    /// # Errors
    /// Any doubt, as well if it is aborted but a timeout or transport event was seen: a repeated request could hit the next transaction.
    fn abort(&mut self) -> Result<(), Error>;

    /// Replaces the producers: same ids, transactions initialised anew.
    fn replace_producers(&mut self) -> Result<(), Error>;

    /// Ends what a dead owner of `transactional_id` left open, by initialising it once through a short-lived producer.
    fn fence(&mut self, transactional_id: &str) -> Result<(), Error>;

    /// Hands over a record outside of transactions, idempotent within this producer.
    fn produce_plain(&mut self, record: &Outgoing, token: u64) -> Result<(), Error>;

    /// Results of plain records that are known by now; `wait` > 0 waits until all are known or the time is over.
    fn deliveries_plain(&mut self, wait: Duration) -> Vec<Delivery>;

    /// Beginning and ends of a partition.
    fn extent(&mut self, partition: &Partition) -> Result<Extent, Error>;

    /// Reads committed records of any partition, without group, in [from, to), at most `records_max`, waiting up to `wait`.
    fn read(
        &mut self,
        partition: &Partition,
        from: i64,
        to: i64,
        records_max: usize,
        wait: Duration,
    ) -> Result<Chunk, Error>;

    /// The first offset whose record time is at or after `time_ms` (the end, if none).
    fn offset_at(&mut self, partition: &Partition, time_ms: i64) -> Result<i64, Error>;

    /// The topic as it is; `None` if it does not exist.
    fn topic(&mut self, name: &str) -> Result<Option<TopicInfo>, Error>;

    /// Creates topics that do not exist. An existing one is left alone.
    fn create_topics(&mut self, topics: &[TopicSpec]) -> Result<(), Error>;

    /// Names of all topics that begin with `prefix`, sorted.
    fn topic_names(&mut self, prefix: &str) -> Result<Vec<String>, Error>;
}
