//! Lanes that stand still although their partition goes on: which ones, since when and why.
//!
//! A lane stands still for one of three reasons: there is nothing for it, somebody's open transaction holds up what comes, or it is not
//! delivered what is there. A position and an end cannot tell them apart, because markers and aborted records are never delivered. So
//! whoever looks also reads, without the group: a record that anybody can read and the lane was not given is a proof.
//!
//! ```text
//!  stood for 10 s --> look every 5 s --> a record is there, and still is 5 s later: stalled (15 s if the worker is busy: it may be
//!                                        on its way)
//!                                    --> held up for 10 s more:  held up
//! ```
//!
//! Absent on purpose: I/O (see `watch`), and lanes that are not ready: they tell so themselves.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use connectors::log::Extent;
use saga_lib::lane::LaneNo;

use crate::metric::label::StallCause;

/// How long a ready lane may stand still before somebody looks.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Lanes that are looked at in one go: each costs the worker a question to the broker and perhaps a read.
const LOOKS_MAX: usize = 4;

/// A lane that stands still although its partition goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// Why.
    pub cause: StallCause,
    /// The lane's offset.
    pub at: i64,
    /// Offset of the record that is not delivered, or the end that nobody can read yet.
    pub there: i64,
}

/// What lies between a lane and the last stable offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// Nothing that is ever delivered.
    Nothing,
    /// A record at this offset.
    Record(i64),
    /// It could not be read in time.
    Unknown,
}

#[derive(Debug)]
struct Standing {
    at: i64,
    since: Instant,
    asked: Option<Instant>,
    /// Nothing is to be delivered below.
    clear_to: i64,
    /// The last stable offset while the log goes on behind it, and since when.
    held: Option<(i64, Instant)>,
    /// The record that the lane was not given, and when it was seen first: it may have come a moment ago.
    there: Option<(i64, Instant)>,
    stall: Option<Stall>,
}

/// All lanes of one worker.
#[derive(Debug)]
pub(super) struct Stalls {
    patience: Duration,
    looked: Instant,
    lanes: BTreeMap<LaneNo, Standing>,
}

impl Stalls {
    /// Nothing was seen yet.
    pub fn new(patience: Duration, now: Instant) -> Self {
        Self {
            patience,
            looked: now,
            lanes: BTreeMap::new(),
        }
    }

    /// Is it time to look? About once a second.
    pub fn is_due(&self, now: Instant) -> bool {
        now.duration_since(self.looked) >= self.patience / 10
    }

    /// Lanes to look at, those that were not looked at for longest first. `owned` has the position of each lane that is ready and not
    /// held back on purpose.
    pub fn suspects(
        &mut self,
        now: Instant,
        owned: &BTreeMap<LaneNo, Option<i64>>,
    ) -> Vec<(LaneNo, i64)> {
        self.looked = now;
        self.lanes.retain(|lane, _| owned.contains_key(lane));
        for (lane, at) in owned {
            self.stand(now, *lane, *at);
        }
        let patience = self.patience;
        let due = |s: &Standing| {
            let rested = |at: Instant| now.duration_since(at) >= patience / 2;
            now.duration_since(s.since) >= patience && s.asked.is_none_or(rested)
        };
        let mut due: Vec<_> = self.lanes.iter().filter(|(_, s)| due(s)).collect();
        due.sort_by_key(|(_, s)| s.asked);
        let first = due.into_iter().take(LOOKS_MAX);
        first.map(|(lane, s)| (*lane, s.at)).collect()
    }

    fn stand(&mut self, now: Instant, lane: LaneNo, at: Option<i64>) {
        match (at, self.lanes.get_mut(&lane)) {
            (Some(at), Some(known)) if known.at == at => {}
            (Some(at), _) => {
                self.lanes.insert(lane, Standing::new(at, now));
            }
            // It is being mended: that takes time, and whether it helped is not known before it moves.
            (None, Some(known)) if known.stall.is_some() => known.asked = Some(now),
            (None, _) => {
                self.lanes.remove(&lane);
            }
        }
    }

    /// Must be read to know more? Behind the marker of a transaction a lane stands as long as nothing else comes.
    pub fn wants_read(&self, lane: LaneNo, extent: Extent) -> bool {
        let standing = self.lanes.get(&lane);
        standing.is_some_and(|s| extent.stable_end > s.at.max(s.clear_to))
    }

    /// A lane was asked about and nothing was answered: others come first now.
    pub fn asked(&mut self, lane: LaneNo, now: Instant) {
        if let Some(standing) = self.lanes.get_mut(&lane) {
            standing.asked = Some(now);
        }
    }

    /// Takes what was seen of a lane; answers its stall if it has one. `idle`: the last poll brought nothing.
    pub fn seen(
        &mut self,
        now: Instant,
        lane: LaneNo,
        (extent, between): (Extent, Between),
        idle: bool,
    ) -> Option<Stall> {
        let patience = self.patience;
        let standing = self.lanes.get_mut(&lane)?;
        standing.asked = Some(now);
        match between {
            Between::Unknown => {}
            Between::Record(offset) => {
                // What a busy worker was not given yet may be next in its queue.
                let enough = if idle { patience / 2 } else { patience * 3 / 2 };
                let sure = now.duration_since(standing.first_seen(offset, now)) >= enough;
                standing.held = None;
                standing.stall = sure.then(|| standing.stall(StallCause::NotDelivered, offset));
            }
            Between::Nothing => {
                standing.there = None;
                standing.clear_to = extent.stable_end;
                standing.stall = standing.held_up(now, patience, extent);
            }
        }
        standing.stall
    }

    /// All stalls.
    pub fn all(&self) -> BTreeMap<LaneNo, Stall> {
        let stalls = self.lanes.iter();
        stalls
            .filter_map(|(lane, s)| Some((*lane, s.stall?)))
            .collect()
    }
}

impl Standing {
    fn new(at: i64, now: Instant) -> Self {
        Self {
            at,
            since: now,
            asked: None,
            clear_to: at,
            held: None,
            there: None,
            stall: None,
        }
    }

    fn first_seen(&mut self, offset: i64, now: Instant) -> Instant {
        let seen = self.there.filter(|(known, _)| *known == offset);
        self.there.insert(seen.unwrap_or((offset, now))).1
    }

    fn stall(&self, cause: StallCause, there: i64) -> Stall {
        Stall {
            cause,
            at: self.at,
            there,
        }
    }

    fn held_up(&mut self, now: Instant, patience: Duration, extent: Extent) -> Option<Stall> {
        let stable = extent.stable_end;
        if extent.end <= stable {
            self.held = None;
            return None;
        }
        let since = match self.held {
            Some((before, since)) if before == stable => since,
            _ => now,
        };
        self.held = Some((stable, since));
        let long = now.duration_since(since) >= patience;
        long.then(|| self.stall(StallCause::OpenTransaction, extent.end))
    }
}

#[cfg(test)]
mod tests;
