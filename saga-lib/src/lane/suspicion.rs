//! Isolation of a record that cannot be committed (B7), without blaming anybody for an outage.
//!
//! Invariant: a record is set aside only if it failed alone twice and, between the two, something of this worker went through
//! (another transaction or a probe). An outage fails the probe, so it sets nobody aside; a record that poisons the transaction fails
//! twice while the probe succeeds.

/// What is held against the next records of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Suspicion {
    /// Records to take at most; 0 is unbounded.
    limit: u32,
    /// Failures of the one record alone.
    alone: u32,
    /// Did something else go through since the first failure alone?
    proven: bool,
}

impl Suspicion {
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

    /// Is a probe needed before the record is tried again?
    pub fn wants_probe(&self) -> bool {
        self.alone > 0 && !self.proven
    }

    /// Is the record to be set aside now?
    pub fn convicts(&self) -> bool {
        self.alone >= 2 && self.proven
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
