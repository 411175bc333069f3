//! What a loop tells the world: metrics and health, behind one handle per worker.
//!
//! Counts happen once per batch, after its commit.
//!
//! Absent on purpose: names of metrics and their series (see `metric`).

mod label;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use connectors::log::Log;
use connectors::store;
use saga_lib::effect::Note;
use saga_lib::instance::{IncidentKind, Status};
use saga_lib::lane::{LaneNo, LaneState, Worker};
use schemas::record::Partition;

use crate::http::{Component, LaneHealth};
use crate::metric::label::{
    Label, RecoveryCause, Stage, StallCause, StoreOp, TransactionOutcome, TransactionPhase, Trigger,
};
use crate::metric::{DefinitionMetrics, LoopMetrics, Metrics};
use crate::stats::Stats;
use crate::worker::role::LanePlan;
use crate::worker::wall_ms;

use label::{
    compensation_outcome, input_kind, saga_outcome, skip, step_outcome, store_error, topic_class,
};

/// Partitions named in one sentence at most.
const NAMED_MAX: usize = 10;

/// One worker's voice.
#[derive(Clone)]
pub struct Observer {
    metrics: Metrics,
    component: Component,
    turns: Arc<LoopMetrics>,
    lanes: Arc<Mutex<BTreeMap<LaneNo, LaneState>>>,
    /// Partitions of this worker's last assignment.
    assigned: Arc<AtomicI64>,
    /// The store did not answer lately.
    troubled: Arc<AtomicBool>,
    /// Definitions counted so far, to take a lost lane's instances out of their gauges.
    definitions: Arc<Mutex<BTreeMap<String, Arc<DefinitionMetrics>>>>,
    /// Lanes that stand still, and why.
    stalls: Arc<Mutex<BTreeMap<LaneNo, (StallCause, String)>>>,
    /// Lanes whose lag was told.
    lagging: Arc<Mutex<BTreeSet<LaneNo>>>,
    engine: bool,
}

impl Observer {
    /// The voice of the worker `name`.
    pub fn new(metrics: &Metrics, component: Component, name: &str, engine: bool) -> Self {
        Self {
            metrics: metrics.clone(),
            component,
            turns: Arc::new(metrics.loops().worker(name)),
            lanes: Arc::default(),
            assigned: Arc::default(),
            troubled: Arc::default(),
            definitions: Arc::default(),
            stalls: Arc::default(),
            lagging: Arc::default(),
            engine,
        }
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
        self.metrics
            .loops()
            .stage_duration
            .at(stage)
            .observe(took.as_secs_f64());
    }

    /// A poll brought records.
    pub fn batch_records(&self, records: usize) {
        self.metrics.loops().batch_records.observe(records as f64);
    }

    /// The assignment changed.
    pub fn rebalanced(&self, partitions: usize) {
        self.metrics.kafka().rebalances.inc();
        let now = i64::try_from(partitions).unwrap_or(i64::MAX);
        let before = self.assigned.swap(now, Ordering::Relaxed);
        self.metrics.kafka().assigned_partitions.add(now - before);
    }

