//! Definitions of this process: a cached fold over `<app>.definitions`.
//!
//! Shared by all loops; whoever needs something newer reads the topic to its end. Snapshots are immutable, so a plan sees one state.
//!
//! Absent on purpose: compiling (see `skald deploy`) and deciding what is active.

mod readers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use connectors::log::{Error as LogError, Log};
use saga_lib::ir::Definition;
use schemas::body::Formats;
use schemas::bundle::{self, Active, Entry, Installation};
use schemas::record::Partition;
use schemas::topics::Topics;

use readers::ByTopic;

pub use readers::{Readers, Version};

/// One state of the definitions topic.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    by_hash: BTreeMap<String, Arc<Definition>>,
    /// How the definitions that do not only send JSON write their messages, by hash.
    formats: BTreeMap<String, Arc<Formats>>,
    /// Active versions by definition name.
    pub active: BTreeMap<String, Active>,
    /// Hashes by (name, version).
    pub versions: BTreeMap<(String, u32), String>,
    /// Source partitions that ingress has begun to read.
    pub sources: BTreeSet<Partition>,
    /// What must never change.
    pub installation: Option<Installation>,
    /// Follows from the others.
    topics: ByTopic,
}

impl Definitions {
    /// The definition of `name@version#hash`.
    pub fn by_reference(&self, reference: &str) -> Option<Arc<Definition>> {
        let (_, hash) = reference.rsplit_once('#')?;
        self.by_hash.get(hash).cloned()
    }

    /// How the definition of `name@version#hash` writes its messages; `None`: all of them as JSON.
    pub fn formats(&self, reference: &str) -> Option<&Formats> {
        let (_, hash) = reference.rsplit_once('#')?;
        self.formats.get(hash).map(|formats| &**formats)
    }

    /// The definition with this hash.
    pub fn by_hash(&self, hash: &str) -> Option<&Arc<Definition>> {
        self.by_hash.get(hash)
    }

    /// Active definitions with their `name@version#hash` and the time of their activation.
    pub fn active(&self) -> impl Iterator<Item = (String, &Active, &Arc<Definition>)> {
        self.active.iter().filter_map(|(name, active)| {
            let definition = self.by_hash.get(&active.hash)?;
            Some((
                format!("{name}@{}#{}", active.version, active.hash),
                active,
                definition,
            ))
        })
    }

    /// Every deployed version with its `name@version#hash`: instances of it may be alive.
    fn deployed(&self) -> impl Iterator<Item = (String, &Arc<Definition>)> {
        self.versions.iter().filter_map(|((name, version), hash)| {
            let definition = self.by_hash.get(hash)?;
            Some((format!("{name}@{version}#{hash}"), definition))
        })
    }

    /// `name@version#hash` of the active version.
    pub fn active_reference(&self, name: &str) -> Option<String> {
        let active = self.active.get(name)?;
        Some(format!("{name}@{}#{}", active.version, active.hash))
    }

    /// Topics that ingress reads, and who reads them: those that active definitions start from, and those that any deployed one awaits
    /// or is answered in. As of the last refresh.
    pub fn sources_read(&self) -> &BTreeMap<String, Readers> {
        &self.topics
    }

    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Bundle(bundle) => {
                let formats = Formats::of(&bundle.ir, &bundle.ids);
                if !formats.is_json() {
                    self.formats.insert(bundle.hash.clone(), Arc::new(formats));
                }
                self.by_hash.insert(bundle.hash, Arc::new(bundle.ir));
            }
            Entry::Version {
                name,
                version,
                hash,
            } => {
                self.versions.insert((name, version), hash);
            }
            Entry::Active { name, active } => {
                self.active.insert(name, active);
            }
            Entry::Installation(installation) => self.installation = Some(installation),
            Entry::Source(partition) => {
                self.sources.insert(partition);
            }
            Entry::Removed { key } => {
                self.active.remove(&key);
            }
            Entry::Unknown { key } => {
                tracing::warn!(key, "Entry of the definitions topic is of a newer release.")
            }
        }
    }
}

#[derive(Debug)]
struct Inner {
    partition: Partition,
    cursor: i64,
    snapshot: Arc<Definitions>,
}

/// Definitions, shared by the loops of a process.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Mutex<Inner>>);

impl Registry {
    /// Nothing read yet.
    pub fn new(topics: &Topics) -> Self {
        let partition = Partition::new(topics.definitions(), 0);
        Self(Arc::new(Mutex::new(Inner {
            partition,
            cursor: 0,
            snapshot: Arc::default(),
        })))
    }

    /// The newest state read.
    pub fn snapshot(&self) -> Arc<Definitions> {
        Arc::clone(&self.lock().snapshot)
    }

    /// Reads to the end of what is committed. Other loops go on with the snapshot they have meanwhile: the log may be slow to answer.
    ///
    /// # Errors
    /// The log's; what was read before stays.
    pub fn refresh<L: Log>(&self, log: &mut L) -> Result<(), LogError> {
        let (partition, mut cursor, snapshot) = {
            let inner = self.lock();
            (
                inner.partition.clone(),
                inner.cursor,
                Arc::clone(&inner.snapshot),
            )
        };
        let extent = log.extent(&partition)?;
        cursor = cursor.max(extent.begin);
        if cursor >= extent.stable_end {
            return Ok(());
        }
        let mut next = Definitions::clone(&snapshot);
        while cursor < extent.stable_end {
            let chunk = log.read(
                &partition,
                cursor,
                extent.stable_end,
                500,
                Duration::from_millis(500),
            )?;
            for record in &chunk.records {
                match bundle::decode(record) {
                    Ok(entry) => next.apply(entry),
                    Err(error) => {
                        tracing::error!(%error, "Record of the definitions topic cannot be used.")
                    }
                }
            }
            if chunk.next <= cursor {
                break;
            }
            cursor = chunk.next;
        }
        next.topics = readers::by_topic(&next);
        self.keep(cursor, next);
        Ok(())
    }

    /// Cursor and state together or neither: what was read and then dropped would never be read again. Whoever read further wins.
    fn keep(&self, cursor: i64, definitions: Definitions) {
        let mut inner = self.lock();
        if cursor > inner.cursor {
            inner.cursor = cursor;
            inner.snapshot = Arc::new(definitions);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
