//! Metrics: the closed list of what `/metrics` shows.
//!
//! [`Metrics`] is cloned into every thread. Where something is counted per record or per batch the child is bound once: by a field
//! of a [`label`] family for closed sets, by a handle ([`Metrics::definition`]) for names that come from definitions. Counting
//! happens once per batch, after its commit: an aborted batch has no effect and no count.
//!
//! Series are bounded: labels come from closed sets, or from open sets that a [`guard`] folds into `__other__` beyond a limit.
//!
//! Absent on purpose: saga ids, keys, offsets and error texts as labels; they belong into logs and the history.

pub mod business;
pub mod definition;
pub mod gauge;
pub mod guard;
pub mod kafka;
pub mod label;
pub mod lanes;
pub mod loops;
pub mod records;
pub mod redis;
mod register;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{Encoder, IntGauge, Registry, TextEncoder};

pub use business::Business;
pub use definition::{DefinitionMetrics, Sagas, StepMetrics};
pub use kafka::Kafka;
pub use lanes::Lanes;
pub use loops::{LoopMetrics, Loops};
pub use records::{Records, TopicMetrics};
pub use redis::Redis;

/// Why metrics cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two metrics have one name, or a name is not legal: a mistake in this module.
    #[error("metrics are inconsistent: {0}")]
    Inconsistent(#[from] prometheus::Error),
}

/// What this build is, for `skald_build_info` and `/version`.
#[derive(Debug, Clone)]
pub struct Build {
    /// Release.
    pub version: String,
    /// Commit it was built from, if the build knew.
    pub commit: String,
    /// Version of the Kafka client library.
    pub librdkafka: String,
}

impl Build {
    /// This build, with the version of the Kafka client library it runs on.
    pub fn of(librdkafka: &str) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: option_env!("SKALD_COMMIT").unwrap_or("unknown").into(),
            librdkafka: librdkafka.into(),
        }
    }
}

/// All metrics of one process, in a registry of their own.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    build: Build,
    ready: IntGauge,
    loops: Loops,
    records: Records,
    kafka: Kafka,
    lanes: Lanes,
    redis: Redis,
    sagas: Sagas,
    business: Business,
    definitions: Mutex<HashMap<(String, u32), Arc<DefinitionMetrics>>>,
}

impl Metrics {
    /// Registers every metric.
    ///
    /// # Errors
    /// [`Error::Inconsistent`].
    pub fn new(build: Build) -> Result<Self, Error> {
        let registry = Registry::new();
        let overflow = guard::Overflow::new(&registry)?;
        let r = register::Register::new(&registry, &overflow);
        build_info(&r, &build)?;
        process(&registry)?;
        let inner = Inner {
            ready: r.gauge("skald_ready", "1 while /readyz answers 200.")?,
            loops: Loops::new(&r)?,
            records: Records::new(&r)?,
            kafka: Kafka::new(&r)?,
            lanes: Lanes::new(&r)?,
            redis: Redis::new(&r)?,
            sagas: Sagas::new(&r)?,
            business: Business::new(&r)?,
            definitions: Mutex::default(),
            build,
            registry: registry.clone(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// `skald_ready`: 1 while `/readyz` answers 200.
    pub fn ready(&self) -> &IntGauge {
        &self.0.ready
    }

    /// Turns, stages and batches of the workers' loops.
    pub fn loops(&self) -> &Loops {
        &self.0.loops
    }

    /// Records read, skipped, refused and produced.
    pub fn records(&self) -> &Records {
        &self.0.records
    }

    /// Group membership, lag and transactions.
    pub fn kafka(&self) -> &Kafka {
        &self.0.kafka
    }

    /// States, recoveries and timers of the owned lanes.
    pub fn lanes(&self) -> &Lanes {
        &self.0.lanes
    }

    /// Calls of the store.
    pub fn redis(&self) -> &Redis {
        &self.0.redis
    }

    /// Milestones, service levels and business numbers.
    pub fn business(&self) -> &Business {
        &self.0.business
    }

    /// Dead letters and other counts of sagas that belong to no single definition.
    pub fn sagas(&self) -> &Sagas {
        &self.0.sagas
    }

    /// The children of one version of a definition; ask once per version and keep the handle.
    pub fn definition(&self, name: &str, version: u32) -> Arc<DefinitionMetrics> {
        let mut known = self
            .0
            .definitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known
            .entry((name.to_owned(), version))
            .or_insert_with(|| Arc::new(self.0.sagas.bind(name, version)))
            .clone()
    }

    /// What was built.
    pub fn build(&self) -> &Build {
        &self.0.build
    }

    /// The text format of Prometheus.
    ///
    /// # Errors
    /// [`Error::Inconsistent`].
    pub fn text(&self) -> Result<String, Error> {
        let mut bytes = Vec::new();
        TextEncoder::new().encode(&self.0.registry.gather(), &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn build_info(r: &register::Register<'_>, build: &Build) -> Result<(), Error> {
    let labels = ["version", "commit", "librdkafka"];
    let info = r.gauges("skald_build_info", "What was built; always 1.", &labels)?;
    info.with_label_values(&[&build.version, &build.commit, &build.librdkafka])
        .set(1);
    Ok(())
}

#[cfg(target_os = "linux")]
fn process(registry: &Registry) -> Result<(), Error> {
    let collector = prometheus::process_collector::ProcessCollector::for_self();
    Ok(registry.register(Box::new(collector))?)
}

#[cfg(not(target_os = "linux"))]
fn process(_: &Registry) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
mod tests;
