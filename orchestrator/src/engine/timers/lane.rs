//! Timers of one lane under one belief: what is on its way, what waits, and how far the store has been read.
//!
//! Invariant: each due entry of the store is ahead of the reader, or known here (on its way or waiting), or another look is asked for.
//! Entries change only with documents that this owner writes, and [`LaneTimers::stored`] hears of each. Should that ever fail, a look
//! at everything, every [`LOOK_EVERY`], finds what was missed. A new owner knows nothing and reads everything.
//!
//! Absent on purpose: records, and the store.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use connectors::store::Due;
use saga_lib::id::SagaId;
use saga_lib::instance::Wake;
use schemas::state::{Header, Resend};

use super::bucket::Budget;
use super::reader::{Page, Reader};
use super::waiting::{Room, Waiting};
use super::{DUE_MAX, Kind, Now, ON_THEIR_WAY_MAX, Timer};

/// Re-sends that a lane remembers as waiting. More stay in the store and are looked at again when there is room.
const WAITING_MAX: usize = 100_000;
/// Everything that is due is looked at again at least this often.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A timer that is written and has not come by.
#[derive(Debug)]
struct OnItsWay {
    arm: u64,
    /// The target of a re-send.
    target: Option<String>,
}

/// Which part of the store is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What came due since the last time.
    Front,
    /// Everything behind the front, again.
    Look,
}

/// Entries that were due when they were listed, to be looked at.
#[derive(Debug)]
pub struct Listed {
    part: Part,
    page: Page,
}

impl Listed {
    /// Whose headers are needed.
    pub fn ids(&self) -> Vec<String> {
        self.page.unknown.clone()
    }
}

/// A timer to be written now.
#[derive(Debug, PartialEq, Eq)]
pub struct Ready {
    /// Saga.
    pub saga: SagaId,
    /// Arm sequence.
    pub arm: u64,
    /// Wake-up or expiry.
    pub kind: Kind,
    /// When it was due, ms; `None` if it waited for a token.
    pub due_ms: Option<i64>,
}

/// See the module.
#[derive(Debug)]
pub struct LaneTimers {
    on_their_way: BTreeMap<String, OnItsWay>,
    /// Written, but their instances were armed anew since.
    overtaken: BTreeMap<Timer, Option<String>>,
    room: Room,
    front: Reader,
    /// A look at everything behind the front, if one is under way.
    look: Option<Reader>,
    looked: Instant,
    look_again: bool,
    /// There was no room for some, and the first of them may not wait longer than this.
    left_until: Option<i64>,
    /// Targets of re-sends that had to wait, for metrics.
    pub delayed: Vec<String>,
}

impl LaneTimers {
    /// A new belief.
    pub fn new(budget: Budget, now: Instant) -> Self {
        Self {
            on_their_way: BTreeMap::new(),
            overtaken: BTreeMap::new(),
            room: Room::new(budget, now),
            front: Reader::default(),
            look: None,
            looked: now,
            look_again: false,
            left_until: None,
            delayed: Vec::new(),
        }
    }

    /// How many wait for a token.
    pub fn waiting(&self) -> usize {
        self.room.len()
    }

    /// May more be written?
    pub fn has_room(&self) -> bool {
        self.on_their_way.len() + self.overtaken.len() < ON_THEIR_WAY_MAX
    }

    /// Where the front goes on.
    pub fn front(&self) -> Reader {
        self.front
    }

    /// Where a look at what lies behind the front goes on, and up to which score; `None`: there is no need for one.
    pub fn look(&mut self, now: Now) -> Option<(Reader, i64)> {
        let behind = self.front.from_ms?;
        let left = self
            .left_until
            .is_some_and(|until| until <= now.lane_ms || self.room.len() < WAITING_MAX / 4 * 3);
        let due = now.monotonic.saturating_duration_since(self.looked) >= LOOK_EVERY;
        if self.look.is_none() && (self.look_again || left || due) {
            self.look = Some(Reader::default());
            self.looked = now.monotonic;
            self.look_again = false;
            self.left_until = None;
        }
        Some((self.look?, behind))
    }

    /// What the store listed for one of the two.
    pub fn list(
        &self,
        (part, reader): (Part, Reader),
        listed: Vec<(String, i64)>,
        until_ms: i64,
    ) -> Listed {
        let page = reader.page(listed, until_ms, DUE_MAX, |id| {
            self.on_their_way.contains_key(id) || self.room.has(id)
        });
        Listed { part, page }
    }

