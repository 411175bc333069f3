//! Executes effects over a log: polls, group offsets, and the transaction of a batch.
//!
//! Absent on purpose: what records mean, and the store (both are the role's).

use std::time::{Duration, Instant};

use connectors::log::{Bounds, Class, Error as LogError, Log};
use saga_lib::lane::{Effect, Event, Failure, LaneNo, Stable, Trouble, Waiting};
use saga_lib::mutant::{Mutant, planted};
use schemas::record::Received;

use super::role::{OutputClass, Role};
use crate::clock;
use crate::crash;
use crate::metric::label::{Label, Stage, TransactionPhase};
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
}

/// What a token of the transactional producer stands for.
struct Tag {
    lane: LaneNo,
    input: i64,
    class: OutputClass,
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

    /// B4: outputs, header last; every result is checked.
    fn produce(&mut self, lanes: Vec<LaneNo>) -> Result<Vec<i64>, Failure> {
        self.open.clone_from(&lanes);
        let mut tags = Vec::new();
        for lane in &lanes {
            self.hand_over(*lane, &mut tags)?;
        }
        let deliveries = self.log.flush().map_err(|e| self.failure(&e))?;
        let mut headers = vec![-1; lanes.len()];
        let mut failed: Option<(&Tag, LogError)> = None;
        for delivery in deliveries {
            let Some(tag) = usize::try_from(delivery.token)
                .ok()
                .and_then(|t| tags.get(t))
            else {
                continue;
            };
            match delivery.result {
                // A record that is to blame takes others of its transaction with it; blame goes to the record.
                Err(error) if failed.is_none() || error.class() == Class::Record => {
                    failed = Some((tag, error));
                }
                Ok((_, offset)) if tag.class == OutputClass::Header => {
                    let at = lanes.iter().position(|l| *l == tag.lane);
                    headers[at.unwrap_or_default()] = offset;
                }
                Ok(_) | Err(_) => {}
            }
        }
        if let Some((tag, error)) = failed
            && !planted(Mutant::DeliveriesUnchecked)
        {
            return Err(self.output_failure(tag, &error));
        }
        self.flush_plain()?;
        Ok(headers)
    }

    fn hand_over(&mut self, lane: LaneNo, tags: &mut Vec<Tag>) -> Result<(), Failure> {
        let name = self.role.name();
        let Some(plan) = self.role.planned(lane) else {
            return Err(Failure::Other("the lane has no plan".to_owned()));
        };
        let mut refused = None;
        for output in &plan.outputs {
            let tag = Tag {
                lane,
                input: output.input,
                class: output.class,
            };
            if let Err(error) = self.log.produce(&output.record, tags.len() as u64) {
                refused = Some((tag, error));
                break;
            }
            tags.push(tag);
            crash::point(name, "B4.producing");
        }
        if let Some((tag, error)) = refused {
            return Err(self.output_failure(&tag, &error));
        }
        for record in &plan.plain {
            if let Err(error) = self.log.produce_plain(record, super::role::FORWARD_TOKEN) {
                return Err(self.failure(&error));
            }
            self.forwards += 1;
        }
        Ok(())
    }

    /// A refusal that names its record costs that record; anything else costs the batch.
    fn output_failure(&mut self, tag: &Tag, error: &LogError) -> Failure {
        self.last_error = Some(error.to_string());
        match (error.class(), tag.class) {
            (Class::Record, OutputClass::DeadLetter) => Failure::DeadLetter {
                lane: tag.lane,
                reason: error.to_string(),
            },
            (Class::Record, _) => Failure::Output {
                lane: tag.lane,
                input: tag.input,
                reason: error.to_string(),
            },
            _ => self.failure(error),
        }
    }

    /// Forwarded replies are acknowledged before B5, all of them: behind the offsets nobody would forward them again.
    fn flush_plain(&mut self) -> Result<(), Failure> {
        if self.forwards == 0 || planted(Mutant::ForwardsUnchecked) {
            return Ok(());
        }
        for delivery in self.log.deliveries_plain(self.flush_wait) {
            let forward = delivery.token == super::role::FORWARD_TOKEN;
            self.role.delivered(&delivery);
            self.forwards -= usize::from(forward && self.forwards > 0);
            if let (true, Err(error)) = (forward, &delivery.result) {
                return Err(Failure::Other(format!(
                    "a reply could not be forwarded: {error}"
                )));
            }
        }
        if self.forwards > 0 {
            return Err(Failure::Other(
                "a forwarded reply was not acknowledged in time".to_owned(),
            ));
        }
        Ok(())
    }

    /// B5.
    fn send_offsets(&mut self, offsets: &[(LaneNo, i64)]) -> Event {
        crash::point(self.role.name(), "B5.before");
        let begun = Instant::now();
        let offsets: Vec<_> = offsets
            .iter()
            .map(|(lane, end)| (self.role.partition(*lane), *end))
            .collect();
        let sent = self.log.send_offsets(&offsets, &self.own_id);
        self.observer
            .transaction_phase(TransactionPhase::SendOffsets, begun.elapsed());
        Event::OffsetsSent(sent.map_err(|e| self.failure(&e)))
    }

    /// B6.
    fn commit(&mut self) -> Event {
        crash::point(self.role.name(), "B6.before");
        let begun = Instant::now();
        let committed = self.log.commit();
        self.observer
            .transaction_phase(TransactionPhase::Commit, begun.elapsed());
        let committed = committed.map_err(|e| self.failure(&e));
        if committed.is_ok() {
            crash::point(self.role.name(), "B6.committed");
            let lanes = std::mem::take(&mut self.open);
            self.role.committed(&lanes);
        }
        Event::Committed(committed)
    }

    fn abort(&mut self) -> Event {
        let aborted = self.log.abort().map_err(|e| self.failure(&e));
        crash::point(self.role.name(), "B7.aborted");
        Event::Aborted(aborted)
    }

    /// B7: a fenced process looks at its lease first.
    fn replace(&mut self) -> Event {
        if let Err(holder) = self.role.still_ours() {
            return Event::Replaced(Err(Trouble::Stop(holder)));
        }
        let replaced = self.log.replace_producers().map_err(|e| trouble(&e));
        self.forwards = 0;
        crash::point(self.role.name(), "B7.replaced");
        Event::Replaced(replaced)
    }

    /// B7: does anything of ours go through?
    fn probe(&mut self, lane: LaneNo) -> bool {
        let Some(record) = self.role.probe(lane) else {
            return false;
        };
        let went = self
            .log
            .begin()
            .and_then(|()| self.log.produce(&record, 0))
            .and_then(|()| self.log.flush());
        let acknowledged = went.is_ok_and(|deliveries| deliveries.iter().all(|d| d.result.is_ok()));
        self.log.abort().is_ok() && acknowledged
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
