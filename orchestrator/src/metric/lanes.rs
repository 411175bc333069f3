//! Lanes: their states, recoveries and timers.
//!
//! Absent on purpose: positions. They belong into logs and `/readyz`.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::Error;
use super::gauge::LaneSum;
use super::guard::Guarded;
use super::label::{Family, Label, LaneState, RecoveryCause, StallCause};
use super::register::{Register, SECONDS};

/// Metrics of the owned lanes.
pub struct Lanes {
    /// `skald_lane_recoveries_total{cause}`.
    pub recoveries: Family<RecoveryCause, IntCounter>,
    /// `skald_timers_pending`: timer entries of the owned lanes.
    pub timers_pending: LaneSum,
    /// `skald_timer_lateness_seconds`: due time to record time.
    pub timer_lateness: Histogram,
    /// `skald_resends_waiting`: re-sends of the owned lanes that wait for a token.
    pub resends_waiting: LaneSum,
    /// `skald_lanes_stalled{cause}`: lanes and sources that stand still although their partition goes on; workers add and subtract
    /// theirs.
    pub stalled: Family<StallCause, IntGauge>,
    resends_delayed: Guarded<IntCounterVec>,
    state: IntGaugeVec,
}

impl Lanes {
    pub(super) fn new(r: &Register<'_>) -> Result<Self, Error> {
        Ok(Self {
            recoveries: Family::bind(&r.counters(
                "skald_lane_recoveries_total",
                "Recoveries of lanes by what caused them.",
                &["cause"],
            )?),
            timers_pending: LaneSum::new(
                r.gauge("skald_timers_pending", "Timer entries of the owned lanes.")?,
            ),
            timer_lateness: r.histogram(
                "skald_timer_lateness_seconds",
                "Due time of a timer to the time of its record.",
                SECONDS,
            )?,
            resends_waiting: LaneSum::new(r.gauge(
                "skald_resends_waiting",
                "Re-sends of the owned lanes that wait for a token of their target.",
            )?),
            stalled: Family::bind(&r.gauges(
                "skald_lanes_stalled",
                "Lanes and source partitions that stand still although their partition goes on.",
                &["cause"],
            )?),
            resends_delayed: r.guarded(
                "skald_resends_delayed_total",
                "Re-sends that had to wait for a token of their target.",
                &["target"],
                1,
            )?,
            state: r.gauges(
                "skald_lane_state",
                "1 for the state an owned lane is in.",
                &["lane", "state"],
            )?,
        })
    }

    /// The state an owned lane is in.
    pub fn set_state(&self, lane: u32, state: LaneState) {
        let number = lane.to_string();
        for &other in LaneState::ALL {
            let gauge = self.state.with_label_values(&[&number, other.word()]);
            gauge.set(i64::from(other == state));
        }
    }

    /// `skald_resends_delayed_total{target}`: one more has to wait.
    pub fn resend_delayed(&self, target: &str) {
        self.resends_delayed.with(&[target]).inc();
    }

    /// The lane is no longer ours.
    pub fn forget(&self, lane: u32) {
        let number = lane.to_string();
        for state in LaneState::ALL {
            // An error only says that the series was never shown.
            let _ = self.state.remove_label_values(&[&number, state.word()]);
        }
        self.timers_pending.forget(lane);
        self.resends_waiting.forget(lane);
    }
}
