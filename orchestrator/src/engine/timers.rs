//! Due timers go back into the inbox, written by a plain idempotent producer outside of transactions.
//!
//! Ids written under a belief are remembered until their record comes by or its delivery fails, so an owner writes each once and a
//! takeover adds at most one more. The transition ignores any timer whose arm sequence is not the current one.
//!
//! Absent on purpose: exactness. A timer fires at or after its time, at least once.

use std::collections::{BTreeMap, BTreeSet};

use connectors::store::Due;
use saga_lib::id::SagaId;
use saga_lib::instance::Wake;
use saga_lib::lane::LaneNo;
use schemas::inbox::{self, EXPIRE_ENTRIES_MAX};
use schemas::record::Outgoing;
use schemas::state::Header;
use schemas::topics::Topics;

/// Due entries looked at per lane and tick.
pub const DUE_MAX: usize = 500;
/// Timer records of a lane that may be on their way.
const ON_THEIR_WAY_MAX: usize = 2_000;

/// A timer: saga id and arm sequence.
type Timer = (String, u64);

/// Timers on their way into the inbox.
#[derive(Debug, Default)]
pub struct Timers {
    lanes: BTreeMap<LaneNo, BTreeSet<Timer>>,
    by_token: BTreeMap<u64, (LaneNo, Vec<Timer>)>,
    token: u64,
}

/// What a look at a lane's due entries gives.
#[derive(Debug, Default)]
pub struct Fired {
    /// Records to write, with their tokens.
    pub records: Vec<(Outgoing, u64)>,
    /// When those timers were due, ms.
    pub due_ms: Vec<i64>,
    /// An entry has no document: the lane must be rebuilt.
    pub lost: Option<String>,
}

impl Timers {
    /// Is there room for more?
    pub fn room(&self, lane: LaneNo) -> usize {
        let on_their_way = self.lanes.get(&lane).map_or(0, BTreeSet::len);
        if on_their_way >= ON_THEIR_WAY_MAX {
            0
        } else {
            DUE_MAX
        }
    }

    /// How many entries to ask the store for: those on their way are still due there.
    pub fn ask(&self, lane: LaneNo) -> usize {
        self.lanes.get(&lane).map_or(0, BTreeSet::len) + DUE_MAX
    }

    /// Records for what is due and not on its way.
    pub fn fire(&mut self, topics: &Topics, lanes: u32, lane: LaneNo, due: &[Due]) -> Fired {
        let mut fired = Fired::default();
        let mut expire = Vec::new();
        for entry in due {
            let Some(text) = &entry.header else {
                fired.lost = Some(entry.id.clone());
                break;
            };
            let (Ok(header), Ok(saga)) = (Header::parse(text.as_bytes()), SagaId::parse(&entry.id))
            else {
                continue;
            };
            let timer = (entry.id.clone(), header.arm);
            if !self.lanes.entry(lane).or_default().insert(timer.clone()) {
                continue;
            }
            fired.due_ms.push(entry.score_ms);
            if matches!(header.wake, Wake::Expire(_)) {
                expire.push((saga, header.arm));
            } else {
                let record = inbox::encode_timer(topics, lanes, &saga, header.arm);
                fired
                    .records
                    .push((record, self.remember(lane, vec![timer])));
            }
        }
        for part in expire.chunks(EXPIRE_ENTRIES_MAX) {
            let timers = part
                .iter()
                .map(|(saga, arm)| (saga.to_string(), *arm))
                .collect();
            fired.records.push((
                inbox::encode_expire(topics, lane, part),
                self.remember(lane, timers),
            ));
        }
        fired
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
        if let Some(on_their_way) = self.lanes.get_mut(&lane) {
            for timer in timers {
                on_their_way.remove(&timer);
            }
        }
    }

    /// The record of this timer came by.
    pub fn came_by(&mut self, lane: LaneNo, saga: &SagaId, arm: u64) {
        if let Some(on_their_way) = self.lanes.get_mut(&lane) {
            on_their_way.remove(&(saga.to_string(), arm));
        }
    }

    /// The belief is gone, and with it what was written under it.
    pub fn forget(&mut self, lane: LaneNo) {
        self.lanes.remove(&lane);
    }
}
