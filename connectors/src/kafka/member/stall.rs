//! Stalls: a partition that delivers nothing although there is more.
//!
//! The client library can lose the start of a partition: when an assignment is replaced soon after it was taken, a pause of the first
//! one may outlast the resume of the second, and nothing tells. Whoever compares the position with the end of what is committed sees it,
//! at a time when nothing else was there to deliver. Assigning everything again at its position delivers nothing twice, because that
//! follows from positions alone.
//!
//! Absent on purpose: lanes of the engine. They are started one by one, and their lag is watched elsewhere.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use schemas::record::Partition;

use super::positions::Positions;

/// How long a partition may stand still before somebody looks.
const PATIENCE: Duration = Duration::from_secs(3);

/// Partitions that are looked at in one go: each costs a question to the broker.
const LOOKS_MAX: usize = 8;

/// Where partitions stood when they were last looked at.
///
/// Invariant: a partition is named once for the same position and end. One that has only the marker of a transaction before it stands
/// still for ever, and must not be assigned again and again.
#[derive(Debug)]
pub struct Stalls {
    looked: Instant,
    stood: BTreeMap<Partition, i64>,
    tried: BTreeMap<Partition, (i64, i64)>,
    turn: usize,
}

impl Stalls {
    /// Nothing was seen yet.
    pub fn new(now: Instant) -> Self {
        Self {
            looked: now,
            stood: BTreeMap::new(),
            tried: BTreeMap::new(),
            turn: 0,
        }
    }

    /// Partitions that have stood still since the last look, some of them at a time. Empty while the next look is not due.
    pub fn suspects(&mut self, now: Instant, positions: &Positions) -> Vec<(Partition, i64)> {
        if now.duration_since(self.looked) < PATIENCE {
            return Vec::new();
        }
        self.looked = now;
        let started = positions.started();
        let stood = |(partition, at): &&(Partition, i64)| self.stood.get(partition) == Some(at);
        let still: Vec<_> = started.iter().filter(stood).cloned().collect();
        self.stood = started.into_iter().collect();
        self.tried
            .retain(|partition, _| self.stood.contains_key(partition));
        self.turn = self.turn.wrapping_add(LOOKS_MAX);
        let first = self.turn.checked_rem(still.len()).unwrap_or(0);
        let all = still.iter().cycle().skip(first);
        all.take(still.len().min(LOOKS_MAX)).cloned().collect()
    }

    /// Is this one stalled, given the end of its log? One record may be the marker of a transaction, which nobody is shown.
    pub fn is_stalled(&mut self, partition: &Partition, position: i64, end: i64) -> bool {
        let place = (position, end);
        let known = self.tried.get(partition) == Some(&place);
        let stalled = end > position.saturating_add(1) && !known;
        if stalled {
            self.tried.insert(partition.clone(), place);
        }
        stalled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: i64) -> (Partition, Positions) {
        let partition = Partition::new("t", 0);
        let mut positions = Positions::default();
        positions.own(&partition);
        positions.start(&partition, position);
        (partition, positions)
    }

    #[test]
    fn only_what_stood_still_between_two_looks_is_suspect() {
        let begun = Instant::now();
        let mut stalls = Stalls::new(begun);
        let (partition, positions) = at(5);
        let first = begun + PATIENCE;
        assert_eq!(stalls.suspects(begun, &positions), []);
        assert_eq!(stalls.suspects(first, &positions), []);
        assert_eq!(stalls.suspects(first + PATIENCE / 2, &positions), []);
        let second = first + PATIENCE;
        assert_eq!(stalls.suspects(second, &positions), [(partition, 5)]);
        let (_, moved) = at(6);
        assert_eq!(stalls.suspects(second + PATIENCE, &moved), []);
    }

    #[test]
    fn a_marker_is_no_stall_and_one_place_is_named_once() {
        let mut stalls = Stalls::new(Instant::now());
        let (partition, _) = at(5);
        assert!(!stalls.is_stalled(&partition, 5, 5));
        assert!(!stalls.is_stalled(&partition, 5, 6));
        assert!(stalls.is_stalled(&partition, 5, 7));
        assert!(!stalls.is_stalled(&partition, 5, 7));
        assert!(stalls.is_stalled(&partition, 5, 9));
    }

    #[test]
    fn many_partitions_are_looked_at_in_turn() {
        let mut positions = Positions::default();
        for number in 0..20 {
            let partition = Partition::new("t", number);
            positions.own(&partition);
            positions.start(&partition, 0);
        }
        let begun = Instant::now();
        let mut stalls = Stalls::new(begun);
        let mut seen = std::collections::BTreeSet::new();
        for look in 1..8 {
            let now = begun + PATIENCE * look;
            let suspects = stalls.suspects(now, &positions);
            assert!(suspects.len() <= LOOKS_MAX);
            seen.extend(suspects.into_iter().map(|(partition, _)| partition.number));
        }
        assert_eq!(seen.len(), 20);
    }
}
