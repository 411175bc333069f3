//! Deploying: compiled definitions become records of the definitions topic, under one fixed transactional id.
//!
//! Whoever deploys fences every earlier deployer, reads the topic to its end and only then writes, so two deploys cannot interleave.
//! A known `name@version` never changes its hash.
//!
//! Absent on purpose: compiling at run time; engines only read what stands here.

use std::time::{Duration, Instant};

use connectors::log::{Error as LogError, Log, Options, Timeouts};
use saga_lib::ir::Definition;
use schemas::bundle::{self, Active, Bundle, Installation};
use schemas::record::{Outgoing, Partition};
use schemas::topics::Topics;

use crate::registry::{Definitions, Registry};

/// A definition that compiled.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The definition.
    pub definition: Definition,
    /// What the author wrote.
    pub source: String,
    /// Its file.
    pub file: String,
}

/// What became of one definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It is new and active now.
    Deployed,
    /// It was known and is active now.
    Activated,
    /// It is new, but a newer version stays active.
    Published,
    /// It was known, and nothing changed.
    Unchanged,
}

/// Which versions become active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Those that are newer than the active one: a process that starts with an old directory takes nothing back.
    Newer,
    /// The deployed ones, also where a newer one is active.
    These,
}

/// Why nothing was deployed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The version exists with another meaning: raise `version`.
    #[error("{file}: `{name}@{version}` is deployed already with another meaning (#{deployed}, this is #{hash}): raise `version`")]
    Changed {
        /// The file.
        file: String,
        /// Definition.
        name: String,
        /// Version.
        version: u32,
        /// Hash that is deployed.
        deployed: String,
        /// Hash of the file.
        hash: String,
    },
    /// The installation has another number of lanes than was asked for.
    #[error("this installation has {actual} lanes, the configuration says {asked}: keys would be remapped; set `lanes = {actual}`")]
    Lanes {
        /// As installed.
        actual: u32,
        /// As configured.
        asked: u32,
    },
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A log under the deployer's transactional id, and the state it found.
pub struct Deployer<L: Log> {
    log: L,
    names: Topics,
    registry: Registry,
}

impl<L: Log> Deployer<L> {
    /// Fences earlier deployers and reads the topic to its end.
    ///
    /// # Errors
    /// The log's.
    pub fn open(cluster: &L::Cluster, names: &Topics, timeouts: &Timeouts) -> Result<Self, LogError> {
        let options = Options {
            client_id: format!("{}.deploy", names.app()),
            group: None,
            transactional_id: Some(format!("{}.deploy", names.app())),
            timeouts: timeouts.clone(),
        };
        let mut log = L::open(cluster, &options)?;
        let registry = read_to_end(&mut log, names)?;
        Ok(Self { log, names: names.clone(), registry })
    }

    /// The installation, written if there is none.
    ///
    /// # Errors
    /// [`Error::Lanes`] and the log's.
    pub fn installation(&mut self, lanes: u32, uuid: &str) -> Result<Installation, Error> {
        if let Some(installation) = &self.registry.snapshot().installation {
            if installation.lanes != lanes {
                return Err(Error::Lanes { actual: installation.lanes, asked: lanes });
            }
            return Ok(installation.clone());
        }
        let installation = Installation { uuid: uuid.to_owned(), lanes };
        self.write(&[bundle::encode_installation(&self.names, &installation)])?;
        Ok(installation)
    }

    /// Deploys `definitions`, all or none; a version becomes active if it is newer than the active one.
    ///
    /// # Errors
    /// [`Error::Changed`] and the log's.
    pub fn deploy(&mut self, definitions: &[Compiled], now_ms: i64) -> Result<Vec<Effect>, Error> {
        self.deploy_as(definitions, Activation::Newer, now_ms)
    }

