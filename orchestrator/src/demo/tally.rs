//! The tally: what an outsider sees of all sagas, counted from records and never from what the engine says of itself.
//!
//! Absent on purpose: reading (see [`super::follow`]) and judging (see [`super::summary`]).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use saga_lib::instance::Status;
use schemas::history::Fact;
use schemas::record::Received;
use schemas::{headers, history};
use xxhash_rust::xxh3::xxh3_128;

use super::shop;
use super::specimen::Specimen;

/// One order, as seen from outside.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Order {
    /// When it was placed.
    pub(super) placed: Option<Instant>,
    /// The end of its saga: final, or parked.
    pub(super) end: Option<Status>,
    /// When an end was seen first.
    pub(super) ended: Option<Instant>,
    /// Was the end published?
    pub(super) heard: bool,
}

impl Order {
    /// From being placed to its end.
    pub(super) fn latency(&self) -> Option<Duration> {
        Some(self.ended?.duration_since(self.placed?))
    }
}

/// Counts, and every order.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Orders by number.
    pub(super) orders: Vec<Order>,
    /// Commands seen.
    pub(super) commands: u64,
    /// Those with an attempt after the first.
    pub(super) resent: u64,
    /// Those whose (command id, attempt) had been seen before.
    pub(super) duplicate_commands: u64,
    /// Published ends whose id had been seen before.
    pub(super) duplicate_events: u64,
    /// A compensated saga to show.
    pub(super) specimen: Specimen,
    /// Hashes of (command id, attempt) and of event ids.
    seen: HashSet<u128>,
    ends: u32,
    last_command: Option<Instant>,
}

impl Tally {
    /// Notes that an order is being placed.
    pub(super) fn place(&mut self, number: u32) {
        let at = number as usize;
        if self.orders.len() <= at {
            self.orders.resize(at + 1, Order::default());
        }
        self.orders[at].placed = Some(Instant::now());
    }

    /// Orders whose saga stands at an end now.
    pub(super) fn ends(&self) -> u32 {
        self.ends
    }

    /// Was no command seen for this long?
    pub(super) fn is_quiet_for(&self, time: Duration) -> bool {
        self.last_command.is_none_or(|at| at.elapsed() > time)
    }

    /// Takes a record of the history.
    pub(super) fn take_fact(&mut self, record: &Received) {
        // What is no fact tells of no end, so its saga counts as lost: nothing needs to be said here.
        if let Ok(fact) = history::decode(record) {
            self.take_status(&fact);
            self.specimen.take(fact);
        }
    }

    fn take_status(&mut self, fact: &Fact) {
        let order = shop::number(&fact.saga).and_then(|at| self.orders.get_mut(at));
        let (Some(order), Some(status)) = (order, fact.status_after) else {
            return;
        };
        let end = (status.is_final() || status == Status::Parked).then_some(status);
        self.ends += u32::from(end.is_some());
        self.ends -= u32::from(order.end.is_some());
        order.end = end;
        if end.is_some() && order.ended.is_none() {
            order.ended = Some(Instant::now());
        }
    }

    /// Takes a record of a command topic.
    pub(super) fn take_command(&mut self, record: &Received) {
        let text = |name| record.headers.text(name).unwrap_or_default();
        let attempt = text(headers::ATTEMPT);
        let visible = format!("{}@{attempt}", text(headers::CE_ID));
        self.commands += 1;
        self.resent += u64::from(attempt != "1");
        self.duplicate_commands += u64::from(self.is_seen(&visible));
        self.last_command = Some(Instant::now());
    }

    /// Takes a published end.
    pub(super) fn take_event(&mut self, record: &Received) {
        let id = record.headers.text(headers::CE_ID).unwrap_or_default();
        self.duplicate_events += u64::from(self.is_seen(&format!("event {id}")));
        let key = record
            .key
            .as_deref()
            .and_then(|key| str::from_utf8(key).ok());
        let number = key.and_then(|key| key.strip_prefix("ORD-")?.parse::<usize>().ok());
        if let Some(order) = number.and_then(|at| self.orders.get_mut(at)) {
            order.heard = true;
        }
    }

    fn is_seen(&mut self, text: &str) -> bool {
        !self.seen.insert(xxh3_128(text.as_bytes()))
    }
}

/// A tally that several threads fill.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Tally>>);

impl Shared {
    /// The tally, for a moment. A panic elsewhere leaves at most one record half counted, and ends the demo anyway.
    pub(super) fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
