//! A bound on the series of a metric whose labels come from open sets.
//!
//! Label sets beyond the limit fold into one whose open labels are `__other__`, so a flood of names costs one series. The first
//! `limit` sets keep theirs for the life of the process; a later start begins anew.
//!
//! Absent on purpose: eviction. A series that vanished and came back would look like a counter reset.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{MetricVec, MetricVecBuilder};
use prometheus::{IntCounterVec, Opts, Registry};

use super::Error;

/// The value that stands for all label values beyond the limit.
pub const OTHER: &str = "__other__";

/// Label sets of one metric at most.
pub const SETS_MAX: usize = 2_000;

/// Counts the label sets that were folded.
#[derive(Clone)]
pub struct Overflow(IntCounterVec);

impl Overflow {
    /// Registers `skald_metrics_overflow_total`.
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let opts = Opts::new(
            "skald_metrics_overflow_total",
            "Uses of a metric whose labels were folded into __other__.",
        );
        let counter = IntCounterVec::new(opts, &["metric"])?;
        registry.register(Box::new(counter.clone()))?;
        Ok(Self(counter))
    }
}

/// A metric with labels.
pub trait Vector {
    /// One of its series.
    type Child;
    /// The series of these label values.
    fn child(&self, values: &[&str]) -> Self::Child;
}

impl<T: MetricVecBuilder> Vector for MetricVec<T> {
    type Child = T::M;

    fn child(&self, values: &[&str]) -> T::M {
        self.with_label_values(values)
    }
}

/// A metric with a bounded number of label sets.
pub struct Guarded<V> {
    name: &'static str,
    vector: V,
    /// How many labels, from the first, are of an open set.
    open: usize,
    limit: usize,
    seen: Arc<Mutex<HashSet<Vec<String>>>>,
    overflow: Overflow,
}

impl<V: Vector> Guarded<V> {
    /// Guards the first `open` labels of `vector`.
    pub(super) fn new(name: &'static str, vector: V, open: usize, overflow: &Overflow) -> Self {
        Self {
            name,
            vector,
            open,
            limit: SETS_MAX,
            seen: Arc::default(),
            overflow: overflow.clone(),
        }
    }

    /// The same with another limit.
    #[cfg(test)]
    pub(super) fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The child of these label values; not for every record: bind it once.
    pub fn with(&self, values: &[&str]) -> V::Child {
        if self.admits(&values[..self.open]) {
            return self.vector.child(values);
        }
        self.overflow.0.with_label_values(&[self.name]).inc();
        let folded: Vec<&str> = (0..values.len())
            .map(|ix| if ix < self.open { OTHER } else { values[ix] })
            .collect();
        self.vector.child(&folded)
    }

    fn admits(&self, open: &[&str]) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let set: Vec<String> = open.iter().map(|&value| value.to_owned()).collect();
        if seen.contains(&set) {
            return true;
        }
        let room = seen.len() < self.limit;
        if room {
            seen.insert(set);
        }
        room
    }
}
