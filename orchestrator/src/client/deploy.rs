//! Deploying: compiled definitions into the definitions topic.
//!
//! Two deploys cannot interleave: each runs under the one transactional id `<app>.deploy`, which ends what an earlier one left open,
//! and reads the topic to its end before it decides. A version means one hash for ever.
//!
//! The audit is told in the same transaction what changed. A deploy that changes nothing, or is refused, leaves no trace.
//!
//! A version that sends in Avro gets the ids of its schemas from the registry (see `ids`), before anything is written. One that is
//! known has them, so a process that starts with it needs no registry.
//!
//! Absent on purpose: compiling (see [`saga_lib::definition`]) and checking topics of definitions (see `skald serve`).

mod ids;

use std::time::{Duration, Instant};

use connectors::log::{Class, Log, Options, TopicSpec};
use connectors::registry::Sources;
use schemas::audit::{self, Action, Entry, Outcome, State};
use schemas::bundle::{self, Active, Bundle};
use schemas::record::{Outgoing, Partition};
use schemas::topics::{self, Kind, Topics};
use serde::Serialize;

use super::Error;
use super::audit::Operator;
use crate::registry::{Definitions, Registry};

/// What became of one definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployed {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u32,
    /// Hash.
    pub hash: String,
    /// Was the version there already?
    pub known: bool,
    /// The version that events start from now on.
    pub active: u32,
}

/// How to open a log for deploying.
pub fn options(names: &Topics) -> Options {
    Options {
        client_id: format!("{}.deploy", names.app()),
        transactional_id: Some(format!("{}.deploy", names.app())),
        ..Options::default()
    }
}

/// What a deploy is to do.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Compiled definitions.
    pub bundles: &'a [Bundle],
    /// Do these versions become active, also where a newer one is?
    pub activate: bool,
    /// Who deploys.
    pub operator: &'a Operator,
    /// The registry that knows the ids of Avro schemas.
    pub schemas: &'a Sources,
}

/// Deploys; a version becomes active if it is newer than the active one, or if `activate` says so.
///
/// # Errors
/// [`Error::Refused`] if a version is known with another hash, or if there is no id for a schema that it sends with: nothing is written
/// then. [`Error::Unseen`] if the outcome of the
/// commit is unknown.
pub fn deploy<L: Log>(
    log: &mut L,
    names: &Topics,
    request: Request<'_>,
    now_ms: i64,
) -> Result<Vec<Deployed>, Error> {
    create_topics(log, names)?;
    let mut known = Definitions::clone(&*read_to_end(log, names)?.snapshot());
    let mut records = Vec::new();
    let mut deployed = Vec::new();
    let mut told = Vec::new();
    // Nothing is registered for a deploy that is refused.
    for bundle in request.bundles {
        plan(&known, bundle, request.activate)?;
    }
    for bundle in request.bundles {
        let plan = plan(&known, bundle, request.activate)?;
        let (before, planned) = (active_version(&known, &plan.name), records.len());
        let version = (plan.name.clone(), plan.version);
        known.versions.insert(version, plan.hash.clone());
        if plan.active == plan.version {
            let active = Active {
                version: plan.version,
                hash: plan.hash.clone(),
                activated_ms: now_ms,
            };
            if changes(&known, &plan.name, &active) {
                records.push(bundle::encode_active(names, &plan.name, &active));
                known.active.insert(plan.name.clone(), active);
            }
        }
        if !plan.known {
            let version = bundle::encode_version(names, &plan.name, plan.version, &plan.hash);
            let bundle = ids::resolve(bundle, request.schemas)?;
            // A reader must never meet an alias whose bundle is still to come.
            records.splice(0..0, [bundle::encode_bundle(names, &bundle), version]);
        }
        if records.len() > planned {
            told.push(tell(request.operator, &plan, before, now_ms));
        }
        deployed.push(plan);
    }
    records.extend(told.iter().map(|entry| audit::encode(names, entry)));
    write(log, &records)?;
    Ok(deployed)
}

fn create_topics<L: Log>(log: &mut L, names: &Topics) -> Result<(), Error> {
    let definitions = TopicSpec {
        name: names.definitions(),
        partitions: 1,
        config: topics::settings(Kind::Definitions),
    };
    log.create_topics(&[definitions, super::audit::spec(names)])?;
    Ok(())
}

/// The audit's entry about a definition that changes. It is part of the transaction: it is there exactly if the change is.
fn tell(operator: &Operator, plan: &Deployed, before: Option<u32>, now_ms: i64) -> Entry {
    let act = uuid::Uuid::new_v4().to_string();
    let subject = format!("{}@{}", plan.name, plan.version);
    Entry {
        at_ms: now_ms,
        result: Some(Outcome::Deployed),
        detail: Some(format!("hash {}", plan.hash)),
        before: before.map(State::of_definition),
        after: Some(State::of_definition(plan.active)),
        ..operator.entry(Action::Deploy, act, subject)
    }
}

fn active_version(known: &Definitions, name: &str) -> Option<u32> {
    known.active.get(name).map(|active| active.version)
}

/// Everything that was written when this began, also what stood in transactions of others.
pub(crate) fn read_to_end<L: Log>(log: &mut L, names: &Topics) -> Result<Registry, Error> {
    let partition = Partition::new(names.definitions(), 0);
    let end = log.extent(&partition)?.end;
    let registry = Registry::new(names);
    let deadline = Instant::now() + PATIENCE;
    while log.extent(&partition)?.stable_end < end {
        if Instant::now() >= deadline {
            return Err(connectors::log::Error::Held.into());
        }
        std::thread::sleep(super::read::PAUSE);
    }
    registry.refresh(log)?;
    Ok(registry)
}

/// Longer than a transaction of Skald may stay open.
const PATIENCE: Duration = Duration::from_secs(15);

fn plan(known: &Definitions, bundle: &Bundle, activate: bool) -> Result<Deployed, Error> {
    let (name, version) = (bundle.ir.name.clone(), bundle.ir.version);
    let deployed = known.versions.get(&(name.clone(), version));
    if let Some(hash) = deployed.filter(|hash| **hash != bundle.hash) {
        return Err(Error::Refused(format!(
            "`{name}@{version}` is deployed with hash {hash}, {} has {}: a version never changes, so raise `version`",
            bundle.file, bundle.hash
        )));
    }
    let active = active_version(known, &name);
    Ok(Deployed {
        known: deployed.is_some(),
        hash: bundle.hash.clone(),
        active: active
            .filter(|active| *active > version && !activate)
            .unwrap_or(version),
        name,
        version,
    })
}

/// Re-deploying the active version must not move the time from which its events count.
fn changes(known: &Definitions, name: &str, active: &Active) -> bool {
    active_version(known, name) != Some(active.version)
}

/// One transaction.
pub(crate) fn write<L: Log>(log: &mut L, records: &[Outgoing]) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    log.begin()?;
    let written = produce(log, records);
    if let Err(error) = written {
        // The transaction's end by the broker is as good, so a failed abort is no news.
        let _ = log.abort();
        return Err(error);
    }
    log.commit().map(|_tainted| ()).map_err(|error| {
        if error.class() == Class::Ownership {
            return error.into();
        }
        Error::Unseen(format!(
            "the deploy may or may not have been committed ({error}): deploy again to be sure"
        ))
    })
}

fn produce<L: Log>(log: &mut L, records: &[Outgoing]) -> Result<(), Error> {
    for (token, record) in records.iter().enumerate() {
        log.produce(record, token as u64)?;
    }
    for delivery in log.flush()? {
        delivery.result?;
    }
    Ok(())
}
