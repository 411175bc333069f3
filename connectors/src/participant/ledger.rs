//! One state per forward command: what makes one effect of any number of deliveries, in any order.
//!
//! | state         | forward command                  | compensation                          |
//! |---------------|----------------------------------|---------------------------------------|
//! | none          | handler runs                     | recorded as compensated, confirmed    |
//! | none, refused | the refusal again                | recorded as compensated, confirmed    |
//! | effect        | the success again                | handler runs                          |
//! | compensated   | refused without running anything | confirmed again without effect        |
//!
//! What a handler failed to do is never remembered, so it is tried again; nor is a refused compensation, after which the effect still
//! exists.
//!
//! Absent on purpose: forgetting. A service removes entries when no command can come any more, not before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use saga_lib::id::CommandId;
use saga_lib::mutant::{Mutant, planted};
use serde_json::Value;

use super::answer::{Answer, Reply, Verdict};

/// State of one forward command.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Entry {
    /// No effect, nothing known.
    #[default]
    None,
    /// No effect: it was refused, with this reply.
    Refused(Reply),
    /// The effect exists; this was the reply.
    Effect(Reply),
    /// Compensated, perhaps before it came; this was the confirmation.
    Compensated(Reply),
}

/// Why a ledger cannot be used now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The store of the ledger does not answer; the command is answered `failed` and comes again.
    #[error("ledger is not available: {reason}")]
    Unavailable {
        /// What the store said.
        reason: String,
    },
}

/// Where a participant keeps its entries.
pub trait Ledger: Send + 'static {
    /// Runs `act` on the entry of a forward command and stores the entry it answers, if any. Nobody else acts on that entry meanwhile,
    /// and effects that `act` writes to the same store are stored together with the entry or not at all.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    fn transact<T>(
        &mut self,
        forward: &CommandId,
        act: impl FnOnce(&Entry) -> (Option<Entry>, T),
    ) -> Result<T, Error>;
}

/// A ledger in memory. Clones share their entries, so members of one group can share a ledger and a restarted one can keep it.
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger(Arc<Mutex<BTreeMap<String, Entry>>>);

impl MemoryLedger {
    /// The entry of a forward command.
    pub fn entry(&self, forward: &CommandId) -> Entry {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .get(&forward.to_string())
            .cloned()
            .unwrap_or_default()
    }

    /// All entries by command id.
    pub fn entries(&self) -> BTreeMap<String, Entry> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Ledger for MemoryLedger {
    fn transact<T>(
        &mut self,
        forward: &CommandId,
        act: impl FnOnce(&Entry) -> (Option<Entry>, T),
    ) -> Result<T, Error> {
        // The lock spans the handler: two members must not both find the entry missing. A handler's panic changes no entry.
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = forward.to_string();
        let (entry, result) = act(entries.get(&key).unwrap_or(&Entry::None));
        if let Some(entry) = entry {
            entries.insert(key, entry);
        }
        Ok(result)
    }
}

/// A forward command meets an entry: the new entry, if it changes, and the answer.
pub fn forward(entry: &Entry, run: impl FnOnce() -> Answer) -> (Option<Entry>, Answer) {
    match entry {
        Entry::None => {
            let answer = run();
            (outcome_of(&answer.verdict), answer)
        }
        Entry::Compensated(_) if planted(Mutant::D2RunsAfterCompensation) => (None, run()),
        Entry::Refused(reply) => (None, Verdict::Refusal(reply.clone()).into()),
        Entry::Effect(reply) => (None, Verdict::Effect(reply.clone()).into()),
        Entry::Compensated(_) => (None, overtaken()),
    }
}

/// A compensation meets the entry of its forward command: the new entry, if it changes, and the answer.
pub fn compensate(entry: &Entry, run: impl FnOnce() -> Answer) -> (Option<Entry>, Answer) {
    match entry {
        Entry::None | Entry::Refused(_) => {
            let reply = Reply::new("ok", Value::Null);
            let answer = Verdict::Effect(reply.clone()).into();
            (Some(Entry::Compensated(reply)), answer)
        }
        Entry::Effect(_) => {
            let answer = run();
            (confirmed_by(&answer.verdict), answer)
        }
        Entry::Compensated(reply) => (None, Verdict::Effect(reply.clone()).into()),
    }
}

fn outcome_of(verdict: &Verdict) -> Option<Entry> {
    match verdict {
        Verdict::Effect(reply) => Some(Entry::Effect(reply.clone())),
        Verdict::Refusal(reply) => Some(Entry::Refused(reply.clone())),
        Verdict::Failure(_) | Verdict::Nothing => None,
    }
}

fn confirmed_by(verdict: &Verdict) -> Option<Entry> {
    match verdict {
        Verdict::Effect(reply) => Some(Entry::Compensated(reply.clone())),
        Verdict::Refusal(_) | Verdict::Failure(_) | Verdict::Nothing => None,
    }
}

fn overtaken() -> Answer {
    Answer::refused("compensated", "its compensation came first")
}

#[cfg(test)]
mod tests;
