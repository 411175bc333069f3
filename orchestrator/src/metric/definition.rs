//! Layer 2: sagas, steps, compensations, incidents, dead letters.
//!
//! Absent on purpose: an outcome label on step histograms; it would multiply their series.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec};
use saga_lib::instance::{IncidentKind, Status};

use super::Error;
use super::gauge::LaneSum;
use super::guard::Guarded;
use super::label::{
    CompensationOutcome, Family, Label, ReplayOutcome, SagaOutcome, StepOutcome, Trigger,
};
use super::register::Register;

type Counters = Guarded<IntCounterVec>;
type Histograms = Guarded<HistogramVec>;

/// The metrics of all definitions; [`super::Metrics::definition`] binds those of one.
pub struct Sagas {
    started: Counters,
    finished: Counters,
    active: Guarded<IntGaugeVec>,
    duration: Histograms,
    steps_started: Counters,
    steps_finished: Counters,
    step_wait: Histograms,
    step_retries: Counters,
    replies_late: Counters,
    replies_duplicate: Counters,
    replies_orphaned: Counters,
    compensations: Counters,
    incidents_open: Guarded<IntGaugeVec>,
    incidents: Counters,
    dead_letters: Counters,
    replayed: Counters,
}

impl Sagas {
    pub(super) fn new(r: &Register<'_>) -> Result<Self, Error> {
        let make = Make(r);
        Ok(Self {
            started: make.counters(SAGAS_STARTED, &["def", "ver", "trigger"], 2)?,
            finished: make.counters(SAGAS_FINISHED, &["def", "ver", "outcome"], 2)?,
            active: make.gauges(SAGAS_ACTIVE, &["def", "ver", "state"], 2)?,
            duration: make.histograms(SAGA_DURATION, &["def", "outcome"], 1, LONG)?,
            steps_started: make.counters(STEPS_STARTED, &["def", "step"], 2)?,
            steps_finished: make.counters(STEPS_FINISHED, &["def", "step", "outcome"], 2)?,
            step_wait: make.histograms(STEP_WAIT, &["def", "step"], 2, WAIT)?,
            step_retries: make.counters(STEP_RETRIES, &["def", "step"], 2)?,
            replies_late: make.counters(REPLIES_LATE, &["def"], 1)?,
            replies_duplicate: make.counters(REPLIES_DUPLICATE, &["def"], 1)?,
            replies_orphaned: make.counters(REPLIES_ORPHANED, &["def"], 1)?,
            compensations: make.counters(COMPENSATIONS, &["def", "step", "outcome"], 2)?,
            incidents_open: make.gauges(INCIDENTS_OPEN, &["def", "kind"], 1)?,
            incidents: make.counters(INCIDENTS, &["def", "kind"], 1)?,
            dead_letters: make.counters(DEAD_LETTERS, &["source_topic", "reason"], 2)?,
            replayed: make.counters(REPLAYED, &["topic", "outcome"], 1)?,
        })
    }

    /// Counts a record that was set aside. `reason` is its closed class.
    pub fn dead_letter(&self, source_topic: &str, reason: &str) {
        self.dead_letters.with(&[source_topic, reason]).inc();
    }

    /// Counts dead letters of this original topic that were sent back.
    pub fn replayed(&self, topic: &str, outcome: ReplayOutcome, records: u64) {
        self.replayed.with(&[topic, outcome.word()]).inc_by(records);
    }

    pub(super) fn bind(&self, name: &str, version: u32) -> DefinitionMetrics {
        let ver = version.to_string();
        DefinitionMetrics {
            started: Family::bind_with(|trigger| self.started.with(&[name, &ver, trigger])),
            finished: Family::bind_with(|outcome| self.finished.with(&[name, &ver, outcome])),
            duration: Family::bind_with(|outcome| self.duration.with(&[name, outcome])),
            active: Status::ALL
                .iter()
                .filter(|status| !status.is_final())
                .map(|status| {
                    let gauge = self.active.with(&[name, &ver, status.word()]);
                    (*status, LaneSum::new(gauge))
                })
                .collect(),
            replies_late: self.replies_late.with(&[name]),
            replies_duplicate: self.replies_duplicate.with(&[name]),
            replies_orphaned: self.replies_orphaned.with(&[name]),
            steps: Mutex::default(),
            incidents: IncidentKind::ALL
                .into_iter()
                .map(|kind| (kind, self.incidents.with(&[name, kind.word()])))
                .collect(),
            incidents_open: IncidentKind::ALL
                .into_iter()
                .map(|kind| {
                    let gauge = self.incidents_open.with(&[name, kind.word()]);
                    (kind, LaneSum::new(gauge))
                })
                .collect(),
            name: name.to_owned(),
        }
    }

    /// Binds the children of a step. `of` remembers them, so later calls for the step cost one look-up.
    pub fn step(&self, of: &DefinitionMetrics, step: &str) -> Arc<StepMetrics> {
        let mut steps = of.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = steps.get(step) {
            return known.clone();
        }
        let bound = Arc::new(self.bind_step(&of.name, step));
        steps.insert(step.to_owned(), bound.clone());
        bound
    }

    fn bind_step(&self, name: &str, step: &str) -> StepMetrics {
        StepMetrics {
            started: self.steps_started.with(&[name, step]),
            finished: Family::bind_with(|outcome| self.steps_finished.with(&[name, step, outcome])),
            wait: self.step_wait.with(&[name, step]),
            retries: self.step_retries.with(&[name, step]),
            compensations: Family::bind_with(|outcome| {
                self.compensations.with(&[name, step, outcome])
            }),
        }
    }
}

