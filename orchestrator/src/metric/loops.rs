//! The workers' loops: turns, stages, batches, latency.
//!
//! Absent on purpose: spans per record; a stage is measured once per batch.

use prometheus::{Gauge, GaugeVec, Histogram, IntCounter, IntCounterVec};

use super::Error;
use super::label::{Family, InputKind, Stage};
use super::register::{RECORDS, Register, SECONDS};

/// Metrics of all loops.
pub struct Loops {
    /// `skald_loop_stage_duration_seconds{stage}`: where a batch's time goes.
    pub stage_duration: Family<Stage, Histogram>,
    /// `skald_batch_records`: records per batch.
    pub batch_records: Histogram,
    /// `skald_record_e2e_seconds{kind}`: record timestamp to committed transaction.
    pub record_e2e: Family<InputKind, Histogram>,
    iterations: IntCounterVec,
    last_iteration: GaugeVec,
}

/// The loop of one worker.
#[derive(Clone)]
pub struct LoopMetrics {
    iterations: IntCounter,
    last: Gauge,
}

impl LoopMetrics {
    /// One turn of the loop, at this time.
    pub fn turned(&self, now_ms: i64) {
        self.iterations.inc();
        self.last.set(now_ms as f64 / 1_000.0);
    }
}

impl Loops {
    pub(super) fn new(r: &Register<'_>) -> Result<Self, Error> {
        Ok(Self {
            stage_duration: Family::bind(&r.histograms(
                "skald_loop_stage_duration_seconds",
                "Time of each stage of a batch.",
                &["stage"],
                SECONDS,
            )?),
            batch_records: r.histogram("skald_batch_records", "Records per batch.", RECORDS)?,
            record_e2e: Family::bind(&r.histograms(
                "skald_record_e2e_seconds",
                "Record timestamp to committed transaction.",
                &["kind"],
                SECONDS,
            )?),
            iterations: r.counters(
                "skald_loop_iterations_total",
                "Turns of a worker's loop.",
                &["worker"],
            )?,
            last_iteration: r.gauges_f64(
                "skald_loop_last_iteration_timestamp_seconds",
                "When a worker's loop turned last.",
                &["worker"],
            )?,
        })
    }

    /// Binds the loop metrics of a worker, named like `engine-0`.
    pub fn worker(&self, name: &str) -> LoopMetrics {
        LoopMetrics {
            iterations: self.iterations.with_label_values(&[name]),
            last: self.last_iteration.with_label_values(&[name]),
        }
    }
}
