//! Layer 3: what sagas mean for the business.
//!
//! Names come from definitions, so their number is bounded by what was deployed, and by the guard.
//!
//! Absent on purpose: value at risk and predictions; whoever reads the history computes those.

use prometheus::{CounterVec, HistogramVec, IntCounterVec, Opts};

use super::Error;
use super::guard::Guarded;
use super::register::Register;

/// From a second to a month: milestones are reached in people's time.
const MILESTONE_SECONDS: &[f64] = &[
    1.0,
    10.0,
    60.0,
    600.0,
    3_600.0,
    21_600.0,
    86_400.0,
    604_800.0,
    2_592_000.0,
];

/// Business metrics of all definitions.
pub struct Business {
    milestones: Guarded<IntCounterVec>,
    milestone_seconds: Guarded<HistogramVec>,
    service_levels: Guarded<IntCounterVec>,
    value: Guarded<CounterVec>,
    refused: Guarded<IntCounterVec>,
}

impl Business {
    pub(super) fn new(r: &Register<'_>) -> Result<Self, Error> {
        let seconds = r.histograms(
            "skald_milestone_seconds",
            "From the start of an instance to a milestone.",
            &["def", "milestone"],
            MILESTONE_SECONDS,
        )?;
        let value = r.add(CounterVec::new(
            Opts::new(
                "skald_business_value_total",
                "Sums of the numbers that definitions measure, by outcome.",
            ),
            &["def", "measure", "outcome"],
        )?)?;
        Ok(Self {
            milestones: r.guarded(
                "skald_milestones_total",
                "Milestones reached.",
                &["def", "milestone"],
                2,
            )?,
            milestone_seconds: r.guard("skald_milestone_seconds", seconds, 2),
            service_levels: r.guarded(
                "skald_sla_total",
                "Steps with a service level, met or breached.",
                &["def", "sla", "result"],
                2,
            )?,
            value: r.guard("skald_business_value_total", value, 2),
            refused: r.guarded(
                "skald_measures_refused_total",
                "Measures that are no number or below zero, so that skald_business_value_total lacks them.",
                &["def", "measure"],
                2,
            )?,
        })
    }

    /// A milestone was reached, so many ms after the instance began.
    pub fn milestone(&self, definition: &str, milestone: &str, age_ms: i64) {
        let labels = [definition, milestone];
        self.milestones.with(&labels).inc();
        let seconds = age_ms as f64 / 1e3;
        self.milestone_seconds.with(&labels).observe(seconds);
    }

    /// A step kept its service level, or did not.
    pub fn service_level(&self, definition: &str, step: &str, met: bool) {
        let result = if met { "met" } else { "breached" };
        self.service_levels.with(&[definition, step, result]).inc();
    }

    /// A completed instance brought this number. What is no number, or below zero, cannot be added; that it is missing is counted.
    pub fn value(&self, definition: &str, measure: &str, value: &serde_json::Value) {
        let Some(number) = value.as_f64().filter(|n| n.is_finite() && *n >= 0.0) else {
            tracing::debug!(definition, measure, "Measure is no number above zero.");
            self.refused.with(&[definition, measure]).inc();
            return;
        };
        let labels = [definition, measure, "completed"];
        self.value.with(&labels).inc_by(number);
    }
}
