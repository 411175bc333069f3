//! The time of the loops: one place to ask, so that a simulation can answer.
//!
//! With the feature `simulation` a thread may be given a time of its own, which then moves only when it is told to or when the thread
//! sleeps. Without it, and in threads that were given none, these are the system's clocks.
//!
//! Absent on purpose: time of records and timers, which logs and inputs bring along.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment on a clock that only moves on.
pub fn now() -> Instant {
    simulated::now().unwrap_or_else(Instant::now)
}

/// The time since such a moment.
pub fn since(moment: Instant) -> Duration {
    now().saturating_duration_since(moment)
}

/// Milliseconds since 1970 by the wall clock.
pub fn wall_ms() -> i64 {
    if let Some(ms) = simulated::ms() {
        return ms;
    }
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Waits.
pub fn sleep(wait: Duration) {
    if !simulated::slept(wait) {
        std::thread::sleep(wait);
    }
}

/// No thread has a time of its own.
#[cfg(not(feature = "simulation"))]
mod simulated {
    use std::time::{Duration, Instant};

    #[inline(always)]
    pub fn now() -> Option<Instant> {
        None
    }

    #[inline(always)]
    pub fn ms() -> Option<i64> {
        None
    }

    #[inline(always)]
    pub fn slept(_: Duration) -> bool {
        false
    }
}

/// A time of one's own, per thread.
#[cfg(feature = "simulation")]
pub mod simulated {
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    thread_local! {
        static TIME: Cell<Option<(Instant, i64)>> = const { Cell::new(None) };
    }

    /// From now on it is this time in this thread, ms since 1970.
    pub fn set(ms: i64) {
        TIME.with(|time| {
            let base = time.get().map_or_else(Instant::now, |(base, _)| base);
            time.set(Some((base, ms)));
        });
    }

    /// The thread's own time, ms since 1970.
    pub fn ms() -> Option<i64> {
        TIME.with(Cell::get).map(|(_, ms)| ms)
    }

    pub(super) fn now() -> Option<Instant> {
        let (base, ms) = TIME.with(Cell::get)?;
        base.checked_add(Duration::from_millis(u64::try_from(ms).unwrap_or_default()))
    }

    pub(super) fn slept(wait: Duration) -> bool {
        let waited = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let Some(ms) = ms() else { return false };
        set(ms.saturating_add(waited));
        true
    }
}
