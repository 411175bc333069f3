//! The clock of a memory cluster: what record times, transaction timeouts and session timeouts are measured by.
//!
//! Absent on purpose: waiting. Calls that wait do so in real time, whatever this clock says.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where a memory cluster takes its time from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The system's time at the start of the cluster, carried on by the monotonic clock: a step of the wall clock expires nobody.
    System {
        /// Time at the start, ms since 1970.
        started_ms: i64,
        /// The same moment on the monotonic clock.
        started: Instant,
    },
    /// A clock that moves only when told to.
    Manual(ManualClock),
}

impl Clock {
    /// The system clock.
    pub fn system() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        Self::System {
            started_ms: since_1970.map_or(0, millis),
            started: Instant::now(),
        }
    }

    /// Now, in ms since 1970.
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System {
                started_ms,
                started,
            } => started_ms + millis(started.elapsed()),
            Self::Manual(clock) => clock.now_ms(),
        }
    }
}

impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Self::Manual(clock)
    }
}

/// A clock for tests and simulation. Clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at `now_ms`.
    pub fn new(now_ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now_ms)))
    }

    /// The time it shows.
    pub fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Sets it, also backwards.
    pub fn set(&self, now_ms: i64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis(by), Ordering::SeqCst);
    }
}

/// A duration in whole milliseconds; one too long for the type counts as "for ever".
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
