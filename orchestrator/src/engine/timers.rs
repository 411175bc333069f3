//! Due timers go back into the inbox, written by a plain idempotent producer outside of transactions.
//!
//! Ids written under a belief are remembered until their record comes by or its delivery fails, so an owner writes each once and a
//! takeover adds at most one more. The transition ignores any timer whose arm sequence is not the current one.
//!
//! A wake-up that only sends commands again waits for a token of its target; everything else is written when it is due. What waits stays
//! due in the store and is remembered here only so that it is not read again and again.
//!
//! Absent on purpose: exactness. A timer fires at or after its time, at least once.

pub mod bucket;
mod lane;
mod reader;
mod waiting;

use std::collections::BTreeMap;
use std::time::Instant;

use connectors::store::{self, Store};
use saga_lib::id::SagaId;
use saga_lib::lane::LaneNo;
use schemas::inbox::{self, EXPIRE_ENTRIES_MAX};
use schemas::record::Outgoing;
use schemas::state::Header;
use schemas::topics::Topics;

use bucket::Budget;
use lane::{LaneTimers, Part, Ready};

/// Due entries looked at per lane and tick.
pub const DUE_MAX: usize = 500;
/// Timer records of a lane that may be on their way.
const ON_THEIR_WAY_MAX: usize = 2_000;

/// A timer: saga id and arm sequence.
type Timer = (String, u64);

/// What a timer record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Wake the instance.
    Wake,
    /// Remove the instance.
    Expire,
}

/// Timers of the owned lanes.
#[derive(Debug)]
pub struct Timers {
    /// Of each lane.
    budget: Budget,
    lanes: BTreeMap<LaneNo, LaneTimers>,
    by_token: BTreeMap<u64, (LaneNo, Vec<Timer>)>,
    token: u64,
}

/// What a look at a lane's due entries gives.
#[derive(Debug, Default)]
pub struct Fired {
    /// Records to write, with their tokens.
    pub records: Vec<(Outgoing, u64)>,
    /// When those timers were due, ms, without those that waited for a token.
    pub due_ms: Vec<i64>,
    /// Targets of the re-sends that have to wait for a token.
    pub delayed: Vec<String>,
    /// An entry has no document: the lane must be rebuilt.
    pub lost: Option<String>,
}

/// The time, as it is needed here.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The lane's clock, ms.
    pub lane_ms: i64,
    /// A clock that only moves on.
    pub monotonic: Instant,
}

impl Timers {
    /// Nothing is known of any lane. `budget` is the installation's.
    pub fn new(budget: Budget, lanes: u32) -> Self {
        Self {
            budget: budget.share(lanes),
            lanes: BTreeMap::new(),
            by_token: BTreeMap::new(),
            token: 0,
        }
    }

    /// May more be written into this lane?
    pub fn has_room(&self, lane: LaneNo) -> bool {
        self.lanes.get(&lane).is_none_or(LaneTimers::has_room)
    }

    /// How many re-sends of a lane wait for a token.
    pub fn waiting(&self, lane: LaneNo) -> usize {
        self.lanes.get(&lane).map_or(0, LaneTimers::waiting)
    }

    fn lane(&mut self, lane: LaneNo, now: Now) -> &mut LaneTimers {
        let budget = self.budget;
        let of = self.lanes.entry(lane);
        of.or_insert_with(|| LaneTimers::new(budget, now.monotonic))
    }

    /// Looks at what is due in a lane. What has to be written is to be written, also after an error.
    pub fn tick<S: Store>(
        &mut self,
        store: &mut S,
        place: (&Topics, u32),
        lane: LaneNo,
        now: Now,
    ) -> (Fired, Result<(), store::Error>) {
        let mut fired = Fired::default();
        let mut ready = self.lane(lane, now).released(now);
        let mut read = |part| self.read(store, lane, (part, now), (&mut ready, &mut fired));
        let result = read(Part::Front).and_then(|()| read(Part::Look));
        self.records(place, lane, ready, &mut fired);
        (fired, result)
    }

