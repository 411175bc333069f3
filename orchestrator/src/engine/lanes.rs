//! What belongs to a lane between the steps of the machine: polled records, loaded documents, the plan, outstanding store writes.
//!
//! Invariant: nothing here survives [`Lane::forget`]; after any doubt a lane begins with nothing.
//!
//! Absent on purpose: positions and beliefs, which the machine keeps.

use std::collections::BTreeMap;

use connectors::store::Loaded;
use saga_lib::id::SagaId;
use saga_lib::input::Kind;
use saga_lib::mutant::{Mutant, planted};
use schemas::inbox::Inbox;
use schemas::record::Received;

use super::clock::LaneClock;
use super::counters::Counters;
use super::journal::Chunks;
use super::plan::{Entry, Outcome, Verdicts};

/// Store writes of a committed transaction.
#[derive(Debug, Clone, Default)]
pub struct Write {
    /// Documents.
    pub documents: Vec<(String, Option<Vec<u8>>)>,
    /// Counters.
    pub counters: BTreeMap<String, i64>,
    /// Timers whose records this transaction applied; they are no longer on their way once the store is written.
    pub timers: Vec<(SagaId, u64)>,
}

/// One lane.
#[derive(Debug, Default)]
pub struct Lane {
    /// Polled and not yet committed.
    pub entries: Vec<Entry>,
    /// How many of them the current batch takes.
    pub taken: usize,
    /// Documents of the current batch.
    pub loaded: BTreeMap<String, Option<Vec<u8>>>,
    /// Verdicts of the current batch.
    pub verdicts: Verdicts,
    /// The current plan.
    pub outcome: Option<Outcome>,
    /// Committed by the log, not yet by the store.
    pub outstanding: Option<Write>,
    /// Chunks of a catch-up.
    pub chunks: Chunks,
    /// Counters as of the last committed transaction.
    pub counters: Counters,
    /// Time for timers.
    pub clock: LaneClock,
}

impl Lane {
    /// Keeps what a poll brought.
    pub fn keep(&mut self, records: Vec<Received>) {
        for record in records {
            self.clock.saw(record.timestamp_ms);
            self.entries.push(Entry::new(record));
        }
    }

    /// Takes up to `records` entries from offset `from` on, and says which documents they need.
    pub fn take(&mut self, from: i64, records: u32) -> Vec<String> {
        self.entries.retain(|entry| entry.record.offset >= from);
        self.taken = self.entries.len().min(records as usize);
        self.verdicts.clear();
        self.outcome = None;
        let mut ids: Vec<String> = Vec::new();
        for entry in &self.entries[..self.taken] {
            ids.extend(entry.sagas().into_iter().map(ToString::to_string));
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Keeps what was loaded.
    pub fn loaded(&mut self, ids: Vec<String>, loaded: Loaded) {
        let cached = planted(Mutant::CacheSurvives).then(|| std::mem::take(&mut self.loaded));
        self.loaded = ids.into_iter().zip(loaded.documents).collect();
        self.loaded.extend(cached.into_iter().flatten());
        self.counters = Counters(loaded.counters);
    }

    /// The plan is committed: its writes are outstanding, its entries done.
    pub fn committed(&mut self) -> Option<Outcome> {
        let mut outcome = self.outcome.take()?;
        let end = outcome.end;
        let timers = self
            .entries
            .iter()
            .filter(|e| e.record.offset < end)
            .flat_map(timers_of)
            .collect();
        self.entries.retain(|entry| entry.record.offset >= end);
        self.taken = 0;
        self.outstanding = Some(Write {
            documents: std::mem::take(&mut outcome.documents),
            counters: outcome.counters.0.clone(),
            timers,
        });
        self.counters = outcome.counters.clone();
        if planted(Mutant::CacheSurvives) {
            let write = self.outstanding.iter();
            self.loaded
                .extend(write.flat_map(|write| write.documents.clone()));
        }
        Some(outcome)
    }

    /// Nothing is known any more.
    pub fn forget(&mut self) {
        let cached = planted(Mutant::CacheSurvives).then(|| std::mem::take(&mut self.loaded));
        *self = Self {
            clock: self.clock,
            loaded: cached.unwrap_or_default(),
            ..Self::default()
        };
    }
}

/// Timers that a record stands for.
fn timers_of(entry: &Entry) -> Vec<(SagaId, u64)> {
    match &entry.inbox {
        Ok(Inbox::Timer { saga, input }) => match input.kind {
            Kind::TimerFired { arm } => vec![(saga.clone(), arm)],
            _ => Vec::new(),
        },
        Ok(Inbox::Expire { entries, .. }) => entries.clone(),
        _ => Vec::new(),
    }
}
