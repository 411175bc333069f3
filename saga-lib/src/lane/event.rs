//! What the machine and its shell say to each other.
//!
//! Absent on purpose: records and documents; the shell keeps them by lane.

use super::{Belief, LaneNo};

/// What the store knows of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    /// Claim epoch: early stop and diagnosis only.
    pub ep: u64,
    /// Next inbox offset to apply.
    pub wm: Option<i64>,
    /// Journal offset behind the last header that the documents include.
    pub jpos: Option<i64>,
    /// Transactional ids of the last committer and of the claimers since.
    pub owners: Vec<String>,
    /// Time of the last commit (during a rebuild: of its start), ms since 1970.
    pub at_ms: Option<i64>,
    /// Installation the lane belongs to.
    pub installation: Option<String>,
}

impl Position {
    /// The part that a belief is about.
    pub fn belief(&self) -> Belief {
        Belief {
            ep: self.ep,
            wm: self.wm,
            jpos: self.jpos,
        }
    }
}

/// A stable committed offset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stable {
    /// Next offset to read; `None` if there is none.
    pub offset: Option<i64>,
    /// Transactional id of its committer.
    pub owner: String,
}

/// Extents sampled for a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// Oldest offset of the journal partition.
    pub journal_begin: i64,
    /// High watermark of the journal partition.
    pub journal_end: i64,
    /// Oldest offset of the inbox partition.
    pub inbox_begin: i64,
}

/// A chunk of the journal, kept by the shell until it is applied or forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalRead {
    /// Position behind what was read.
    pub next: i64,
    /// Committed records in the chunk; 0 means that the shell keeps no chunk.
    pub records: u32,
    /// Offset and `end` of the newest header in the chunk.
    pub header: Option<(i64, i64)>,
}

/// Records of one lane that a poll brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The lane.
    pub lane: LaneNo,
    /// How many.
    pub records: u32,
    /// Offset behind the last.
    pub end: i64,
}

/// The plan of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The lane.
    pub lane: LaneNo,
    /// Offset behind the last record planned, or why the lane cannot go on (an unreadable layout).
    pub end: Result<i64, String>,
}

/// Answer to one store commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Written, or was already.
    Done,
    /// The lane stands elsewhere.
    Refused,
}

/// Result of one store round trip.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Round {
    /// Answers to the commits, in order.
    pub answers: Vec<Answer>,
    /// Positions of the loaded lanes, in order.
    pub positions: Vec<Position>,
}

/// A compare-and-write of the store that the log has already committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreCommit {
    /// The lane; the shell keeps its documents.
    pub lane: LaneNo,
    /// What the store must say.
    pub expect: Belief,
    /// What it says afterwards.
    pub target: Belief,
    /// The documents include every deletion that was committed before this time, ms since 1970: that of the commit; of a catch-up, when
    /// its end was sampled; of its other chunks, what the store said before.
    pub at_ms: i64,
}

/// One chunk of a catch-up (R5): the oldest that the shell keeps of the lane.
pub type ApplyChunk = StoreCommit;

/// Trouble of one lane or of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Held up by an open transaction.
    Held,
    /// No answer, or an answer that may be different later.
    Later(String),
    /// Somebody must act.
    Stop(String),
}

/// Why a batch could not be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// One output cannot be written: too large, unknown topic, not authorised, invalid.
    Output {
        /// The lane.
        lane: LaneNo,
        /// Offset of the input whose output it is.
        input: i64,
        /// What the log said.
        reason: String,
    },
    /// A dead letter cannot be written: nothing may be skipped, so the lane stops.
    DeadLetter {
        /// The lane.
        lane: LaneNo,
        /// What the log said.
        reason: String,
    },
    /// Fenced, or the group moved on: nobody's fault.
    Ownership(String),
    /// Anything else.
    Other(String),
}

/// What the shell reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The shell is open; nothing happened yet.
    Opened,
    /// Answer to [`Effect::Poll`].
    Polled {
        /// All lanes owned now, if the assignment changed.
        assigned: Option<Vec<LaneNo>>,
        /// What came in.
        waiting: Vec<Waiting>,
        /// Lanes whose reading failed for good (offset out of range), and why.
        broken: Vec<(LaneNo, String)>,
    },
    /// Answer to [`Effect::Claim`].
    Claimed(Result<Position, Trouble>),
    /// Answer to [`Effect::ReadOffset`].
    Offset(Result<Stable, Trouble>),
    /// Answer to [`Effect::Fence`].
    Fenced,
    /// Answer to [`Effect::Sample`].
    Sampled(Result<Sample, Trouble>),
    /// Answer to [`Effect::Clear`]: is the lane empty?
    Cleared(Result<bool, Trouble>),
    /// Answer to [`Effect::ReadJournal`].
    JournalRead(Result<JournalRead, Trouble>),
    /// Answer to [`Effect::Apply`].
    Applied(Result<Answer, Trouble>),
    /// Answer to [`Effect::Origin`].
    Origin(Result<i64, Trouble>),
    /// Answer to [`Effect::Start`].
    Started(Result<(), Trouble>),
    /// Answer to [`Effect::Round`].
    Rounded(Result<Round, Trouble>),
    /// Answer to [`Effect::Plan`].
    Planned(Vec<Planned>),
    /// Answer to [`Effect::Begin`].
    Begun(Result<(), Failure>),
    /// Answer to [`Effect::Produce`]: the offset of each lane's header, in the order of the lanes.
    Produced(Result<Vec<i64>, Failure>),
    /// Answer to [`Effect::SendOffsets`].
    OffsetsSent(Result<(), Failure>),
    /// Answer to [`Effect::CommitTransaction`]: is the producer tainted?
    Committed(Result<bool, Failure>),
    /// Answer to [`Effect::Abort`]; `Err` as well if it is not certain that no request of the transaction is still on its way.
    Aborted(Result<(), Failure>),
    /// Answer to [`Effect::ReplaceProducers`].
    Replaced(Result<(), Trouble>),
    /// Answer to [`Effect::Probe`]: did an acknowledged record of our own go through?
    Probed(bool),
}

