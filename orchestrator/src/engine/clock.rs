//! The clock of a lane: newest log append time seen plus the monotonic time since, or the wall clock if that is earlier.
//!
//! A wrong wall clock cannot fire timers early or all at once: a clock that is ahead is bounded by the log's time, one that is
//! behind only delays. Absent on purpose: time of transitions, which is the record's.

use std::time::Instant;

use crate::clock;

/// Time of one lane.
#[derive(Debug, Clone, Copy, Default)]
pub struct LaneClock {
    seen: Option<(i64, Instant)>,
}

impl LaneClock {
    /// A record with this log append time was read.
    pub fn saw(&mut self, record_ms: i64) {
        if self.seen.is_none_or(|(newest, _)| record_ms > newest) {
            self.seen = Some((record_ms, clock::now()));
        }
    }

    /// Now, for timers that are due.
    pub fn now_ms(&self, wall_ms: i64) -> i64 {
        let Some((newest, since)) = self.seen else {
            return wall_ms;
        };
        let since = i64::try_from(clock::since(since).as_millis()).unwrap_or(i64::MAX);
        newest.saturating_add(since).min(wall_ms)
    }
}
