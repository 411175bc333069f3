//! B3: the plan of one lane, pure: records and documents in, outputs and documents out.
//!
//! What cannot be done is not patched up halfway: the plan says so ([`Problem`]), the caller records a verdict on the input and plans
//! the lane again from the same documents. With one verdict the input parks its instance, with a second one it
//! parks it without telling (the telling was refused), with a third one it only becomes a dead letter.
//!
//! Absent on purpose: I/O. What the plan must know of the outside (definitions, topics) it asks for through [`Problem`].

mod inputs;
mod writes;

use std::collections::{BTreeMap, BTreeSet};

use saga_lib::effect::Effect;
use saga_lib::id::SagaId;
use saga_lib::input::Input;
use saga_lib::instance::{IncidentKind, Instance};
use saga_lib::mutant::{Mutant, planted};
use saga_lib::transition::{self, Applied};
use schemas::inbox::{self, Inbox};
use schemas::record::Received;
use schemas::{journal, signature, state};

use super::counters::Counters;
use super::instances::Instances;
use super::topics::Topics;
use crate::registry::Definitions;
use crate::stats::Stats;
use crate::worker::role::{LanePlan, Output, OutputClass};

/// A record of the inbox, decoded when it arrived.
#[derive(Debug)]
pub struct Entry {
    /// The record.
    pub record: Received,
    /// What it says.
    pub inbox: Result<Inbox, inbox::Error>,
}

impl Entry {
    /// Decodes a record.
    pub fn new(record: Received) -> Self {
        let inbox = inbox::decode(&record);
        Self { record, inbox }
    }

    /// Ids of the sagas it concerns.
    pub fn sagas(&self) -> Vec<&SagaId> {
        match &self.inbox {
            Ok(
                Inbox::Event { saga, .. }
                | Inbox::Awaited { saga, .. }
                | Inbox::Timer { saga, .. }
                | Inbox::Signal { saga, .. },
            ) => vec![saga],
            Ok(Inbox::Reply { command, .. }) => vec![&command.saga],
            Ok(Inbox::Expire { entries, .. }) => entries.iter().map(|(saga, _)| saga).collect(),
            Err(_) => Vec::new(),
        }
    }
}

/// What a plan needs to know.
pub struct Context<'a> {
    /// Topic names.
    pub names: &'a schemas::topics::Topics,
    /// Lanes of the installation.
    pub lanes: u32,
    /// This lane.
    pub lane: u32,
    /// Keys of internal records.
    pub keys: &'a signature::Keys,
    /// Are unsigned internal records refused?
    pub require_signature: bool,
    /// Definitions known to this process.
    pub definitions: &'a Definitions,
    /// Output topics looked up.
    pub topics: &'a Topics,
    /// Definitions that stay unknown after reading their topic to its end.
    pub unknown: &'a BTreeSet<String>,
    /// Group id, for dead letters.
    pub group: &'a str,
    /// Transactional id, for the header.
    pub owner: &'a str,
}

/// Why an input could not be applied as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Incident its instance is parked with.
    pub kind: IncidentKind,
    /// For people.
    pub reason: String,
}

/// Verdicts by input offset.
pub type Verdicts = BTreeMap<i64, Vec<Verdict>>;

/// Why there is no plan yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A definition must be looked for.
    NeedDefinition(String),
    /// A topic must be looked up.
    NeedTopic(String),
    /// An input gets a verdict.
    Judge(i64, Verdict),
    /// The lane must stop.
    Stop(String),
}

/// A complete plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Records.
    pub plan: LanePlan,
    /// Documents to write or remove, as the journal has them.
    pub documents: Vec<(String, Option<Vec<u8>>)>,
    /// Counters after the plan.
    pub counters: Counters,
    /// For metrics.
    pub stats: Stats,
    /// Offset behind the last record.
    pub end: i64,
}

