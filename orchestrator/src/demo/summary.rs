//! The summary: what became of a run, as numbers and as text.
//!
//! Absent on purpose: counting (see [`super::tally`]).

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use saga_lib::instance::Status;
use serde::Serialize;

use super::services::Effects;
use super::shop;
use super::tally::{Order, Tally};

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Orders placed.
    pub started: u64,
    /// Sagas whose every step has its effect.
    pub completed: u64,
    /// Sagas of which no effect is left.
    pub compensated: u64,
    /// Sagas that wait for an operator.
    pub parked: u64,
    /// Commands in the command topics.
    pub commands: u64,
    /// Those with an attempt after the first: the participant was late or silent.
    pub resent_commands: u64,
    /// Commands whose (command id, attempt) stands in the topics more than once.
    pub duplicate_commands: u64,
    /// Published ends that stand in the topic more than once.
    pub duplicate_events: u64,
    /// Orders whose saga has no end, or whose end was not published.
    pub lost: u64,
    /// Sagas whose end is contradicted by what the participants remember.
    pub ledger_conflicts: u64,
    /// Half of the sagas ended within this time of their order.
    pub p50_ms: f64,
    /// 99 of 100 sagas ended within this time of their order.
    pub p99_ms: f64,
    /// Sagas per second, up to the moment when 95 of 100 had ended.
    pub sagas_per_s: f64,
    /// From the first order to the last end.
    pub elapsed_ms: u64,
    /// Seed of the participants' behaviour.
    pub seed: u64,
    /// Does anything of the run outlive it?
    pub durable: bool,
}

impl Summary {
    /// Sums a run up.
    pub(super) fn of(tally: &Tally, effects: &Effects, seed: u64, durable: bool) -> Self {
        let orders = &tally.orders;
        let ended = |status| orders.iter().filter(|o| o.end == Some(status)).count() as u64;
        let latencies = latencies(orders);
        let (sagas_per_s, elapsed) = pace(orders);
        let milliseconds = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            started: orders.len() as u64,
            completed: ended(Status::Completed),
            compensated: ended(Status::Compensated),
            parked: ended(Status::Parked),
            commands: tally.commands,
            resent_commands: tally.resent,
            duplicate_commands: tally.duplicate_commands,
            duplicate_events: tally.duplicate_events,
            lost: orders.iter().filter(|order| is_lost(order)).count() as u64,
            ledger_conflicts: conflicts(orders, effects),
            p50_ms: milliseconds(0.5),
            p99_ms: milliseconds(0.99),
            sagas_per_s: (sagas_per_s * 10.0).round() / 10.0,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            seed,
            durable,
        }
    }

    /// Promises that were not kept, in words; empty if all were.
    pub fn broken_promises(&self) -> Vec<String> {
        let counted = [
            (self.duplicate_commands, "duplicate commands"),
            (self.duplicate_events, "duplicate events"),
            (self.lost, "lost sagas"),
            (
                self.ledger_conflicts,
                "sagas whose end contradicts the participants' ledgers",
            ),
        ];
        let broken = counted.into_iter().filter(|(count, _)| *count > 0);
        broken
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}

fn is_lost(order: &Order) -> bool {
    order.end.is_none() || !order.heard
}

fn conflicts(orders: &[Order], effects: &Effects) -> u64 {
    let ends = (0..)
        .zip(orders)
        .filter_map(|(number, o)| Some((number, o.end?)));
    let conflicts = ends.filter(|(number, end)| effects.contradict(&shop::saga(*number), *end));
    conflicts.count() as u64
}

fn latencies(orders: &[Order]) -> Histogram<u64> {
    let mut histogram = Histogram::new(3).expect("three digits are possible");
    for latency in orders.iter().filter_map(Order::latency) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        // The histogram grows as it has to; a value that it cannot hold would be longer than a year.
        let _ = histogram.record(micros);
    }
    histogram
}

/// Sagas per second until 95 of 100 had ended, and the time until all had. Those that wait for a silent participant end by its time
/// limits, not by what the engine can do.
fn pace(orders: &[Order]) -> (f64, Duration) {
    let first = orders.iter().filter_map(|order| order.placed).min();
    let mut ends: Vec<Instant> = orders.iter().filter_map(|order| order.ended).collect();
    ends.sort();
    let (Some(first), Some(last)) = (first, ends.last()) else {
        return (0.0, Duration::ZERO);
    };
    let most = (ends.len() * 95).div_ceil(100);
    let time = ends[most - 1].duration_since(first);
    (
        most as f64 / time.as_secs_f64().max(1e-9),
        last.duration_since(first),
    )
}
