//! The simulated log: partitions of open, committed and aborted records, and the coordinator of transactions.
//!
//! A transaction that was ended may wait for its markers: until they are written its records hold readers up, and its offsets hold up
//! whoever asks for stable ones. Requests to end one name the producer's epoch only, as in Kafka's first protocol, so that a late
//! repeat may hit the next transaction of the same producer.
//!
//! Absent on purpose: who calls and what goes wrong on the way (see `log`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use connectors::log::{Error, Extent};
use schemas::record::{Outgoing, Partition, Received};

use super::group::Group;

/// Number of a transaction, counted over the whole cluster.
pub type Transaction = usize;

/// What becomes of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    /// Ended (committed?), and its markers are still to be written.
    Ending(bool),
    Ended(bool),
}

/// What stands at an offset.
#[derive(Debug, Clone)]
enum Slot {
    Record(Option<Transaction>, Arc<Received>),
    /// A marker, or something that was compacted away.
    Nothing,
}

/// One partition.
#[derive(Debug, Default)]
pub struct Log {
    slots: Vec<Slot>,
    /// Everything below is decided.
    stable: usize,
}

/// A transactional id.
#[derive(Debug, Default)]
struct Identity {
    epoch: u64,
    open: Option<Open>,
    /// Was the last one committed?
    last: bool,
}

#[derive(Debug)]
struct Open {
    number: Transaction,
    deadline_ms: i64,
    partitions: BTreeSet<Partition>,
}

/// The cluster.
#[derive(Debug, Default)]
pub struct Broker {
    topics: BTreeMap<String, Vec<Log>>,
    /// Groups by id.
    pub groups: BTreeMap<String, Group>,
    fates: Vec<Fate>,
    ids: BTreeMap<String, Identity>,
    /// Rises with everything that a reader or member might want to know.
    pub version: u64,
    /// A transaction that is open for longer is aborted, ms.
    pub transaction_ms: i64,
}

impl Broker {
    /// Creates a topic, if it does not exist.
    pub fn create(&mut self, topic: &str, partitions: u32) {
        self.topics
            .entry(topic.to_owned())
            .or_insert_with(|| (0..partitions).map(|_| Log::default()).collect());
    }

    /// Number of its partitions.
    pub fn partitions(&self, topic: &str) -> Option<u32> {
        let logs = self.topics.get(topic)?;
        u32::try_from(logs.len()).ok()
    }

