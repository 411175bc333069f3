//! Re-sends that are due and wait for a token: a queue per target, oldest first.
//!
//! What waits here is still due in the store, so losing it costs nothing but reading it again.
//!
//! Absent on purpose: deciding what may wait (the document's header does).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use schemas::state::Resend;

use super::bucket::{Bucket, Budget};

/// A re-send that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Arm sequence.
    pub arm: u64,
    /// When it was due, ms.
    pub score_ms: i64,
    /// What it does.
    pub resend: Resend,
}

impl Waiting {
    /// From then on it may not wait.
    fn until_ms(&self) -> Option<i64> {
        let slack = self.resend.slack_ms?;
        Some(self.score_ms.saturating_add(slack))
    }
}

#[derive(Debug)]
struct Queue {
    bucket: Bucket,
    order: BTreeSet<(i64, Arc<str>)>,
    /// Written and not yet applied. Without a bound on them, an engine that lags would apply what it sent in a minute within a second.
    on_their_way: u32,
}

/// Everything of one lane that waits.
#[derive(Debug)]
pub struct Room {
    budget: Budget,
    since: Instant,
    waiting: BTreeMap<Arc<str>, Waiting>,
    ends: BTreeSet<(i64, Arc<str>)>,
    queues: BTreeMap<String, Queue>,
}

impl Room {
    /// Nothing waits; `budget` is the lane's.
    pub fn new(budget: Budget, since: Instant) -> Self {
        Self {
            budget,
            since,
            waiting: BTreeMap::new(),
            ends: BTreeSet::new(),
            queues: BTreeMap::new(),
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Does this one wait?
    pub fn has(&self, id: &str) -> bool {
        self.waiting.contains_key(id)
    }

    /// May it go at once? It does not overtake what waits.
    pub fn passes(&mut self, resend: &Resend, now: Instant) -> bool {
        let queue = self.queue(&resend.target);
        queue.order.is_empty() && queue.has_turn(now)
    }

    /// It goes, and pays.
    pub fn charge(&mut self, resend: &Resend) {
        self.queue(&resend.target).leave(resend.commands);
    }

    /// It waits.
    pub fn insert(&mut self, id: &str, waiting: Waiting) {
        self.remove(id);
        let id: Arc<str> = id.into();
        if let Some(until) = waiting.until_ms() {
            self.ends.insert((until, id.clone()));
        }
        let place = (waiting.score_ms, id.clone());
        self.queue(&waiting.resend.target).order.insert(place);
        self.waiting.insert(id, waiting);
    }

    /// It waits no longer, whatever became of it.
    pub fn remove(&mut self, id: &str) -> Option<Waiting> {
        let (id, waiting) = self.waiting.remove_entry(id)?;
        if let Some(until) = waiting.until_ms() {
            self.ends.remove(&(until, id.clone()));
        }
        if let Some(queue) = self.queues.get_mut(&waiting.resend.target) {
            queue.order.remove(&(waiting.score_ms, id));
        }
        Some(waiting)
    }

    /// Those that may not wait any longer, at most `max`. They pay like the others, so that the rest waits for them.
    pub fn ended(&mut self, now_ms: i64, max: usize) -> Vec<(String, Waiting)> {
        let ended = self.ends.iter().take_while(|(until, _)| *until <= now_ms);
        let ids: Vec<Arc<str>> = ended.take(max).map(|(_, id)| id.clone()).collect();
        ids.iter().filter_map(|id| self.leave(id)).collect()
    }

    /// Those that have a token now, at most `max`.
    pub fn released(&mut self, now: Instant, max: usize) -> Vec<(String, Waiting)> {
        let targets: Vec<String> = self.queues.keys().cloned().collect();
        let mut all = Vec::new();
        for target in targets {
            while all.len() < max {
                let Some(id) = self.next(&target, now) else {
                    break;
                };
                all.extend(self.leave(&id));
            }
        }
        self.queues.retain(|_, queue| !queue.is_idle(now));
        all
    }

    /// A re-send that went out is applied, or its record is lost.
    pub fn arrived(&mut self, target: &str) {
        if let Some(queue) = self.queues.get_mut(target) {
            queue.on_their_way = queue.on_their_way.saturating_sub(1);
        }
    }

    fn next(&mut self, target: &str, now: Instant) -> Option<Arc<str>> {
        let queue = self.queues.get_mut(target)?;
        let (_, id) = queue.order.first()?.clone();
        queue.has_turn(now).then_some(id)
    }

    fn leave(&mut self, id: &str) -> Option<(String, Waiting)> {
        let waiting = self.remove(id)?;
        self.charge(&waiting.resend);
        Some((id.to_owned(), waiting))
    }

    fn queue(&mut self, target: &str) -> &mut Queue {
        let (budget, since) = (self.budget, self.since);
        let queue = self.queues.entry(target.to_owned());
        queue.or_insert_with(|| Queue {
            bucket: Bucket::new(budget, since),
            order: BTreeSet::new(),
            on_their_way: 0,
        })
    }
}

impl Queue {
    fn has_turn(&mut self, now: Instant) -> bool {
        self.bucket.has_token(now) && f64::from(self.on_their_way) < self.bucket.burst()
    }

    fn leave(&mut self, commands: u32) {
        self.bucket.take(commands);
        self.on_their_way += 1;
    }

    /// Is there nothing that a new queue would not know?
    fn is_idle(&mut self, now: Instant) -> bool {
        self.order.is_empty() && self.on_their_way == 0 && self.bucket.is_full(now)
    }
}
