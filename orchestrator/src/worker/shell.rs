//! Executes effects over a log: polls, group offsets, and the transaction of a batch.
//!
//! Absent on purpose: what records mean, and the store (both are the role's); the steps of a transaction (see `transact`).

mod transact;

use std::time::{Duration, Instant};

use connectors::log::{Bounds, Class, Error as LogError, Log};
use saga_lib::lane::{Effect, Event, Failure, LaneNo, Stable, Trouble, Waiting};
use schemas::record::Received;

use super::role::Role;
use super::watch::Watch;
use crate::clock;
use crate::crash;
use crate::metric::label::{Label, Stage};
use crate::observe::Observer;

/// Longest wait for a stable committed offset within one recovery step.
const OFFSET_WAIT: Duration = Duration::from_millis(100);

/// A step that takes longer is told.
const SLOW: Duration = Duration::from_secs(3);

/// One worker's hands.
pub struct Shell<L: Log, R: Role<L>> {
    /// The log.
    pub log: L,
    /// Engine or ingress.
    pub role: R,
    observer: Observer,
    bounds: Bounds,
    own_id: String,
    flush_wait: Duration,
    /// Lanes of the transaction that is open.
    open: Vec<LaneNo>,
    /// Forwarded replies handed over and not yet acknowledged.
    forwards: usize,
    last_error: Option<String>,
    pub(super) watch: Watch,
}

impl<L: Log, R: Role<L>> Shell<L, R> {
    /// A shell over an open log.
    pub fn new(
        log: L,
        role: R,
        observer: Observer,
        bounds: Bounds,
        own_id: String,
        flush_wait: Duration,
    ) -> Self {
        Self {
            log,
            role,
            observer,
            bounds,
            own_id,
            flush_wait,
            open: Vec::new(),
            forwards: 0,
            last_error: None,
            watch: Watch::new(),
        }
    }

    /// Does what is told and not answered.
    ///
    /// # Errors
    /// [`super::Error::NameTaken`].
    pub fn told(&mut self, effect: Effect) -> Result<(), super::Error> {
        match effect {
            Effect::Forget { lane } => {
                let partition = self.role.partition(lane);
                self.role.forget(lane);
                if let Err(error) = self.log.pause(&partition) {
                    tracing::debug!(lane, %error, "Partition could not be paused.");
                }
            }
            Effect::Recovering { lane, cause } => {
                tracing::info!(role = self.role.name(), lane, cause, "Lane recovers.");
                self.observer.recovering(cause);
            }
            Effect::Ready { lane } => {
                tracing::info!(role = self.role.name(), lane, "Lane is ready.");
                self.role.ready(lane);
            }
            Effect::Stopped { lane, reason } => {
                tracing::error!(role = self.role.name(), lane, partition = ?self.role.partition(lane), reason, "Lane stopped; somebody must act.");
            }
            Effect::Warn { lane, message } => {
                tracing::warn!(role = self.role.name(), lane, message, "Lane warns.")
            }
            Effect::Transaction { outcome } => {
                self.observer.transaction(outcome);
                if outcome != "committed" {
                    let error = self.last_error.take().unwrap_or_default();
                    tracing::warn!(
                        role = self.role.name(),
                        outcome,
                        error,
                        "Transaction did not commit; its lanes recover."
                    );
                }
            }
            Effect::Exit { reason } => return Err(super::Error::NameTaken { reason }),
            _ => {}
        }
        Ok(())
    }

    /// What is done before a poll, while no transaction is open.
    pub fn between(&mut self, machine: &mut saga_lib::lane::Worker) {
        self.observer.turned();
        let begun = Instant::now();
        self.role.between(&mut self.log, machine);
        let hands = (&mut self.log, &self.role);
        self.watch.look(hands, &self.observer, machine);
        self.stepped("between two polls", begun);
    }

    fn stepped(&self, what: &str, begun: Instant) {
        self.observer.stepped();
        let took = begun.elapsed();
        if took > SLOW {
            tracing::warn!(
                role = self.role.name(),
                what,
                seconds = took.as_secs(),
                "Step took long; a server does not answer in time."
            );
        }
    }

    /// Executes the effect that is answered.
    pub fn execute(&mut self, effect: Effect) -> Event {
        let name = self.role.name();
        let begun = Instant::now();
        let (stage, event) = match effect {
            Effect::Poll { wait_ms } => (Stage::Poll, self.poll(wait_ms)),
            Effect::ReadOffset { lane } => (Stage::Load, self.read_offset(lane)),
            Effect::Fence { ids } => (Stage::Load, self.fence(&ids)),
            Effect::Start { lane, offset } => (Stage::Load, self.start(lane, offset)),
            Effect::Plan {
                lanes,
                refused,
                set_aside,
            } => (
                Stage::Decide,
                Event::Planned(self.role.plan(
                    &mut self.log,
                    &lanes,
                    &refused,
                    set_aside.as_deref(),
                )),
            ),
            Effect::Begin => (
                Stage::Produce,
                Event::Begun(self.log.begin().map_err(|e| self.failure(&e))),
            ),
            Effect::Produce { lanes } => (Stage::Produce, Event::Produced(self.produce(lanes))),
            Effect::SendOffsets { offsets } => (Stage::Commit, self.send_offsets(&offsets)),
            Effect::CommitTransaction => (Stage::Commit, self.commit()),
            Effect::Abort => (Stage::Commit, self.abort()),
            Effect::ReplaceProducers => (Stage::Commit, self.replace()),
            Effect::Probe { lane } => (Stage::Commit, Event::Probed(self.probe(lane))),
            other => (Stage::Load, self.role.execute(&mut self.log, other)),
        };
        self.observer.stage(stage, begun.elapsed());
        self.stepped(stage.word(), begun);
        crash_after(name, &event);
        event
    }