struct Planner<'a> {
    cx: &'a Context<'a>,
    instances: Instances<'a>,
    verdicts: &'a Verdicts,
    out: Outcome,
    /// Offset of the last input that changed an instance.
    changed_by: BTreeMap<String, i64>,
    /// Facts written per record.
    facts: BTreeMap<i64, u32>,
    buffer: Vec<Effect>,
}

/// Plans `entries` in order.
///
/// # Errors
/// See [`Problem`].
pub fn plan(
    cx: &Context<'_>,
    entries: &[Entry],
    loaded: &BTreeMap<String, Option<Vec<u8>>>,
    counters: &Counters,
    verdicts: &Verdicts,
) -> Result<Outcome, Problem> {
    let out = Outcome {
        counters: counters.clone(),
        ..Outcome::default()
    };
    let instances = Instances::new(loaded);
    let mut planner = Planner {
        cx,
        instances,
        verdicts,
        out,
        changed_by: BTreeMap::new(),
        facts: BTreeMap::new(),
        buffer: Vec::new(),
    };
    for entry in entries {
        planner.entry(entry)?;
    }
    planner.finish()
}

impl Planner<'_> {
    fn keep(&mut self, done: Done<'_>) -> Result<(), Problem> {
        self.out
            .counters
            .moved(done.before.as_ref(), done.now.as_ref());
        let touched = self
            .instances
            .touch(done.saga.as_str())
            .map_err(Problem::Stop)?;
        if touched.now != done.now {
            self.changed_by
                .insert(done.saga.to_string(), done.record.offset);
            touched.now = done.now;
        }
        Ok(())
    }

    /// The stored form of an instance. Its header says whether the next wake-up only sends commands again.
    fn document(&self, instance: &Instance) -> Result<Vec<u8>, state::Error> {
        let definition = self.cx.definitions.by_reference(&instance.definition);
        let ahead = definition
            .as_deref()
            .and_then(|definition| transition::resend(definition, instance));
        let resend = ahead.and_then(|ahead| state::Resend::of(ahead, instance.wake));
        state::encode_with(instance, state::Codec::MessagePack, resend)
    }

    /// B4: one journal record per changed saga, then the header.
    fn finish(mut self) -> Result<Outcome, Problem> {
        for (id, touched) in self.instances.changed() {
            if planted(Mutant::ImagesOfNewOnly) && touched.before.is_some() {
                let document = touched.now.as_ref().and_then(|i| self.document(i).ok());
                self.out.documents.push((id.clone(), document));
                continue;
            }
            let input = self.changed_by.get(id).copied().unwrap_or(self.out.end - 1);
            let document = touched.now.as_ref().map(|i| self.document(i)).transpose();
            let document = document.map_err(|error| {
                let reason = format!("the document cannot be stored: {error}");
                Problem::Judge(
                    input,
                    Verdict {
                        kind: IncidentKind::OutputRefused,
                        reason,
                    },
                )
            })?;
            let saga = SagaId::parse(id).map_err(|error| Problem::Stop(error.to_string()))?;
            let record =
                journal::encode_image(self.cx.names, self.cx.lane, &saga, document.as_deref());
            self.out.plan.outputs.push(Output {
                record,
                input,
                class: OutputClass::Journal,
            });
            self.out.documents.push((id.clone(), document));
        }
        let header = journal::LaneHeader {
            end: self.out.end,
            counters: self.out.counters.0.clone(),
            owner: self.cx.owner.to_owned(),
        };
        let record = journal::encode_header(self.cx.names, self.cx.lane, &header);
        self.out.plan.outputs.push(Output {
            record,
            input: self.out.end - 1,
            class: OutputClass::Header,
        });
        Ok(self.out)
    }
}

/// What became of one input.
pub(super) struct Done<'a> {
    pub(super) record: &'a Received,
    pub(super) saga: &'a SagaId,
    pub(super) reference: &'a str,
    pub(super) input: &'a Input,
    pub(super) before: Option<Instance>,
    pub(super) now: Option<Instance>,
    pub(super) applied: Applied,
}

#[cfg(test)]
mod tests;
