//! Isolation of a record that cannot be committed (B7), without blaming anybody for an outage.
//!
//! Invariant: a record is set aside only if it failed alone twice and, between the two, something of this worker went through
//! (another transaction or a probe). An outage fails the probe, so it sets nobody aside; a record that poisons the transaction fails
//! twice while the probe succeeds.
//!
//! What is held against a record is tied to its place. If a commit without an answer turns out to have happened, the lane goes on
//! behind the record, and the next record begins without a stain.
//!
//! Absent on purpose: failures of begin and abort, of ownership and of the store. No record can cause them.

use crate::mutant::{Mutant, planted};

/// What is held against the next records of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suspicion {
    /// Where the lane stands: the first record from here on is the suspect.
    next: i64,
    /// Records to take at most; 0 is unbounded.
    limit: u32,
    /// Failures of the one record alone.
    alone: u32,
    /// Did something else go through since the first failure alone?
    proven: bool,
}

impl Suspicion {
    /// Nothing yet is held against the records from `next` on.
    pub fn new(next: i64) -> Self {
        Self {
            next,
            limit: 0,
            alone: 0,
            proven: false,
        }
    }

    /// A transaction with `records` of only this lane failed.
    pub fn failed_alone(&mut self, records: u32) {
        if records > 1 {
            self.limit = records / 2;
            return;
        }
        self.limit = 1;
        if self.alone == 0 {
            self.alone = 1;
            self.proven = false;
        } else if self.proven {
            self.alone = 2;
        }
    }

    /// Another transaction or a probe of this worker went through.
    pub fn something_went_through(&mut self) {
        self.proven = self.alone > 0;
    }

    /// Is it about the records from `next` on?
    pub fn stands_at(&self, next: i64) -> bool {
        self.next == next
    }

    /// Is a probe needed before the record is tried again?
    pub fn wants_probe(&self) -> bool {
        self.alone > 0 && !self.proven
    }

    /// Is the record to be set aside now?
    pub fn convicts(&self) -> bool {
        (self.alone >= 2 && self.proven) || (self.alone >= 1 && planted(Mutant::SuspectConvicted))
    }

    /// How many of `records` may be taken.
    pub fn bound(&self, records: u32) -> u32 {
        if self.limit == 0 {
            records
        } else {
            records.min(self.limit)
        }
    }
}
