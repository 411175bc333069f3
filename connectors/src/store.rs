//! The store: a fast, disposable view of the journal, one hash tag per lane. Blocking, used from one OS thread.
//!
//! Scripts carry only facts that the log has already committed, so it does not matter who executes one, when, or how often.
//!
//! Absent on purpose: increments (counters are absolute), key names computed in scripts, and any type of a client library.

use std::collections::BTreeMap;
use std::time::Duration;

pub use saga_lib::lane::Position;

/// One compare-and-write of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commit {
    /// Lane.
    pub lane: u32,
    /// Who commits (transactional id): becomes `owners`.
    pub owner: String,
    /// Expected epoch.
    pub ep: u64,
    /// Expected watermark.
    pub wm: Option<i64>,
    /// Expected journal position.
    pub jpos: Option<i64>,
    /// New watermark (unchanged in all but the last chunk of a catch-up).
    pub wm_to: Option<i64>,
    /// New journal position.
    pub jpos_to: Option<i64>,
    /// Time of the commit, ms since 1970.
    pub at_ms: i64,
    /// Installation id.
    pub installation: String,
    /// Documents to write or remove.
    pub documents: Vec<(String, Option<Vec<u8>>)>,
    /// Absolute counters; empty leaves them.
    pub counters: BTreeMap<String, i64>,
}

/// Answer to a [`Commit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Written, or was already.
    Done,
    /// The lane stands elsewhere; nothing was written.
    Refused(Position),
}

/// What to load of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Load {
    /// Lane.
    pub lane: u32,
    /// Saga ids.
    pub ids: Vec<String>,
}

/// What was loaded, atomically.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// The lane's position.
    pub position: Position,
    /// Documents in the order of the ids.
    pub documents: Vec<Option<Vec<u8>>>,
    /// Counters as they stand.
    pub counters: BTreeMap<String, i64>,
}

/// A timer entry that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Saga id.
    pub id: String,
    /// When it was due, ms.
    pub score_ms: i64,
    /// First bytes of the document: the ASCII header, with its re-send if there is one. `None`: the document is missing, the lane must be rebuilt.
    pub header: Option<String>,
}

/// Answer to a lease request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// Held by the asker now.
    Held,
    /// Somebody else holds it.
    Foreign(String),
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection or no answer: it may or may not have happened; the identical call may be made again.
    #[error("store does not answer: {reason}")]
    Unavailable {
        /// Address and cause.
        reason: String,
    },
    /// The store answered with an error (out of memory, read-only, loading ...): nothing was written by the failed call.
    #[error("store refused: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// The store is set up so that it may lose data; the message says which setting to change.
    #[error("store is not usable: {reason}")]
    Unusable {
        /// What to change.
        reason: String,
    },
}

/// One worker's view of the store.
pub trait Store: Sized + Send + 'static {
    /// What values are opened on.
    type Server: Clone + Send + Sync + 'static;

    /// Connects and checks the server's settings.
    ///
    /// # Errors
    /// [`Error::Unavailable`] naming the address, [`Error::Unusable`] naming the setting.
    fn open(server: &Self::Server, app: &str) -> Result<Self, Error>;

    /// R1: raises the epoch, adds `owner` to the owners, and answers the position with the new epoch.
    fn claim(&mut self, lane: u32, owner: &str) -> Result<Position, Error>;

    /// B2: one round trip with commits first, then atomic loads. Answers in the order of the questions.
    fn round(
        &mut self,
        commits: &[Commit],
        loads: &[Load],
    ) -> Result<(Vec<Answer>, Vec<Loaded>), Error>;

    /// B8: the position.
    fn position(&mut self, lane: u32) -> Result<Position, Error>;

    /// R4: if the epoch is still `ep`, clears wm and jpos, sets `at` and drops up to `max` documents with their index and timer
    /// entries, and counters at the end. `Ok(true)`: the lane is empty.
    fn clear(&mut self, lane: u32, ep: u64, at_ms: i64, max: usize) -> Result<bool, Error>;

    /// Ids of timer entries with `from_ms` <= score <= `until_ms` and their scores, oldest first, then by id.
    fn due_ids(
        &mut self,
        lane: u32,
        from_ms: Option<i64>,
        until_ms: i64,
        max: usize,
    ) -> Result<Vec<(String, i64)>, Error>;

    /// The entries of these ids, in their order, as far as they are there and their score is <= `until_ms`.
    fn due_of(&mut self, lane: u32, ids: Vec<String>, until_ms: i64) -> Result<Vec<Due>, Error>;

    /// Timer entries with score <= `until_ms`, oldest first.
    fn due(&mut self, lane: u32, until_ms: i64, max: usize) -> Result<Vec<Due>, Error> {
        let ids = self.due_ids(lane, None, until_ms, max)?;
        self.due_of(lane, ids.into_iter().map(|(id, _)| id).collect(), until_ms)
    }

    /// One document.
    fn document(&mut self, lane: u32, id: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Ids of a definition in a status (by code), sorted, at most `max`.
    fn ids(
        &mut self,
        lane: u32,
        definition: &str,
        status: char,
        max: usize,
    ) -> Result<Vec<String>, Error>;

    /// Every stored id of a lane in pages: (ids, next cursor), cursor 0 begins and ends.
    fn scan(&mut self, lane: u32, cursor: u64) -> Result<(Vec<String>, u64), Error>;

    /// The lane's counters.
    fn counters(&mut self, lane: u32) -> Result<BTreeMap<String, i64>, Error>;

    /// Takes or renews the lease `name` for `holder`.
    fn lease(&mut self, name: &str, holder: &str, ttl: Duration) -> Result<Lease, Error>;

    /// Gives the lease up, if `holder` has it.
    fn release(&mut self, name: &str, holder: &str) -> Result<(), Error>;
}
