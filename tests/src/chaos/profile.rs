//! How much chaos: the short run that every change passes, and the long one that is started by command.
//!
//! Absent on purpose: time limits of what must be right; those who wait for an end look at progress.

use std::time::Duration;

/// The size of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// How long faults may begin.
    pub lasting: Duration,
    /// Faults at least, however long it takes.
    pub faults_min: usize,
    /// Faults at most.
    pub faults: usize,
    /// Pause between the begins of two faults, in ms: from, to.
    pub gap_ms: (u64, u64),
    /// Sagas at least.
    pub sagas: u64,
    /// Sagas started per second at most.
    pub rate: u64,
}

impl Profile {
    /// The run of every change.
    pub fn short() -> Self {
        Self {
            lasting: Duration::from_secs(110),
            faults_min: 30,
            faults: 30,
            gap_ms: (800, 4_200),
            sagas: 20_000,
            rate: 250,
        }
    }

    /// The run by command.
    pub fn long() -> Self {
        Self {
            lasting: Duration::from_secs(1_500),
            faults_min: 150,
            faults: 1_000,
            gap_ms: (1_000, 6_000),
            sagas: 300_000,
            rate: 400,
        }
    }

    /// The long run, shorter: faults for so many seconds, and as many sagas as are started meanwhile.
    pub fn lasting(seconds: u64) -> Self {
        let long = Self::long();
        Self {
            lasting: Duration::from_secs(seconds),
            faults_min: 25,
            sagas: 50 * seconds,
            ..long
        }
    }
}
