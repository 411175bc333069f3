//! What a loop tells the world: metrics and health, behind one handle per worker.
//!
//! Counts happen once per batch, after its commit.
//!
//! Absent on purpose: names of metrics and their series (see `metric`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use connectors::log::Log;
use connectors::store;
use saga_lib::effect::Note;
use saga_lib::instance::Status;
use saga_lib::lane::{LaneNo, LaneState, Worker};
use schemas::record::Partition;

use crate::http::{Component, LaneHealth};
use crate::metric::label::{
    CompensationOutcome, InputKind, RecoveryCause, SagaOutcome, Skip, Stage, StepOutcome, StoreError, StoreOp, TopicClass,
    TransactionOutcome, TransactionPhase, Trigger,
};
use crate::metric::{DefinitionMetrics, LoopMetrics, Metrics};
use crate::stats::Stats;
use crate::worker::role::{LanePlan, OutputClass};
use crate::worker::wall_ms;

/// One worker's voice.
#[derive(Clone)]
pub struct Observer {
    metrics: Metrics,
    component: Component,
    turns: Arc<LoopMetrics>,
    lanes: Arc<Mutex<BTreeMap<LaneNo, LaneState>>>,
    engine: bool,
}

impl Observer {
    /// The voice of the worker `name`.
    pub fn new(metrics: &Metrics, component: Component, name: &str, engine: bool) -> Self {
        Self { metrics: metrics.clone(), component, turns: Arc::new(metrics.loops().worker(name)), lanes: Arc::default(), engine }
    }

    /// The loop turned.
    pub fn turned(&self) {
        self.turns.turned(wall_ms());
        self.component.turned();
    }

    /// A step of the loop ended: it does not hang, however long the whole turn takes while servers are away.
    pub fn stepped(&self) {
        self.component.turned();
    }

    /// A stage of a batch took this long.
    pub fn stage(&self, stage: Stage, took: Duration) {
        self.metrics.loops().stage_duration.at(stage).observe(took.as_secs_f64());
    }

    /// A poll brought records.
    pub fn batch_records(&self, records: usize) {
        self.metrics.loops().batch_records.observe(records as f64);
    }

    /// The assignment changed.
    pub fn rebalanced(&self, partitions: usize) {
        self.metrics.kafka().rebalances.inc();
        self.metrics.kafka().assigned_partitions.set(i64::try_from(partitions).unwrap_or(i64::MAX));
    }

    /// A lane began to recover.
    pub fn recovering(&self, cause: &str) {
        let cause = match cause {
            "assigned" => RecoveryCause::Assigned,
            "refused" => RecoveryCause::Refused,
            "mismatch" => RecoveryCause::Mismatch,
            "rebuild" => RecoveryCause::Lost,
            _ => RecoveryCause::Doubt,
        };
        self.metrics.lanes().recoveries.at(cause).inc();
    }

    /// A transaction ended.
    pub fn transaction(&self, outcome: &str) {
        let outcome = match outcome {
            "committed" => TransactionOutcome::Committed,
            "fenced" => TransactionOutcome::Fenced,
            "timeout" => TransactionOutcome::Timeout,
            _ => TransactionOutcome::Aborted,
        };
        self.metrics.kafka().transactions.at(outcome).inc();
    }

    /// A part of the end of a transaction took this long.
    pub fn transaction_phase(&self, phase: TransactionPhase, took: Duration) {
        self.metrics.kafka().transaction_duration.at(phase).observe(took.as_secs_f64());
    }

    /// The store was asked.
    pub fn store_round_trip(&self, op: StoreOp, took: Duration) {
        self.metrics.redis().roundtrip.at(op).observe(took.as_secs_f64());
    }

    /// The store did not do what it was asked.
    pub fn store_error(&self, error: &store::Error) {
        self.metrics.redis().errors.at(store_error(error)).inc();
        self.component.set_problem(Some(error.to_string()));
    }

    /// The store answers again.
    pub fn store_well(&self) {
        self.component.set_problem(None);
    }

    /// A commit was refused: somebody else claimed the lane.
    pub fn fence_conflict(&self) {
        self.metrics.redis().fence_conflicts.inc();
    }

    /// A dead letter was written for a record of this topic, or a record of it had no effect.
    fn inputs(&self, topic: &str, plan: &LanePlan, stats: &Stats) {
        let of_topic = self.metrics.records().topic(topic);
        for (kind, n) in &stats.consumed {
            of_topic.consumed.at(input_kind(kind)).inc_by(*n);
        }
        for (reason, n) in &stats.skipped {
            if let Some(skip) = skip(reason) {
                of_topic.skipped.at(skip).inc_by(*n);
            }
        }
        for (format, n) in &stats.undecodable {
            for _ in 0..*n {
                self.metrics.records().decode_error(topic, format, "undecodable");
            }
        }
        for (class, n) in &stats.dead_letters {
            for _ in 0..*n {
                self.metrics.sagas().dead_letter(topic, class);
            }
        }
        for output in &plan.outputs {
            self.metrics.records().produced.at(topic_class(output.class)).inc();
        }
    }

    /// An ingress batch is committed.
    pub fn ingested(&self, topic: &str, plan: &LanePlan, stats: &Stats) {
        self.inputs(topic, plan, stats);
    }

    /// A lane's batch is committed.
    pub fn committed(&self, lane: LaneNo, topic: &str, plan: &LanePlan, stats: &Stats, counters: &BTreeMap<String, i64>) {
        self.inputs(topic, plan, stats);
        for (reference, note, age_ms) in &stats.notes {
            if let Some(of) = self.definition(reference) {
                self.note(&of, note, *age_ms);
            }
        }
        for (name, value) in counters {
            let Some((reference, status)) = name.split_once('/') else { continue };
            let status = Status::ALL.into_iter().find(|s| s.word() == status);
            if let (Some(of), Some(status)) = (self.definition(reference), status) {
                of.set_active(lane, status, *value);
            }
        }
    }

