//! The commit protocol of lanes without I/O (rules R1-R5 and B1-B8).
//!
//! The Kafka transaction commits outputs, history, journal and offsets; only then the store is written. A store commit therefore
//! carries only facts that the log has already committed, and the store can always be repaired from the journal.
//!
//! [`Worker`] drives all lanes of one worker: `step(now, event) -> effects`. Every list of effects ends with exactly one effect that
//! the shell answers with one event; the others are told and forgotten. A real shell and a simulator execute the same effects.
//!
//! | the process dies after | what stands | what the next owner does |
//! |---|---|---|
//! | B1 poll, B2 load, B3 plan | nothing new | R3: wm == c, applies the records again |
//! | B4 produce, B5 offsets | an open transaction | R2: ends it by re-initialising its id; then as above |
//! | B6 commit, no answer seen | perhaps a committed transaction | R2 stable read tells; R4 repairs the store from the journal |
//! | B6 answered, store not written | log ahead of the store | R3: wm < c, R4 and R5 apply the images |
//! | store written | both agree | R3: ready |
//!
//! Absent on purpose: I/O, clocks, the payloads of records (the shell keeps them by lane), and timers.

mod advance;
mod batch;
mod doubt;
mod event;
mod flush;
mod recovery;
mod suspicion;
mod worker;

#[cfg(test)]
mod tests;

pub use event::{
    Answer, ApplyChunk, Effect, Event, Failure, JournalRead, Planned, Position, Round, Sample,
    Stable, StoreCommit, Trouble, Waiting,
};
pub use worker::{Config, Now, Worker};

/// A lane, as a handle of the shell: the inbox partition of an engine, a source partition of an ingress.
pub type LaneNo = u32;

/// What the owner of a ready lane believes of the store; valid for one group generation only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Belief {
    /// Claim epoch.
    pub ep: u64,
    /// Watermark as stored; `None` for a lane that never committed.
    pub wm: Option<i64>,
    /// Journal position as stored.
    pub jpos: Option<i64>,
}

/// State of a lane, for metrics and people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneState {
    /// Works.
    Ready,
    /// Is being recovered; the word names the step.
    Recovering(&'static str),
    /// Stopped with an alarm; somebody must act.
    Stopped(String),
}