    /// A lane began to recover.
    pub fn recovering(&self, cause: &str) {
        let cause = match cause {
            "assigned" => RecoveryCause::Assigned,
            "refused" => RecoveryCause::Refused,
            "mismatch" => RecoveryCause::Mismatch,
            "rebuild" => RecoveryCause::Lost,
            "stalled" => RecoveryCause::Stalled,
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
        self.metrics
            .kafka()
            .transaction_duration
            .at(phase)
            .observe(took.as_secs_f64());
    }

    /// The store was asked.
    pub fn store_round_trip(&self, op: StoreOp, took: Duration) {
        self.metrics
            .redis()
            .roundtrip
            .at(op)
            .observe(took.as_secs_f64());
    }

    /// The store did not do what it was asked.
    pub fn store_error(&self, error: &store::Error) {
        self.metrics.redis().errors.at(store_error(error)).inc();
        self.troubled.store(true, Ordering::Relaxed);
        self.component.set_problem(Some(error.to_string()));
    }

    /// The store answers again, or whatever the problem was is over.
    pub fn store_well(&self) {
        if self.troubled.swap(false, Ordering::Relaxed) {
            self.component.set_problem(None);
        }
    }

    /// A commit was refused: somebody else claimed the lane.
    pub fn fence_conflict(&self) {
        self.metrics.redis().fence_conflicts.inc();
    }

    /// A dead letter was written for a record of this topic, or a record of it had no effect.
    fn inputs(&self, topic: &str, plan: &LanePlan, stats: &Stats) {
        let of_topic = self.metrics.records().topic(topic);
        let now_ms = wall_ms();
        for (kind, time_ms) in &stats.arrived {
            let kind = input_kind(kind);
            of_topic.consumed.at(kind).inc();
            let age_s = (now_ms - time_ms).max(0) as f64 / 1e3;
            self.metrics.loops().record_e2e.at(kind).observe(age_s);
        }
        for (reason, n) in &stats.skipped {
            if let Some(skip) = skip(reason) {
                of_topic.skipped.at(skip).inc_by(*n);
            }
        }
        for (format, n) in &stats.undecodable {
            for _ in 0..*n {
                self.metrics
                    .records()
                    .decode_error(topic, format, "undecodable");
            }
        }
        for (class, n) in &stats.dead_letters {
            for _ in 0..*n {
                self.metrics.sagas().dead_letter(topic, class);
            }
        }
        for ((original, outcome), n) in &stats.redriven {
            self.metrics.sagas().replayed(original, *outcome, *n);
        }
        for output in &plan.outputs {
            self.metrics
                .records()
                .produced
                .at(topic_class(output.class))
                .inc();
        }
    }

    /// An ingress batch is committed.
    pub fn ingested(&self, topic: &str, plan: &LanePlan, stats: &Stats) {
        self.inputs(topic, plan, stats);
    }

    /// A lane's batch is committed.
    pub fn committed(
        &self,
        lane: LaneNo,
        topic: &str,
        plan: &LanePlan,
        stats: &Stats,
        counters: &BTreeMap<String, i64>,
    ) {
        self.inputs(topic, plan, stats);
        for (reference, note, age_ms) in &stats.notes {
            if let Some(of) = self.definition(reference) {
                self.note(&of, note, *age_ms);
            }
        }
        for ((reference, reason), n) in &stats.replies {
            let Some(of) = self.definition(reference) else {
                continue;
            };
            match *reason {
                "duplicate" => of.replies_duplicate.inc_by(*n),
                "orphan" => of.replies_orphaned.inc_by(*n),
                _ => of.replies_late.inc_by(*n),
            }
        }
        self.stored(lane, counters);
    }

    /// Gauges of what a lane stores.
    fn stored(&self, lane: LaneNo, counters: &BTreeMap<String, i64>) {
        let mut timers = 0;
        for (name, value) in counters {
            let Some((reference, what)) = name.split_once('/') else {
                continue;
            };
            let Some(of) = self.definition(reference) else {
                continue;
            };
            if let Some(kind) = what.strip_prefix('!') {
                let kind = IncidentKind::ALL.into_iter().find(|k| k.word() == kind);
                kind.into_iter()
                    .for_each(|k| of.set_incidents_open(lane, k, *value));
            }
            if let Some(status) = Status::ALL.into_iter().find(|s| s.word() == what) {
                of.set_active(lane, status, *value);
                // Every stored instance has one entry; a parked one waits for nobody but an operator.
                timers += if status == Status::Parked { 0 } else { *value };
            }
        }
        self.metrics.lanes().timers_pending.set(lane, timers);
    }

    /// A timer that was due at `due_ms` is written into the inbox now.
    pub fn timer_written(&self, due_ms: i64, now_ms: i64) {
        let late = (now_ms - due_ms).max(0);
        self.metrics
            .lanes()
            .timer_lateness
            .observe(late as f64 / 1e3);
    }

    /// A re-send to this target has to wait for a token.
    pub fn resend_delayed(&self, target: &str) {
        self.metrics.lanes().resend_delayed(target);
    }

    /// How many re-sends of a lane wait for a token.
    pub fn resends_waiting(&self, lane: LaneNo, waiting: usize) {
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        self.metrics.lanes().resends_waiting.set(lane, waiting);
    }

    fn definition(&self, reference: &str) -> Option<Arc<DefinitionMetrics>> {
        let mut known = self
            .definitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(of) = known.get(reference) {
            return Some(Arc::clone(of));
        }
        let (name, version) = reference.split_once('@')?;
        let of = self.metrics.definition(name, version.parse().ok()?);
        known.insert(reference.to_owned(), Arc::clone(&of));
        Some(of)
    }

    fn note(&self, of: &DefinitionMetrics, note: &Note, age_ms: i64) {
        let step = |name: &str| self.metrics.sagas().step(of, name);
        match note {
            Note::Started => of.started.at(Trigger::Event).inc(),
            Note::StepStarted { step: name } => step(name).started.inc(),
            Note::Resent { step: name, .. } => step(name).retries.inc(),
            Note::StepFinished {
                step: name,
                outcome,
                wait_ms,
            } => {
                let metrics = step(name);
                metrics.finished.at(step_outcome(outcome)).inc();
                metrics.wait.observe(*wait_ms as f64 / 1e3);
            }
            Note::CompensationFinished {
                step: name,
                outcome,
            } => {
                step(name)
                    .compensations
                    .at(compensation_outcome(outcome))
                    .inc();
            }
            Note::Parked { kind, .. } | Note::IncidentOpened { kind, .. } => of.incident(*kind),
            Note::Milestone { name, .. } => {
                self.metrics.business().milestone(&of.name, name, age_ms);
            }
            Note::ServiceLevelMet { step } => {
                self.metrics.business().service_level(&of.name, step, true);
            }
            Note::ServiceLevelMissed { step } => {
                self.metrics.business().service_level(&of.name, step, false);
            }
            Note::Measured { values } => {
                for (measure, value) in values {
                    self.metrics.business().value(&of.name, measure, value);
                }
            }
            Note::Finished { status } => {
                if let Some(outcome) = saga_outcome(*status) {
                    of.finished.at(outcome).inc();
                    of.duration.at(outcome).observe(age_ms as f64 / 1e3);
                }
            }
            _ => {}
        }
    }

    /// Source partitions that wait for a schema, and what is wrong with the registry. A schema that is just being fetched is no problem.
    pub fn sources_held(&self, held: &[&Partition], trouble: Option<String>) {
        let gauge = &self.metrics.kafka().sources_held;
        gauge.set(i64::try_from(held.len()).unwrap_or(i64::MAX));
        match trouble.filter(|_| !held.is_empty()) {
            Some(reason) => {
                self.troubled.store(true, Ordering::Relaxed);
                let problem = format!("{} wait for a schema: {reason}", named(held));
                self.component.set_problem(Some(problem));
            }
            None => self.store_well(),
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
                let definitions = self
                    .definitions
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                definitions.values().for_each(|of| of.forget_lane(*lane));
            }
        }
        for (lane, state) in &states {
            self.lane(*lane, state);
        }
        *known = states;
    }

