//! Records read, skipped, refused and produced.
//!
//! Absent on purpose: records of aborted transactions; nobody can see them.

use prometheus::{IntCounter, IntCounterVec};

use super::Error;
use super::guard::Guarded;
use super::label::{Family, InputKind, Skip, TopicClass};
use super::register::Register;

/// Metrics of records.
pub struct Records {
    /// `skald_records_produced_total{topic_class}`.
    pub produced: Family<TopicClass, IntCounter>,
    consumed: Guarded<IntCounterVec>,
    skipped: Guarded<IntCounterVec>,
    decode_errors: Guarded<IntCounterVec>,
}

/// Records read from one topic.
pub struct TopicMetrics {
    /// `skald_records_consumed_total{topic, kind}`.
    pub consumed: Family<InputKind, IntCounter>,
    /// `skald_records_skipped_total{topic, reason}`.
    pub skipped: Family<Skip, IntCounter>,
}

impl Records {
    pub(super) fn new(r: &Register<'_>) -> Result<Self, Error> {
        Ok(Self {
            produced: Family::bind(&r.counters(
                "skald_records_produced_total",
                "Records produced in committed transactions.",
                &["topic_class"],
            )?),
            consumed: r.guarded(
                "skald_records_consumed_total",
                "Records read.",
                &["topic", "kind"],
                1,
            )?,
            skipped: r.guarded(
                "skald_records_skipped_total",
                "Records without effect, by reason.",
                &["topic", "reason"],
                1,
            )?,
            decode_errors: r.guarded(
                "skald_decode_errors_total",
                "Records that could not be decoded.",
                &["topic", "format", "reason"],
                1,
            )?,
        })
    }

    /// Binds the counters of a topic that is read.
    pub fn topic(&self, topic: &str) -> TopicMetrics {
        TopicMetrics {
            consumed: Family::bind_with(|kind| self.consumed.with(&[topic, kind])),
            skipped: Family::bind_with(|reason| self.skipped.with(&[topic, reason])),
        }
    }

    /// Counts a record that could not be decoded. `format` and `reason` are of closed sets, never error texts.
    pub fn decode_error(&self, topic: &str, format: &'static str, reason: &'static str) {
        self.decode_errors.with(&[topic, format, reason]).inc();
    }
}
