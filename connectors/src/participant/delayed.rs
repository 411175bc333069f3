//! Replies that are to be sent later, earliest first.
//!
//! Absent on purpose: durability. What waits here is lost with the process; the sender asks again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use schemas::record::Outgoing;

/// Replies by the moment they are due; the number keeps those of one moment apart and in order.
#[derive(Debug, Default)]
pub(super) struct Delayed {
    waiting: BTreeMap<(Instant, u64), Outgoing>,
    count: u64,
}

impl Delayed {
    /// Holds a reply until `due`.
    pub(super) fn hold(&mut self, due: Instant, reply: Outgoing) {
        self.count += 1;
        self.waiting.insert((due, self.count), reply);
    }

    /// Takes what is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Outgoing> {
        let later = self.waiting.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.waiting, later)
            .into_values()
            .collect()
    }

    /// How long until the next is due, at most `most`.
    pub(super) fn wait(&self, now: Instant, most: Duration) -> Duration {
        let next = self.waiting.keys().next();
        next.map_or(most, |(due, _)| {
            due.saturating_duration_since(now).min(most)
        })
    }
}

#[cfg(test)]
mod tests;