    /// Names of topics.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.topics.keys()
    }

    fn log(&self, partition: &Partition) -> Result<&Log, Error> {
        let log = self.topics.get(&partition.topic);
        let log = log.and_then(|logs| logs.get(partition.number as usize));
        log.ok_or_else(|| Error::Record {
            reason: format!("{partition:?} does not exist"),
        })
    }

    // Transactions.

    /// Initialises a transactional id: what is open is aborted, older producers are fenced. Answers the epoch.
    pub fn initialise(&mut self, id: &str) -> u64 {
        if let Some(open) = self.ids.get_mut(id).and_then(|i| i.open.take()) {
            self.complete(open, false);
        }
        let identity = self.ids.entry(id.to_owned()).or_default();
        identity.epoch += 1;
        identity.epoch
    }

    fn identity(&mut self, id: &str, epoch: u64) -> Result<&mut Identity, Error> {
        let identity = self.ids.entry(id.to_owned()).or_default();
        if identity.epoch == epoch {
            return Ok(identity);
        }
        Err(Error::Fenced {
            reason: format!("epoch {epoch} of {id} is over"),
        })
    }

    /// The open transaction of a producer, begun with its first request.
    fn open(&mut self, id: &str, epoch: u64, now_ms: i64) -> Result<&mut Open, Error> {
        self.identity(id, epoch)?;
        self.settle(id);
        let (next, deadline_ms) = (self.fates.len(), now_ms + self.transaction_ms);
        let identity = self.identity(id, epoch)?;
        if identity.open.is_none() {
            identity.open = Some(Open {
                number: next,
                deadline_ms,
                partitions: BTreeSet::new(),
            });
            self.fates.push(Fate::Open);
        }
        let identity = self.ids.get_mut(id);
        Ok(identity.and_then(|i| i.open.as_mut()).expect("just opened"))
    }

    /// Writes the markers of an ended transaction of this id: the next request of its producer waits for that.
    pub fn settle(&mut self, id: &str) {
        let Some(identity) = self.ids.get_mut(id) else {
            return;
        };
        let ending = identity
            .open
            .take_if(|open| self.fates[open.number] != Fate::Open);
        if let Some(open) = ending {
            let committed = self.fates[open.number] == Fate::Ending(true);
            self.complete(open, committed);
        }
    }

    /// Ends the transaction of a producer. Where none is open nothing happens. `true`: markers are to be written by [`Self::settle`].
    ///
    /// # Errors
    /// [`Error::Fenced`], and [`Error::Fatal`] where what is to be committed was aborted.
    pub fn end(&mut self, id: &str, epoch: u64, committed: bool) -> Result<bool, Error> {
        let identity = self.identity(id, epoch)?;
        let (number, last) = (identity.open.as_ref().map(|o| o.number), identity.last);
        let open = number.filter(|n| self.fates[*n] == Fate::Open);
        match open {
            Some(number) => {
                self.fates[number] = Fate::Ending(committed);
                self.identity(id, epoch)?.last = committed;
                Ok(true)
            }
            None if committed && !last => Err(Error::Fatal {
                reason: format!("{id}: nothing is open, and the last one was aborted"),
            }),
            None => Ok(false),
        }
    }

    fn complete(&mut self, open: Open, committed: bool) {
        let committed = match self.fates[open.number] {
            Fate::Ending(decided) => decided,
            _ => committed,
        };
        self.fates[open.number] = Fate::Ended(committed);
        for partition in &open.partitions {
            let logs = self.topics.get_mut(&partition.topic);
            if let Some(log) = logs.and_then(|logs| logs.get_mut(partition.number as usize)) {
                log.slots.push(Slot::Nothing);
                log.advance(&self.fates);
            }
        }
        for group in self.groups.values_mut() {
            group.decided(open.number, committed);
        }
        self.version += 1;
    }

    /// Aborts what is open for too long and fences its producer. Answers the ids.
    pub fn expire(&mut self, now_ms: i64) -> Vec<String> {
        let late = |i: &Identity| {
            let open = i.open.as_ref();
            open.is_some_and(|o| o.deadline_ms <= now_ms && self.fates[o.number] == Fate::Open)
        };
        let ids = self.ids.iter().filter(|(_, i)| late(i));
        let ids: Vec<_> = ids.map(|(id, _)| id.clone()).collect();
        for id in &ids {
            self.initialise(id);
        }
        ids
    }

    /// Lets every open transaction be as if its time were over.
    pub fn hurry(&mut self) {
        for open in self.ids.values_mut().filter_map(|i| i.open.as_mut()) {
            open.deadline_ms = 0;
        }
    }

    /// When the next open transaction times out.
    pub fn next_expiry(&self) -> Option<i64> {
        let open = self.ids.values().filter_map(|i| i.open.as_ref());
        open.map(|o| o.deadline_ms).min()
    }

    /// Adds a group offset to a transaction.
    ///
    /// # Errors
    /// [`Error::Fenced`].
    pub fn offset_in(
        &mut self,
        (id, epoch): (&str, u64),
        group: &str,
        (partition, offset): (&Partition, i64),
        now_ms: i64,
    ) -> Result<(), Error> {
        let number = self.open(id, epoch, now_ms)?.number;
        let group = self.groups.entry(group.to_owned()).or_default();
        group.commit_later(number, partition, offset, id);
        Ok(())
    }

    // Records.

    /// Writes a record of a transaction. Answers partition and offset.
    ///
    /// # Errors
    /// [`Error::Fenced`], and [`Error::Record`] where the topic does not exist.
    pub fn append_in(
        &mut self,
        (id, epoch): (&str, u64),
        record: &Outgoing,
        now_ms: i64,
    ) -> Result<(u32, i64), Error> {
        let partition = self.place(record)?;
        let open = self.open(id, epoch, now_ms)?;
        open.partitions.insert(partition.clone());
        let number = open.number;
        self.write(record, partition, Some(number), now_ms)
    }

    /// Writes a record outside of transactions. Answers partition and offset.
    ///
    /// # Errors
    /// [`Error::Record`] where the topic does not exist.
    pub fn append(&mut self, record: &Outgoing, now_ms: i64) -> Result<(u32, i64), Error> {
        let partition = self.place(record)?;
        self.write(record, partition, None, now_ms)
    }

    fn place(&self, record: &Outgoing) -> Result<Partition, Error> {
        let count = self.partitions(&record.topic);
        let count = count.ok_or_else(|| Error::Record {
            reason: format!("topic {} does not exist", record.topic),
        })?;
        let hashed = || {
            let key = record.key.as_deref().unwrap_or_default();
            (schemas::lane::murmur2(key) & 0x7fff_ffff) % count.max(1)
        };
        let number = record.partition.unwrap_or_else(hashed);
        Ok(Partition::new(record.topic.clone(), number))
    }

    fn write(
        &mut self,
        record: &Outgoing,
        partition: Partition,
        transaction: Option<Transaction>,
        now_ms: i64,
    ) -> Result<(u32, i64), Error> {
        let logs = self.topics.get_mut(&partition.topic);
        let log = logs.and_then(|logs| logs.get_mut(partition.number as usize));
        let log = log.ok_or_else(|| Error::Record {
            reason: format!("{partition:?} does not exist"),
        })?;
        let offset = log.slots.len() as i64;
        let received = record.clone().received(partition.number, offset, now_ms);
        log.slots
            .push(Slot::Record(transaction, Arc::new(received)));
        log.advance(&self.fates);
        self.version += u64::from(transaction.is_none());
        Ok((partition.number, offset))
    }

    /// Beginning and ends.
    ///
    /// # Errors
    /// [`Error::Record`] where the partition does not exist.
    pub fn extent(&self, partition: &Partition) -> Result<Extent, Error> {
        let log = self.log(partition)?;
        Ok(Extent {
            begin: 0,
            end: log.slots.len() as i64,
            stable_end: log.stable as i64,
        })
    }

    /// Committed records from an offset on, and the position behind what was looked at.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn fetch(
        &self,
        partition: &Partition,
        from: i64,
        to: i64,
        most: usize,
    ) -> Result<(Vec<Arc<Received>>, i64), Error> {
        let log = self.log(partition)?;
        let at = usize::try_from(from)
            .ok()
            .filter(|at| *at <= log.slots.len());
        let mut at = at.ok_or_else(|| Error::OutOfRange {
            partition: partition.clone(),
            reason: format!("offset {from}"),
        })?;
        let end = log.stable.min(usize::try_from(to).unwrap_or_default());
        let mut records = Vec::new();
        while at < end && records.len() < most {
            if let Slot::Record(transaction, record) = &log.slots[at]
                && transaction.is_none_or(|t| self.fates[t] == Fate::Ended(true))
            {
                records.push(Arc::clone(record));
            }
            at += 1;
        }
        // What is aborted or compacted behind the last record is passed at once.
        while at < end && records.len() < most && matches!(log.slots[at], Slot::Nothing) {
            at += 1;
        }
        Ok((records, at as i64))
    }

    /// Everything a read_committed reader sees of a topic.
    pub fn committed(&self, topic: &str) -> Vec<Arc<Received>> {
        let count = self.partitions(topic).unwrap_or_default();
        let read = |number| self.fetch(&Partition::new(topic, number), 0, i64::MAX, usize::MAX);
        let records = (0..count).filter_map(|number| read(number).ok());
        records.flat_map(|(records, _)| records).collect()
    }

    /// Compacts a partition: only the newest committed record of a key stays, and a deletion that is older than `deleted_ms` goes as well.
    pub fn compact(&mut self, partition: &Partition, written_ms: i64, deleted_ms: i64) {
        let fates = &self.fates;
        let logs = self.topics.get_mut(&partition.topic);
        let Some(log) = logs.and_then(|logs| logs.get_mut(partition.number as usize)) else {
            return;
        };
        let mut seen = BTreeSet::new();
        for slot in log.slots[..log.stable].iter_mut().rev() {
            let Slot::Record(transaction, record) = slot else {
                continue;
            };
            let aborted = transaction.is_some_and(|t| fates[t] == Fate::Ended(false));
            let old = record.timestamp_ms < written_ms;
            let gone = record.value.is_none() && record.timestamp_ms < deleted_ms;
            if aborted || (!seen.insert(record.key.clone()) && old) || gone {
                *slot = Slot::Nothing;
            }
        }
    }
}

impl Log {
    fn advance(&mut self, fates: &[Fate]) {
        let decided = |slot: &Slot| match slot {
            Slot::Record(Some(t), _) => matches!(fates[*t], Fate::Ended(_)),
            Slot::Record(None, _) | Slot::Nothing => true,
        };
        while self.slots.get(self.stable).is_some_and(decided) {
            self.stable += 1;
        }
    }
}