    fn definition(&self, reference: &str) -> Option<Arc<DefinitionMetrics>> {
        let (name, version) = reference.split_once('@')?;
        Some(self.metrics.definition(name, version.parse().ok()?))
    }

    fn note(&self, of: &DefinitionMetrics, note: &Note, age_ms: i64) {
        let step = |name: &str| self.metrics.sagas().step(of, name);
        match note {
            Note::Started => of.started.at(Trigger::Event).inc(),
            Note::StepStarted { step: name } => step(name).started.inc(),
            Note::Resent { step: name, .. } => step(name).retries.inc(),
            Note::StepFinished { step: name, outcome, wait_ms } => {
                let metrics = step(name);
                metrics.finished.at(step_outcome(outcome)).inc();
                metrics.wait.observe(*wait_ms as f64 / 1e3);
            }
            Note::CompensationFinished { step: name, outcome } => {
                step(name).compensations.at(compensation_outcome(outcome)).inc();
            }
            Note::Parked { kind, .. } | Note::IncidentOpened { kind, .. } => of.incident(*kind),
            Note::LateReply { .. } => of.replies_late.inc(),
            Note::Finished { status } => {
                if let Some(outcome) = saga_outcome(*status) {
                    of.finished.at(outcome).inc();
                    of.duration.at(outcome).observe(age_ms as f64 / 1e3);
                }
            }
            _ => {}
        }
    }

    /// States of the lanes, told when they changed.
    pub fn lanes(&self, states: BTreeMap<LaneNo, LaneState>) {
        let mut known = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == states {
            return;
        }
        for lane in known.keys().filter(|lane| !states.contains_key(lane)) {
            self.component.forget_lane(*lane);
            if self.engine {
                self.metrics.lanes().forget(*lane);
            }
        }
        for (lane, state) in &states {
            let health = match state {
                LaneState::Ready => LaneHealth::Ready,
                LaneState::Recovering(_) => LaneHealth::Recovering,
                LaneState::Stopped(reason) => LaneHealth::Stopped(reason.clone()),
            };
            if self.engine {
                self.metrics.lanes().set_state(*lane, health.label());
            }
            self.component.set_lane(*lane, health);
        }
        *known = states;
    }

    /// Lag of the ready lanes: records behind the watermark that a reader can reach, so without the marker of the last transaction.
    pub fn lag<L: Log>(&self, log: &mut L, topic: &str, machine: &Worker) {
        for lane in machine.states().keys() {
            let (Some(next), Ok(extent)) = (machine.ready(*lane), log.extent(&Partition::new(topic, *lane))) else { continue };
            // The newest offset may be a transaction's marker, which is no record.
            let behind = extent.stable_end - next;
            self.metrics.kafka().set_lag(topic, *lane, if behind <= 1 { 0 } else { behind });
        }
    }
}

fn store_error(error: &store::Error) -> StoreError {
    let store::Error::Refused { reason } = error else { return StoreError::Connection };
    let words = [
        ("OOM", StoreError::Oom),
        ("NOPERM", StoreError::NoPerm),
        ("READONLY", StoreError::ReadOnly),
        ("timed out", StoreError::Timeout),
    ];
    words.iter().find(|(word, _)| reason.contains(word)).map_or(StoreError::Script, |(_, kind)| *kind)
}

fn input_kind(word: &str) -> InputKind {
    match word {
        "event" => InputKind::Event,
        "reply" => InputKind::Reply,
        "timer" => InputKind::Timer,
        "signal" => InputKind::Signal,
        "expire" => InputKind::Expire,
        _ => InputKind::Unknown,
    }
}

fn skip(word: &str) -> Option<Skip> {
    match word {
        "no_match" => Some(Skip::NoMatch),
        "duplicate" => Some(Skip::Duplicate),
        "filtered" => Some(Skip::Filtered),
        "late" | "finished" => Some(Skip::Late),
        "early_timer" => Some(Skip::EarlyTimer),
        "orphan" => Some(Skip::Orphan),
        _ => None,
    }
}

fn topic_class(class: OutputClass) -> TopicClass {
    match class {
        OutputClass::Command => TopicClass::Command,
        OutputClass::Event | OutputClass::Orphan => TopicClass::Event,
        OutputClass::History => TopicClass::History,
        OutputClass::Journal | OutputClass::Header => TopicClass::Journal,
        OutputClass::Inbox => TopicClass::Inbox,
        OutputClass::DeadLetter => TopicClass::DeadLetter,
    }
}

fn step_outcome(word: &str) -> StepOutcome {
    match word {
        "succeeded" => StepOutcome::Succeeded,
        "refused" => StepOutcome::Refused,
        "skipped" => StepOutcome::Skipped,
        _ => StepOutcome::Unknown,
    }
}

fn compensation_outcome(word: &str) -> CompensationOutcome {
    match word {
        "confirmed" => CompensationOutcome::Confirmed,
        "refused" => CompensationOutcome::Refused,
        _ => CompensationOutcome::Failed,
    }
}

fn saga_outcome(status: Status) -> Option<SagaOutcome> {
    match status {
        Status::Completed => Some(SagaOutcome::Completed),
        Status::Compensated => Some(SagaOutcome::Compensated),
        Status::Terminated => Some(SagaOutcome::Terminated),
        Status::Running | Status::Compensating | Status::Parked | Status::Suspended => None,
    }
}