    fn lane(&self, lane: LaneNo, state: &LaneState) {
        let health = match state {
            LaneState::Ready => self
                .stall_of(lane)
                .map_or(LaneHealth::Ready, LaneHealth::Waiting),
            LaneState::Recovering(_) => LaneHealth::Recovering,
            LaneState::Stopped(reason) => LaneHealth::Stopped(reason.clone()),
        };
        if self.engine {
            self.metrics.lanes().set_state(lane, health.label());
        }
        self.component.set_lane(lane, health);
    }

    /// What keeps a ready lane from being one. A transaction of somebody else in a business topic is alarmed, but a process that is
    /// not ready for it would be restarted in vain.
    fn stall_of(&self, lane: LaneNo) -> Option<String> {
        let stalls = self.stalls.lock().unwrap_or_else(PoisonError::into_inner);
        let (cause, reason) = stalls.get(&lane)?;
        let ours = self.engine || *cause == StallCause::NotDelivered;
        ours.then(|| reason.clone())
    }

    /// All lanes that stand still although their partition goes on, and why.
    pub fn stalled(&self, now: BTreeMap<LaneNo, (StallCause, String)>) {
        let before = {
            let mut known = self.stalls.lock().unwrap_or_else(PoisonError::into_inner);
            if *known == now {
                return;
            }
            std::mem::replace(&mut *known, now.clone())
        };
        for &cause in StallCause::ALL {
            let count = |stalls: &BTreeMap<LaneNo, (StallCause, String)>| {
                let of = stalls.values().filter(|(known, _)| *known == cause).count();
                i64::try_from(of).unwrap_or(i64::MAX)
            };
            let gauge = self.metrics.lanes().stalled.at(cause);
            gauge.add(count(&now) - count(&before));
        }
        let known = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let touched: BTreeSet<_> = before.keys().chain(now.keys()).collect();
        for lane in touched {
            if let Some(state) = known.get(lane) {
                self.lane(*lane, state);
            }
        }
    }

    /// Lag of the ready lanes: offsets behind the watermark that a reader can reach, less the marker of the last transaction, which is
    /// no record.
    pub fn lag<L: Log>(&self, log: &mut L, topic: &str, machine: &Worker) {
        let states = machine.states();
        self.forget_lag(topic, states.keys().copied().collect());
        for lane in states.keys() {
            let Some(next) = machine.ready(*lane) else {
                continue;
            };
            // Each question waits for a broker that is away.
            let Ok(extent) = log.extent(&Partition::new(topic, *lane)) else {
                break;
            };
            let behind = (extent.stable_end - next - 1).max(0);
            self.metrics.kafka().set_lag(topic, *lane, behind);
        }
    }

    /// Lanes that were lost: their new owner tells their lag.
    fn forget_lag(&self, topic: &str, owned: BTreeSet<LaneNo>) {
        let mut known = self.lagging.lock().unwrap_or_else(PoisonError::into_inner);
        for lane in known.difference(&owned) {
            self.metrics.kafka().forget_lag(topic, *lane);
        }
        *known = owned;
    }
}

/// `2 source partitions (orders/0, orders/7)`; many are not all named.
fn named(partitions: &[&Partition]) -> String {
    let shown = partitions.iter().take(NAMED_MAX);
    let names: Vec<_> = shown.map(|p| format!("{}/{}", p.topic, p.number)).collect();
    let more = if partitions.len() > NAMED_MAX {
        ", ..."
    } else {
        ""
    };
    let count = partitions.len();
    format!("{count} source partitions ({}{more})", names.join(", "))
}