/// The children of one version of a definition.
pub struct DefinitionMetrics {
    /// `skald_sagas_started_total{def, ver, trigger}`.
    pub started: Family<Trigger, IntCounter>,
    /// `skald_sagas_finished_total{def, ver, outcome}`.
    pub finished: Family<SagaOutcome, IntCounter>,
    /// `skald_saga_duration_seconds{def, outcome}`.
    pub duration: Family<SagaOutcome, Histogram>,
    /// `skald_replies_late_total{def}`.
    pub replies_late: IntCounter,
    /// `skald_replies_duplicate_total{def}`.
    pub replies_duplicate: IntCounter,
    /// `skald_replies_orphaned_total{def}`.
    pub replies_orphaned: IntCounter,
    /// Name of the definition.
    pub name: String,
    active: HashMap<Status, LaneSum>,
    incidents: HashMap<IncidentKind, IntCounter>,
    incidents_open: HashMap<IncidentKind, LaneSum>,
    steps: Mutex<HashMap<String, Arc<StepMetrics>>>,
}

impl DefinitionMetrics {
    /// `skald_sagas_active{def, ver, state}`: the lane's instances in this status. A final status is not active and ignored.
    pub fn set_active(&self, lane: u32, status: Status, instances: i64) {
        if let Some(sum) = self.active.get(&status) {
            sum.set(lane, instances);
        }
    }

    /// `skald_incidents_total{def, kind}`.
    pub fn incident(&self, kind: IncidentKind) {
        if let Some(counter) = self.incidents.get(&kind) {
            counter.inc();
        }
    }

    /// `skald_incidents_open{def, kind}`: the lane's open incidents.
    pub fn set_incidents_open(&self, lane: u32, kind: IncidentKind, open: i64) {
        if let Some(sum) = self.incidents_open.get(&kind) {
            sum.set(lane, open);
        }
    }

    /// The lane is no longer ours: its instances are counted elsewhere.
    pub fn forget_lane(&self, lane: u32) {
        self.active.values().for_each(|sum| sum.forget(lane));
        self.incidents_open
            .values()
            .for_each(|sum| sum.forget(lane));
    }
}

/// The children of one step.
pub struct StepMetrics {
    /// `skald_steps_started_total{def, step}`.
    pub started: IntCounter,
    /// `skald_steps_finished_total{def, step, outcome}`.
    pub finished: Family<StepOutcome, IntCounter>,
    /// `skald_step_wait_seconds{def, step}`: command sent to reply received.
    pub wait: Histogram,
    /// `skald_step_retries_total{def, step}`.
    pub retries: IntCounter,
    /// `skald_compensations_total{def, step, outcome}`.
    pub compensations: Family<CompensationOutcome, IntCounter>,
}

type Named = (&'static str, &'static str);

const SAGAS_STARTED: Named = ("skald_sagas_started_total", "Instances that began.");
const SAGAS_FINISHED: Named = (
    "skald_sagas_finished_total",
    "Instances that reached a final status.",
);
const SAGAS_ACTIVE: Named = (
    "skald_sagas_active",
    "Instances of the owned lanes that are not finished.",
);
const SAGA_DURATION: Named = (
    "skald_saga_duration_seconds",
    "Start to final status of an instance.",
);
const STEPS_STARTED: Named = ("skald_steps_started_total", "Steps that began.");
const STEPS_FINISHED: Named = (
    "skald_steps_finished_total",
    "Steps whose outcome is known or given up.",
);
const STEP_WAIT: Named = (
    "skald_step_wait_seconds",
    "Command sent to reply received: the service's time.",
);
const STEP_RETRIES: Named = ("skald_step_retries_total", "Commands sent again.");
const REPLIES_LATE: Named = (
    "skald_replies_late_total",
    "Replies that came after their step was given up.",
);
const REPLIES_DUPLICATE: Named = ("skald_replies_duplicate_total", "Replies that came again.");
const REPLIES_ORPHANED: Named = (
    "skald_replies_orphaned_total",
    "Replies that nothing waits for.",
);
const COMPENSATIONS: Named = (
    "skald_compensations_total",
    "Answers to compensating commands.",
);
const INCIDENTS_OPEN: Named = ("skald_incidents_open", "Open incidents of the owned lanes.");
const INCIDENTS: Named = ("skald_incidents_total", "Incidents that were opened.");
const DEAD_LETTERS: Named = ("skald_dlq_records_total", "Records that were set aside.");
const REPLAYED: Named = (
    "skald_dlq_replayed_total",
    "Dead letters that were sent back.",
);

/// Sagas take from milliseconds to days.
const LONG: &[f64] = &[
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 3_600.0, 86_400.0,
];

/// Ten buckets: step histograms are the most numerous.
const WAIT: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0];

struct Make<'a>(&'a Register<'a>);

impl Make<'_> {
    fn counters(&self, named: Named, labels: &[&str], open: usize) -> Result<Counters, Error> {
        self.0.guarded(named.0, named.1, labels, open)
    }

    fn gauges(
        &self,
        named: Named,
        labels: &[&str],
        open: usize,
    ) -> Result<Guarded<IntGaugeVec>, Error> {
        let vector = self.0.gauges(named.0, named.1, labels)?;
        Ok(self.0.guard(named.0, vector, open))
    }

    fn histograms(
        &self,
        named: Named,
        labels: &[&str],
        open: usize,
        buckets: &[f64],
    ) -> Result<Histograms, Error> {
        let vector = self.0.histograms(named.0, named.1, labels, buckets)?;
        Ok(self.0.guard(named.0, vector, open))
    }
}
