//! Deploying: compiled definitions become records of the definitions topic, under one fixed transactional id.
//!
//! Whoever deploys fences every earlier deployer, reads the topic to its end and only then writes, so two deploys cannot interleave.
//! A known `name@version` never changes its hash.
//!
//! Absent on purpose: compiling at run time; engines only read what stands here.

use std::time::Duration;

use connectors::log::{Class, Error as LogError, Log, Options, Timeouts};
use saga_lib::ir::Definition;
use schemas::bundle::{self, Active, Bundle, Installation};
use schemas::record::Outgoing;
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
    /// It was known and is active (again).
    Activated,
    /// It was active already.
    Unchanged,
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

impl Error {
    /// Did another deployer come later? What it wrote must be read first.
    pub fn is_overtaken(&self) -> bool {
        matches!(self, Self::Log(error) if error.class() == Class::Ownership)
    }
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
        let registry = Registry::new(names);
        registry.refresh(&mut log)?;
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

    /// Deploys and activates `definitions`, all or none.
    ///
    /// # Errors
    /// [`Error::Changed`] and the log's.
    pub fn deploy(&mut self, definitions: &[Compiled], now_ms: i64) -> Result<Vec<Effect>, Error> {
        let known = self.registry.snapshot();
        let mut records = Vec::new();
        let mut effects = Vec::with_capacity(definitions.len());
        for compiled in definitions {
            effects.push(plan(&self.names, &known, compiled, now_ms, &mut records)?);
        }
        if !records.is_empty() {
            self.write(&records)?;
        }
        Ok(effects)
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

fn plan(
    names: &Topics,
    known: &Definitions,
    compiled: &Compiled,
    now_ms: i64,
    records: &mut Vec<Outgoing>,
) -> Result<Effect, Error> {
    let bundle = Bundle::new(compiled.definition.clone(), compiled.source.clone(), compiled.file.clone());
    let (name, version, hash) = (bundle.ir.name.clone(), bundle.ir.version, bundle.hash.clone());
    let deployed = known.versions.get(&(name.clone(), version));
    if let Some(deployed) = deployed.filter(|deployed| **deployed != hash) {
        return Err(Error::Changed { file: compiled.file.clone(), name, version, deployed: deployed.clone(), hash });
    }
    let active = known.active.get(&name).is_some_and(|active| active.hash == hash);
    if active {
        return Ok(Effect::Unchanged);
    }
    let fresh = deployed.is_none();
    if fresh {
        records.push(bundle::encode_bundle(names, &bundle));
        records.push(bundle::encode_version(names, &name, version, &hash));
    }
    records.push(bundle::encode_active(names, &name, &Active { version, hash, activated_ms: now_ms }));
    Ok(if fresh { Effect::Deployed } else { Effect::Activated })
}
