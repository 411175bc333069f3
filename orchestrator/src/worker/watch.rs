//! Looks after lanes that stand still: tells, alarms, and begins their delivery again where that may help.
//!
//! Absent on purpose: when a lane is stalled (see `stall`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use connectors::log::{Error as LogError, Extent, Log};
use saga_lib::lane::{LaneNo, Worker};
use schemas::record::Partition;

use super::role::Role;
use super::stall::{Between, PATIENCE, Stall, Stalls};
use crate::metric::label::{Label, StallCause};
use crate::observe::Observer;

/// Longest wait for a record that shows that a lane is stalled.
const READ_WAIT: Duration = Duration::from_millis(250);

/// How often the same stall is told.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// One worker's watch.
#[derive(Debug)]
pub(super) struct Watch {
    stalls: Stalls,
    /// Did the last poll bring nothing?
    idle: bool,
    told: BTreeMap<LaneNo, (StallCause, Instant)>,
}

impl Watch {
    /// A watch that saw nothing yet.
    pub fn new() -> Self {
        Self::with_patience(PATIENCE)
    }

    /// The same with another patience.
    pub fn with_patience(patience: Duration) -> Self {
        Self {
            stalls: Stalls::new(patience, Instant::now()),
            idle: true,
            told: BTreeMap::new(),
        }
    }

    /// A poll brought so many records.
    pub fn polled(&mut self, records: usize) {
        self.idle = records == 0;
    }

    /// Between two polls, no transaction open.
    pub fn look<L: Log, R: Role<L>>(
        &mut self,
        (log, role): (&mut L, &R),
        observer: &Observer,
        machine: &mut Worker,
    ) {
        let now = Instant::now();
        if !self.stalls.is_due(now) {
            return;
        }
        let position = |lane| machine.ready(lane).filter(|_| !role.holds_back(lane));
        let lanes = machine.states().into_keys();
        let owned = lanes.map(|lane| (lane, position(lane))).collect();
        for (lane, at) in self.stalls.suspects(now, &owned) {
            let partition = role.partition(lane);
            let seen = match self.sight(log, (lane, at), &partition) {
                Ok(seen) => seen,
                Err(error) => {
                    tracing::debug!(?partition, %error, "Nobody knows whether a lane stands still.");
                    self.stalls.asked(lane, now);
                    // Each question waits for a broker that is away.
                    break;
                }
            };
            let stall = self.stalls.seen(now, lane, seen, self.idle);
            if stall.is_some_and(|stall| stall.cause == StallCause::NotDelivered) {
                machine.redeliver(lane);
            }
        }
        self.tell(now, role, observer);
    }

    fn sight<L: Log>(
        &self,
        log: &mut L,
        (lane, at): (LaneNo, i64),
        partition: &Partition,
    ) -> Result<(Extent, Between), LogError> {
        let extent = log.extent(partition)?;
        if !self.stalls.wants_read(lane, extent) {
            return Ok((extent, Between::Nothing));
        }
        let chunk = log.read(partition, at, extent.stable_end, 1, READ_WAIT)?;
        let between = match chunk.records.first() {
            Some(record) => Between::Record(record.offset),
            None if chunk.next >= extent.stable_end => Between::Nothing,
            None => Between::Unknown,
        };
        Ok((extent, between))
    }

    fn tell<L: Log, R: Role<L>>(&mut self, now: Instant, role: &R, observer: &Observer) {
        let stalls = self.stalls.all();
        self.told.retain(|lane, _| stalls.contains_key(lane));
        let mut reasons = BTreeMap::new();
        for (lane, stall) in stalls {
            let reason = reason(&role.partition(lane), stall);
            let known = self.told.get(&lane).is_some_and(|(cause, at)| {
                *cause == stall.cause && now.duration_since(*at) < TELL_EVERY
            });
            if !known {
                let (role, cause) = (role.name(), stall.cause.word());
                tracing::warn!(role, lane, cause, reason, "Lane stands still.");
                self.told.insert(lane, (stall.cause, now));
            }
            reasons.insert(lane, (stall.cause, reason));
        }
        observer.stalled(reasons);
    }
}

fn reason(partition: &Partition, stall: Stall) -> String {
    let Partition { topic, number } = partition;
    let Stall { cause, at, there } = stall;
    match cause {
        StallCause::NotDelivered => format!(
            "{topic}/{number} stands at offset {at} although the record at {there} can be read; its delivery is begun again"
        ),
        StallCause::OpenTransaction => format!(
            "{topic}/{number} cannot be read beyond offset {at}, although it goes on to {there}: a transaction is open; \
             find its producer (kafka-transactions.sh describe-producers --topic {topic} --partition {number}) and end it"
        ),
    }
}

#[cfg(test)]
mod tests;