    /// Reads a page of one part.
    fn read<S: Store>(
        &mut self,
        store: &mut S,
        lane: LaneNo,
        (part, now): (Part, Now),
        (ready, fired): (&mut Vec<Ready>, &mut Fired),
    ) -> Result<(), store::Error> {
        let of = self.lane(lane, now);
        let reader = match part {
            Part::Front => Some((of.front(), now.lane_ms)),
            Part::Look => of.look(now),
        };
        let Some((reader, until_ms)) = reader else {
            return Ok(());
        };
        let listed = store.due_ids(lane, reader.from_ms, until_ms, reader.ask)?;
        let listed = of.list((part, reader), listed, until_ms);
        for entry in store.due_of(lane, listed.ids(), until_ms)? {
            let Some(text) = &entry.header else {
                fired.lost = Some(entry.id);
                break;
            };
            if let Ok(header) = Header::parse(text.as_bytes()) {
                ready.extend(of.due(&entry, &header, now));
            }
        }
        fired.delayed.append(&mut of.delayed);
        of.done(listed);
        Ok(())
    }

    fn records(
        &mut self,
        (topics, lanes): (&Topics, u32),
        lane: LaneNo,
        ready: Vec<Ready>,
        fired: &mut Fired,
    ) {
        fired.due_ms.extend(ready.iter().filter_map(|r| r.due_ms));
        let (wake, expire): (Vec<_>, Vec<_>) =
            ready.into_iter().partition(|r| r.kind == Kind::Wake);
        for Ready { saga, arm, .. } in wake {
            let record = inbox::encode_timer(topics, lanes, &saga, arm);
            let token = self.remember(lane, vec![(saga.to_string(), arm)]);
            fired.records.push((record, token));
        }
        let expire: Vec<(SagaId, u64)> = expire.into_iter().map(|r| (r.saga, r.arm)).collect();
        for part in expire.chunks(EXPIRE_ENTRIES_MAX) {
            let timers = part.iter().map(|(saga, arm)| (saga.to_string(), *arm));
            let token = self.remember(lane, timers.collect());
            fired
                .records
                .push((inbox::encode_expire(topics, lane, part), token));
        }
    }

    fn remember(&mut self, lane: LaneNo, timers: Vec<Timer>) -> u64 {
        self.token += 1;
        self.by_token.insert(self.token, (lane, timers));
        self.token
    }

    /// The delivery of a record is known; a failed one is forgotten, so that it is written again.
    pub fn delivered(&mut self, token: u64, ok: bool) {
        let Some((lane, timers)) = self.by_token.remove(&token) else {
            return;
        };
        if ok {
            return;
        }
        if let Some(of) = self.lanes.get_mut(&lane) {
            timers.iter().for_each(|(id, arm)| of.gone(id, *arm));
        }
    }

    /// No delivery is heard of any more: the producer is gone. What is written twice for it does no harm, what is written never does.
    pub fn unheard(&mut self) {
        let tokens: Vec<u64> = self.by_token.keys().copied().collect();
        for token in tokens {
            self.delivered(token, false);
        }
    }

    /// A document of the lane was stored, or removed.
    pub fn stored(&mut self, lane: LaneNo, id: &str, document: Option<&[u8]>) {
        if let Some(of) = self.lanes.get_mut(&lane) {
            let header = document.and_then(|document| Header::parse(document).ok());
            of.stored(id, header.as_ref());
        }
    }

    /// The record of this timer came by, and everything that was stored with it is known.
    pub fn came_by(&mut self, lane: LaneNo, saga: &SagaId, arm: u64) {
        if let Some(of) = self.lanes.get_mut(&lane) {
            of.gone(saga.as_str(), arm);
        }
    }

    /// The belief is gone, and with it what was written under it.
    pub fn forget(&mut self, lane: LaneNo) {
        self.lanes.remove(&lane);
    }
}

#[cfg(test)]
mod tests;
