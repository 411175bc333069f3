//! Group membership, lag and transactions.
//!
//! Absent on purpose: the client library's own statistics.

use prometheus::{Histogram, IntCounter, IntGauge, IntGaugeVec};

use super::Error;
use super::label::{Family, TransactionOutcome, TransactionPhase};
use super::register::{Register, SECONDS};

/// Metrics of the log's client.
pub struct Kafka {
    /// `skald_assigned_partitions`: partitions owned by this process; workers add and subtract theirs.
    pub assigned_partitions: IntGauge,
    /// `skald_rebalances_total{protocol}`, protocol `classic`.
    pub rebalances: IntCounter,
    /// `skald_transactions_total{outcome}`.
    pub transactions: Family<TransactionOutcome, IntCounter>,
    /// `skald_transaction_duration_seconds{phase}`.
    pub transaction_duration: Family<TransactionPhase, Histogram>,
    /// `skald_sources_held`: source partitions that wait for a schema.
    pub sources_held: IntGauge,
    lag: IntGaugeVec,
}

impl Kafka {
    pub(super) fn new(r: &Register<'_>) -> Result<Self, Error> {
        let rebalances = r.counters(
            "skald_rebalances_total",
            "Changes of assignment.",
            &["protocol"],
        )?;
        Ok(Self {
            assigned_partitions: r.gauge(
                "skald_assigned_partitions",
                "Partitions owned by this process.",
            )?,
            rebalances: rebalances.with_label_values(&["classic"]),
            transactions: Family::bind(&r.counters(
                "skald_transactions_total",
                "Transactions by how they ended.",
                &["outcome"],
            )?),
            transaction_duration: Family::bind(&r.histograms(
                "skald_transaction_duration_seconds",
                "Time of the calls that end a transaction.",
                &["phase"],
                SECONDS,
            )?),
            sources_held: r.gauge(
                "skald_sources_held",
                "Source partitions that wait for a schema.",
            )?,
            lag: r.gauges(
                "skald_consumer_lag_records",
                "Records between the position and the end of an owned partition.",
                &["topic", "partition"],
            )?,
        })
    }

    /// Lag of an owned partition, without the phantom marker at its end.
    pub fn set_lag(&self, topic: &str, partition: u32, records: i64) {
        let number = partition.to_string();
        self.lag.with_label_values(&[topic, &number]).set(records);
    }

    /// The partition is no longer ours: another process shows its lag.
    pub fn forget_lag(&self, topic: &str, partition: u32) {
        // An error only says that the series was never shown.
        let _ = self
            .lag
            .remove_label_values(&[topic, &partition.to_string()]);
    }
}