    /// The listed entries were taken care of.
    pub fn done(&mut self, listed: Listed) {
        let next = listed.page.next;
        match listed.part {
            Part::Front => self.front = next,
            Part::Look => self.look = Some(next).filter(|_| !listed.page.is_last),
        }
    }

    /// Re-sends whose time has come, for whatever reason.
    pub fn released(&mut self, now: Now) -> Vec<Ready> {
        let mut all = self.room.ended(now.lane_ms, DUE_MAX);
        let more = DUE_MAX.saturating_sub(all.len());
        all.extend(self.room.released(now.monotonic, more));
        let ready = |(id, waiting): (String, Waiting)| {
            self.write(
                &id,
                waiting.arm,
                Kind::Wake,
                Some(waiting.resend.target),
                None,
            )
        };
        all.into_iter().filter_map(ready).collect()
    }

    /// A due entry: what is to be written for it now.
    pub fn due(&mut self, entry: &Due, header: &Header, now: Now) -> Option<Ready> {
        if self.on_their_way.contains_key(&entry.id) || self.room.has(&entry.id) {
            return None;
        }
        let due_ms = Some(entry.score_ms);
        let kind = match header.wake {
            Wake::Expire(_) => Kind::Expire,
            _ => Kind::Wake,
        };
        let Some(resend) = &header.resend else {
            return self.write(&entry.id, header.arm, kind, None, due_ms);
        };
        if may_wait(resend, entry, now.lane_ms) && !self.room.passes(resend, now.monotonic) {
            self.wait(entry, header.arm, resend);
            return None;
        }
        self.room.charge(resend);
        let target = Some(resend.target.clone());
        self.write(&entry.id, header.arm, kind, target, due_ms)
    }

    /// A document was stored: what was known of its entry is out of date.
    pub fn stored(&mut self, id: &str, header: Option<&Header>) {
        self.room.remove(id);
        let arm = header.map(|header| header.arm);
        if self
            .on_their_way
            .get(id)
            .is_some_and(|on| Some(on.arm) != arm)
            && let Some(on) = self.on_their_way.remove(id)
        {
            self.overtaken.insert((id.to_owned(), on.arm), on.target);
        }
        let score = header.and_then(|header| match header.wake {
            Wake::At(ms) | Wake::Expire(ms) => Some(ms),
            Wake::Never => None,
        });
        let behind = score.is_some_and(|score| Some(score) <= self.front.from_ms);
        if behind && !self.on_their_way.contains_key(id) {
            self.look_again = true;
        }
    }

    /// The record of this timer came by, or did not get there. If nothing replaced the entry it is due as before.
    pub fn gone(&mut self, id: &str, arm: u64) {
        let key = (id.to_owned(), arm);
        let mut target = self.overtaken.remove(&key).flatten();
        if self.on_their_way.get(id).is_some_and(|on| on.arm == arm) {
            target = self.on_their_way.remove(id).and_then(|on| on.target);
            self.look_again = true;
        }
        if let Some(target) = target {
            self.room.arrived(&target);
        }
    }

    fn wait(&mut self, entry: &Due, arm: u64, resend: &Resend) {
        if self.room.len() >= WAITING_MAX {
            let until = waits_until(resend, entry).unwrap_or(i64::MAX);
            self.left_until = Some(self.left_until.unwrap_or(i64::MAX).min(until));
            return;
        }
        self.delayed.push(resend.target.clone());
        let waiting = Waiting {
            arm,
            score_ms: entry.score_ms,
            resend: resend.clone(),
        };
        self.room.insert(&entry.id, waiting);
    }

    fn write(
        &mut self,
        id: &str,
        arm: u64,
        kind: Kind,
        target: Option<String>,
        due_ms: Option<i64>,
    ) -> Option<Ready> {
        let saga = SagaId::parse(id).ok()?;
        self.on_their_way
            .insert(id.to_owned(), OnItsWay { arm, target });
        Some(Ready {
            saga,
            arm,
            kind,
            due_ms,
        })
    }
}

/// How long the entry may wait, ms; `None`: for ever. A slack is what a definition says, so it may be as long as there are times.
fn waits_until(resend: &Resend, entry: &Due) -> Option<i64> {
    let slack = resend.slack_ms?;
    Some(entry.score_ms.saturating_add(slack))
}

fn may_wait(resend: &Resend, entry: &Due, now_ms: i64) -> bool {
    waits_until(resend, entry).is_none_or(|until| now_ms < until)
}