    /// Deploys `definitions`, all or none.
    ///
    /// # Errors
    /// [`Error::Changed`] and the log's.
    pub fn deploy_as(
        &mut self,
        definitions: &[Compiled],
        activation: Activation,
        now_ms: i64,
    ) -> Result<Vec<Effect>, Error> {
        let mut known = Definitions::clone(&self.registry.snapshot());
        let mut records = Vec::new();
        let mut effects = Vec::with_capacity(definitions.len());
        for compiled in definitions {
            let planned = plan(&known, compiled, activation)?;
            effects.push(planned.effect());
            planned.write(&self.names, &mut known, now_ms, &mut records);
        }
        if !records.is_empty() {
            self.write(&records)?;
        }
        Ok(effects)
    }

    /// The active version of a definition, as far as it was read or deployed here.
    pub fn active(&self, name: &str) -> Option<u32> {
        self.registry.snapshot().active.get(name).map(|active| active.version)
    }

    fn write(&mut self, records: &[Outgoing]) -> Result<(), LogError> {
        self.log.begin()?;
        for (token, record) in records.iter().enumerate() {
            self.log.produce(record, token as u64)?;
        }
        for delivery in self.log.flush()? {
            delivery.result?;
        }
        self.log.commit()?;
        // What was written stands below the end that is stable now, so the next deploy of this value sees it.
        std::thread::sleep(Duration::from_millis(1));
        self.registry.refresh(&mut self.log)
    }
}

/// Everything that was written when this began, also what stands behind open transactions of others (ingress writes here too).
fn read_to_end<L: Log>(log: &mut L, names: &Topics) -> Result<Registry, LogError> {
    let partition = Partition::new(names.definitions(), 0);
    let end = log.extent(&partition)?.end;
    let deadline = Instant::now() + PATIENCE;
    while log.extent(&partition)?.stable_end < end {
        if Instant::now() >= deadline {
            return Err(LogError::Held);
        }
        std::thread::sleep(PAUSE);
    }
    let registry = Registry::new(names);
    registry.refresh(log)?;
    Ok(registry)
}

/// Longer than a transaction of Skald may stay open.
const PATIENCE: Duration = Duration::from_secs(15);

const PAUSE: Duration = Duration::from_millis(20);

/// What is to be written for one definition.
struct Planned {
    bundle: Bundle,
    fresh: bool,
    activate: bool,
}

impl Planned {
    fn effect(&self) -> Effect {
        match (self.activate, self.fresh) {
            (true, true) => Effect::Deployed,
            (true, false) => Effect::Activated,
            (false, true) => Effect::Published,
            (false, false) => Effect::Unchanged,
        }
    }

    fn write(self, names: &Topics, known: &mut Definitions, now_ms: i64, records: &mut Vec<Outgoing>) {
        let (name, version, hash) = (&self.bundle.ir.name, self.bundle.ir.version, &self.bundle.hash);
        if self.fresh {
            records.push(bundle::encode_bundle(names, &self.bundle));
            records.push(bundle::encode_version(names, name, version, hash));
            known.versions.insert((name.clone(), version), hash.clone());
        }
        if self.activate {
            let active = Active { version, hash: hash.clone(), activated_ms: now_ms };
            records.push(bundle::encode_active(names, name, &active));
            known.active.insert(name.clone(), active);
        }
    }
}

fn plan(known: &Definitions, compiled: &Compiled, activation: Activation) -> Result<Planned, Error> {
    let bundle = Bundle::new(compiled.definition.clone(), compiled.source.clone(), compiled.file.clone());
    let (name, version, hash) = (bundle.ir.name.clone(), bundle.ir.version, bundle.hash.clone());
    let deployed = known.versions.get(&(name.clone(), version));
    if let Some(deployed) = deployed.filter(|deployed| **deployed != hash) {
        return Err(Error::Changed { file: compiled.file.clone(), name, version, deployed: deployed.clone(), hash });
    }
    let fresh = deployed.is_none();
    // Deploying the active version again must not move the time from which its events count.
    let activate = known.active.get(&name).is_none_or(|active| match activation {
        Activation::Newer => active.version < version,
        Activation::These => active.version != version,
    });
    Ok(Planned { bundle, fresh, activate })
}

#[cfg(test)]
mod tests;
