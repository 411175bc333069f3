//! Calls of the store.
//!
//! Absent on purpose: the server's own statistics (its exporter has them).

use prometheus::{Histogram, IntCounter};

use super::Error;
use super::label::{Family, StoreError, StoreOp};
use super::register::{Register, SECONDS};

/// Metrics of the store's client.
pub struct Redis {
    /// `skald_redis_roundtrip_seconds{op}`.
    pub roundtrip: Family<StoreOp, Histogram>,
    /// `skald_redis_errors_total{kind}`.
    pub errors: Family<StoreError, IntCounter>,
    /// `skald_redis_fence_conflicts_total`: commits refused because the lane stood elsewhere.
    pub fence_conflicts: IntCounter,
}

impl Redis {
    pub(super) fn new(r: &Register<'_>) -> Result<Self, Error> {
        Ok(Self {
            roundtrip: Family::bind(&r.histograms(
                "skald_redis_roundtrip_seconds",
                "Round trips to Redis.",
                &["op"],
                SECONDS,
            )?),
            errors: Family::bind(&r.counters(
                "skald_redis_errors_total",
                "Failed calls of Redis.",
                &["kind"],
            )?),
            fence_conflicts: r.counter(
                "skald_redis_fence_conflicts_total",
                "Commits refused because the lane stood elsewhere.",
            )?,
        })
    }
}