/// What the machine wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// B1: poll, waiting at most this long for the first record. The only place where assignments change.
    Poll {
        /// Longest wait, ms.
        wait_ms: u64,
    },
    /// R1: raise the lane's epoch.
    Claim {
        /// The lane.
        lane: LaneNo,
    },
    /// R2: the stable committed offset.
    ReadOffset {
        /// The lane.
        lane: LaneNo,
    },
    /// R2: end what dead owners left open. One's own id is never in the list.
    Fence {
        /// Their transactional ids.
        ids: Vec<String>,
    },
    /// R3: extents of journal and inbox.
    Sample {
        /// The lane.
        lane: LaneNo,
    },
    /// R4: drop a page of the lane's documents.
    Clear {
        /// The lane.
        lane: LaneNo,
        /// Only while the epoch is this.
        ep: u64,
    },
    /// R4: read a chunk of the journal and keep it.
    ReadJournal {
        /// The lane.
        lane: LaneNo,
        /// From here.
        from: i64,
        /// To the end sampled.
        to: i64,
    },
    /// R5: apply the oldest chunk kept.
    Apply(ApplyChunk),
    /// Where a source without a committed offset begins (no store).
    Origin {
        /// The lane.
        lane: LaneNo,
    },
    /// R5: deliver records from here on; what was polled of the lane before is forgotten.
    Start {
        /// The lane.
        lane: LaneNo,
        /// First offset.
        offset: i64,
    },
    /// B2: one round trip: commits first, then loads of position and documents.
    Round {
        /// Outstanding commits.
        commits: Vec<StoreCommit>,
        /// Lanes to load, with the first offset that counts and the number of records to take.
        loads: Vec<(LaneNo, i64, u32)>,
    },
    /// B3: plan the records taken. `set_aside`: the lane's single record is poison.
    Plan {
        /// Lanes.
        lanes: Vec<LaneNo>,
        /// Outputs refused so far: lane, input offset, reason.
        refused: Vec<(LaneNo, i64, String)>,
        /// Why the only record of the only lane is set aside.
        set_aside: Option<String>,
    },
    /// B4: begin a transaction.
    Begin,
    /// B4: produce the plans of these lanes, header last, and wait until all is acknowledged.
    Produce {
        /// Lanes.
        lanes: Vec<LaneNo>,
    },
    /// B5: add the offsets to the transaction.
    SendOffsets {
        /// Lanes and their new offsets.
        offsets: Vec<(LaneNo, i64)>,
    },
    /// B6: commit the transaction.
    CommitTransaction,
    /// B7: abort the transaction.
    Abort,
    /// B7: replace all producers of the worker.
    ReplaceProducers,
    /// B7: one journal record, acknowledged, then aborted.
    Probe {
        /// The lane.
        lane: LaneNo,
    },
    /// Told: forget records, plans, chunks and cached documents of the lane, and stop delivering it.
    Forget {
        /// The lane.
        lane: LaneNo,
    },
    /// Told: a recovery begins.
    Recovering {
        /// The lane.
        lane: LaneNo,
        /// Why: a closed list of words.
        cause: &'static str,
    },
    /// Told: the lane works, with this much of the journal applied.
    Ready {
        /// The lane.
        lane: LaneNo,
    },
    /// Told: the lane stopped; somebody must act.
    Stopped {
        /// The lane.
        lane: LaneNo,
        /// Why, for people.
        reason: String,
    },
    /// Told: something an operator should know although work goes on.
    Warn {
        /// The lane.
        lane: LaneNo,
        /// What, for people.
        message: String,
    },
    /// Told: another process took this instance's name; the process must end.
    Exit {
        /// Who, for people.
        reason: String,
    },
    /// Told: a transaction ended (`committed`, `aborted`, `fenced`, `timeout`).
    Transaction {
        /// How.
        outcome: &'static str,
    },
}