    /// B1.
    fn poll(&mut self, wait_ms: u64) -> Event {
        let bounds = Bounds {
            wait: Duration::from_millis(wait_ms),
            ..self.bounds
        };
        let polled = match self.log.poll(bounds) {
            Ok(polled) => polled,
            Err(LogError::OutOfRange { partition, reason }) => {
                let broken = self.role.lane(&partition).map(|lane| (lane, reason));
                return Event::Polled {
                    assigned: None,
                    waiting: Vec::new(),
                    broken: broken.into_iter().collect(),
                };
            }
            Err(error) => {
                tracing::warn!(%error, "Poll failed.");
                clock::sleep(Duration::from_millis(wait_ms.clamp(10, 100)));
                return Event::Polled {
                    assigned: None,
                    waiting: Vec::new(),
                    broken: Vec::new(),
                };
            }
        };
        let assigned = polled.assigned.map(|partitions| {
            self.observer.rebalanced(partitions.len());
            tracing::info!(
                role = self.role.name(),
                partitions = partitions.len(),
                "Assignment changed."
            );
            self.role.assigned(&mut self.log, &partitions)
        });
        Event::Polled {
            assigned,
            waiting: self.sort(polled.records),
            broken: Vec::new(),
        }
    }

    /// Groups records by lane, in offset order.
    fn sort(&mut self, records: Vec<Received>) -> Vec<Waiting> {
        let mut lanes: std::collections::BTreeMap<LaneNo, Vec<Received>> =
            std::collections::BTreeMap::new();
        self.watch.polled(records.len());
        if !records.is_empty() {
            self.observer.batch_records(records.len());
        }
        for record in records {
            if let Some(lane) = self.role.lane(&record.partition) {
                lanes.entry(lane).or_default().push(record);
            }
        }
        let mut waiting = Vec::with_capacity(lanes.len());
        for (lane, records) in lanes {
            let end = records.last().map_or(0, |r| r.offset + 1);
            waiting.push(Waiting {
                lane,
                records: u32::try_from(records.len()).unwrap_or(u32::MAX),
                end,
            });
            self.role.keep(lane, records);
        }
        self.role.waiting(&mut self.log, waiting)
    }

    /// R2.
    fn read_offset(&mut self, lane: LaneNo) -> Event {
        let partition = self.role.partition(lane);
        let committed = self.log.committed(&partition, OFFSET_WAIT);
        if let Ok(committed) = &committed {
            self.role.met(&committed.metadata);
        }
        Event::Offset(
            committed
                .map(|c| Stable {
                    offset: c.offset,
                    owner: c.metadata,
                })
                .map_err(|e| trouble(&e)),
        )
    }

    /// R2: ends what dead owners left open.
    fn fence(&mut self, ids: &[String]) -> Event {
        for id in ids.iter().filter(|id| **id != self.own_id) {
            match self.log.fence(id) {
                Ok(()) => tracing::info!(
                    transactional_id = id,
                    "Open transaction of a dead owner ended."
                ),
                Err(error) => {
                    tracing::warn!(transactional_id = id, %error, "Dead owner could not be fenced.")
                }
            }
        }
        Event::Fenced
    }

    fn start(&mut self, lane: LaneNo, offset: i64) -> Event {
        let partition = self.role.partition(lane);
        self.role.rewind(lane);
        tracing::debug!(
            role = self.role.name(),
            lane,
            offset,
            "Lane delivers from here."
        );
        Event::Started(self.log.start(&partition, offset).map_err(|e| trouble(&e)))
    }

    fn failure(&mut self, error: &LogError) -> Failure {
        self.last_error = Some(error.to_string());
        match error.class() {
            Class::Ownership => Failure::Ownership(error.to_string()),
            Class::Record | Class::Batch | Class::Retry | Class::Doubt => {
                Failure::Other(error.to_string())
            }
        }
    }
}

/// Trouble of a recovery step.
pub(crate) fn trouble(error: &LogError) -> Trouble {
    match error {
        LogError::Held => Trouble::Held,
        LogError::OutOfRange { .. } => Trouble::Stop(format!(
            "{error}; the partition does not hold what was committed"
        )),
        _ => Trouble::Later(error.to_string()),
    }
}

fn crash_after(role: &str, event: &Event) {
    let name = match event {
        Event::Polled { waiting, .. } if !waiting.is_empty() => "B1.polled",
        Event::Rounded(Ok(round)) if !round.positions.is_empty() => "B2.loaded",
        Event::Planned(_) => "B3.planned",
        Event::Begun(Ok(())) => "B4.begun",
        Event::Produced(Ok(_)) => "B4.flushed",
        Event::OffsetsSent(Ok(())) => "B5.sent",
        Event::Claimed(Ok(_)) => "R1.claimed",
        Event::Offset(Ok(_)) => "R2.offset",
        Event::JournalRead(Ok(_)) => "R4.journal",
        Event::Applied(Ok(_)) => "R5.applied",
        Event::Started(Ok(())) => "R5.started",
        _ => return,
    };
    crash::point(role, name);
}
