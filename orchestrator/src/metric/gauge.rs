//! A gauge that is the sum of what each lane contributes.
//!
//! Lanes report absolute numbers and move between workers and processes. Each contribution is remembered, so a report replaces the
//! lane's former one, and a lane that is lost takes its contribution with it: the sum over all processes counts every lane once.
//!
//! Absent on purpose: increments. An absolute number heals whatever was missed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::IntGauge;

/// Sum over lanes.
#[derive(Clone)]
pub struct LaneSum {
    gauge: IntGauge,
    lanes: Arc<Mutex<HashMap<u32, i64>>>,
}

impl LaneSum {
    /// A sum shown by `gauge`.
    pub fn new(gauge: IntGauge) -> Self {
        Self {
            gauge,
            lanes: Arc::default(),
        }
    }

    /// The lane's number is now `value`.
    pub fn set(&self, lane: u32, value: i64) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = lanes.insert(lane, value).unwrap_or(0);
        self.gauge.add(value - before);
    }

    /// The lane is no longer ours.
    pub fn forget(&self, lane: u32) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        self.gauge.sub(lanes.remove(&lane).unwrap_or(0));
    }
}
