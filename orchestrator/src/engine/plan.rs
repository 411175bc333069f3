//! B3: the plan of one lane, pure: records and documents in, outputs and documents out.
//!
//! What cannot be done is not patched up halfway: the plan says so ([`Problem`]), the caller records a verdict on the input and plans
//! the lane again from the same documents. With one verdict the input parks its instance, with a second one it only becomes a dead
//! letter.
//!
//! Absent on purpose: I/O. What the plan must know of the outside (definitions, topics) it asks for through [`Problem::Need`].

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use saga_lib::effect::Effect;
use saga_lib::id::SagaId;
use saga_lib::input::{Input, Kind};
use saga_lib::instance::{IncidentKind, Instance};
use saga_lib::ir::Definition;
use saga_lib::transition::{self, Applied, Reason};
use schemas::inbox::{self, Inbox};
use schemas::record::Received;
use schemas::{dead_letter, history, journal, lane, orphan, signature, state};

use super::counters::Counters;
use super::instances::Instances;
use super::outputs;
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
                Inbox::Event { saga, .. } | Inbox::Timer { saga, .. } | Inbox::Signal { saga, .. },
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
    fn entry(&mut self, entry: &Entry) -> Result<(), Problem> {
        let record = &entry.record;
        self.out.end = record.offset + 1;
        let oldest = self.out.stats.oldest_ms.get_or_insert(record.timestamp_ms);
        *oldest = (*oldest).min(record.timestamp_ms);
        let inbox = match &entry.inbox {
            Ok(inbox) => inbox,
            Err(error) => {
                *self.out.stats.undecodable.entry("inbox").or_default() += 1;
                self.set_aside(record, "undecodable", "decode", &error.to_string(), None);
                return Ok(());
            }
        };
        *self.out.stats.consumed.entry(kind_word(inbox)).or_default() += 1;
        if !matches!(inbox, Inbox::Reply { .. }) && self.cx.require_signature {
            if let Err(error) = signature::verify(self.cx.keys, self.cx.names.app(), record) {
                self.set_aside(record, "unsigned", "decode", &error.to_string(), None);
                return Ok(());
            }
        }
        match inbox {
            Inbox::Event {
                saga,
                definition,
                input,
                traceparent,
            } => self.saga(
                record,
                saga,
                Some(definition),
                input,
                traceparent.as_deref(),
            ),
            Inbox::Reply {
                command,
                input,
                forwarded,
            } => {
                let lane = lane::lane_of_command(command, self.cx.lanes);
                if lane == self.cx.lane {
                    return self.saga(record, &command.saga, None, input, None);
                }
                self.misplaced(record, lane, *forwarded);
                Ok(())
            }
            Inbox::Timer { saga, input } | Inbox::Signal { saga, input } => {
                self.saga(record, saga, None, input, None)
            }
            Inbox::Expire {
                entries,
                id,
                time_ms,
            } => self.expire(record, entries, id, *time_ms),
        }
    }

    /// A reply found in another lane than its saga's is copied to the right one, once.
    fn misplaced(&mut self, record: &Received, lane: u32, forwarded: bool) {
        if forwarded {
            self.orphan(record, "forwarded reply belongs to yet another lane");
            return;
        }
        self.out.stats.skip("forwarded");
        self.out.plan.plain.push(inbox::forward(record, lane));
    }

    fn expire(
        &mut self,
        record: &Received,
        entries: &[(SagaId, u64)],
        id: &str,
        time_ms: i64,
    ) -> Result<(), Problem> {
        for (saga, arm) in entries {
            let input = Input {
                id: id.to_owned(),
                time_ms,
                kind: Kind::Expire { arm: *arm },
            };
            self.saga(record, saga, None, &input, None)?;
        }
        Ok(())
    }

    /// One input of one saga.
    fn saga(
        &mut self,
        record: &Received,
        saga: &SagaId,
        named: Option<&String>,
        input: &Input,
        traceparent: Option<&str>,
    ) -> Result<(), Problem> {
        let touched = self.instances.touch(saga.as_str()).map_err(Problem::Stop)?;
        let before = touched.now.clone();
        let Some(reference) = before
            .as_ref()
            .map(|i| i.definition.clone())
            .or_else(|| named.cloned())
        else {
            self.nobody(record, saga, input);
            return Ok(());
        };
        let verdicts = self
            .verdicts
            .get(&record.offset)
            .map_or(&[][..], Vec::as_slice);
        if let [_, last, ..] = verdicts {
            let class = class_word(last.kind);
            self.set_aside(record, class, "produce", &last.reason.clone(), Some(saga));
            return Ok(());
        }
        let definition = self.cx.definitions.by_reference(&reference);
        let mut now = before
            .clone()
            .or_else(|| unstarted(saga, &reference, input));
        let mut effects = std::mem::take(&mut self.buffer);
        effects.clear();
        let applied = match (verdicts.first(), &definition) {
            (Some(v), d) => transition::park(
                d.as_deref(),
                &mut now,
                input,
                v.kind,
                &v.reason,
                &mut effects,
            ),
            (None, Some(d)) => self.apply(d, record, &mut now, input, &mut effects)?,
            (None, None) if self.cx.unknown.contains(&reference) => {
                let detail =
                    format!("definition `{reference}` is not deployed: deploy it, then retry");
                transition::park(
                    None,
                    &mut now,
                    input,
                    IncidentKind::UnknownDefinition,
                    &detail,
                    &mut effects,
                )
            }
            (None, None) => return Err(Problem::NeedDefinition(reference)),
        };
        if let Some(v) = verdicts
            .first()
            .filter(|v| v.kind != IncidentKind::OutputRefused)
        {
            self.set_aside(
                record,
                class_word(v.kind),
                "apply",
                &v.reason.clone(),
                Some(saga),
            );
        }
        stamp(&mut now, before.is_none(), &reference, traceparent);
        let done = Done {
            record,
            saga,
            reference: &reference,
            input,
            before,
            now,
            applied,
        };
        self.outputs(&done, &effects)?;
        self.fact(&done, &effects);
        self.buffer = effects;
        self.keep(done)
    }

    /// A panic in a transition costs this input only: it gets a verdict and the lane is planned again.
    fn apply(
        &self,
        definition: &Arc<Definition>,
        record: &Received,
        now: &mut Option<Instance>,
        input: &Input,
        effects: &mut Vec<Effect>,
    ) -> Result<Applied, Problem> {
        let run = AssertUnwindSafe(|| transition::apply(definition, now, input, effects));
        catch_unwind(run).map_err(|panic| {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            let reason = format!("the transition panicked: {}", text.unwrap_or("no message"));
            Problem::Judge(
                record.offset,
                Verdict {
                    kind: IncidentKind::Panic,
                    reason,
                },
            )
        })
    }

    /// Nobody waits for this record: replies are orphans, timers stale, signals rejected.
    fn nobody(&mut self, record: &Received, saga: &SagaId, input: &Input) {
        let (reason, applied) = match &input.kind {
            Kind::Reply(_) => {
                self.orphan(
                    record,
                    "no saga waits for it (unknown id, or its retention is over)",
                );
                ("orphan", Applied::Ignored(Reason::Orphan))
            }
            Kind::Signal(_) => (
                "no_saga",
                Applied::Rejected(format!("no saga `{saga}` is stored")),
            ),
            _ => ("stale", Applied::Ignored(Reason::StaleTimer)),
        };
        self.out.stats.skip(reason);
        let done = Done {
            record,
            saga,
            reference: "",
            input,
            before: None,
            now: None,
            applied,
        };
        self.fact(&done, &[]);
    }

    fn outputs(&mut self, done: &Done<'_>, effects: &[Effect]) -> Result<(), Problem> {
        for effect in effects {
            match effect {
                Effect::Command(_) | Effect::Publish(_) => self.output(done, effect)?,
                Effect::Orphan { reason } => self.orphan(done.record, reason),
                Effect::DeadLetter { class, message } => {
                    self.set_aside(done.record, class, "apply", message, Some(done.saga));
                }
                Effect::Note(note) => {
                    let age = done
                        .now
                        .as_ref()
                        .or(done.before.as_ref())
                        .map_or(0, |i| i.updated_ms - i.started_ms);
                    let definition = done
                        .reference
                        .split('#')
                        .next()
                        .unwrap_or_default()
                        .to_owned();
                    self.out.stats.notes.push((definition, note.clone(), age));
                }
            }
        }
        if let Applied::Ignored(reason) = &done.applied {
            self.out.stats.skip(history::reason_word(*reason));
        }
        Ok(())
    }

    /// Checks an output before it is written: a bad one parks its instance, nobody else.
    fn output(&mut self, done: &Done<'_>, effect: &Effect) -> Result<(), Problem> {
        let traceparent = done.now.as_ref().and_then(|i| i.traceparent.as_deref());
        let (record, class) = outputs::encode(
            self.cx,
            done.saga,
            done.reference,
            done.input,
            traceparent,
            effect,
        );
        match outputs::check(self.cx.topics, &record) {
            outputs::Check::Good => {
                self.out.plan.outputs.push(Output {
                    record,
                    input: done.record.offset,
                    class,
                });
                Ok(())
            }
            outputs::Check::LookUp => Err(Problem::NeedTopic(record.topic)),
            outputs::Check::Bad(reason) => Err(Problem::Judge(
                done.record.offset,
                Verdict {
                    kind: IncidentKind::OutputRefused,
                    reason,
                },
            )),
        }
    }

    /// One fact per input.
    fn fact(&mut self, done: &Done<'_>, effects: &[Effect]) {
        let index = self.facts.entry(done.record.offset).or_default();
        let fact = outputs::fact(done, effects, self.cx.lane, *index);
        *index += 1;
        let record = history::encode(self.cx.names, self.cx.lane, &fact);
        self.out.plan.outputs.push(Output {
            record,
            input: done.record.offset,
            class: OutputClass::History,
        });
    }

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

    fn orphan(&mut self, record: &Received, reason: &str) {
        self.out.stats.skip("orphan");
        let copy = orphan::encode(self.cx.names, record, None, reason);
        self.out.plan.outputs.push(Output {
            record: copy,
            input: record.offset,
            class: OutputClass::Orphan,
        });
    }

    fn set_aside(
        &mut self,
        record: &Received,
        class: &str,
        stage: &str,
        message: &str,
        saga: Option<&SagaId>,
    ) {
        self.out.stats.dead_letter(class);
        let cause = dead_letter::Cause {
            class: class.to_owned(),
            stage: stage.to_owned(),
            message: message.to_owned(),
            saga: saga.cloned(),
            definition: None,
            group: self.cx.group.to_owned(),
            delivery_count: 1,
        };
        let letter = dead_letter::encode(self.cx.names, record, &cause);
        self.out.plan.outputs.push(Output {
            record: letter,
            input: record.offset,
            class: OutputClass::DeadLetter,
        });
    }

    /// B4: one journal record per changed saga, then the header.
    fn finish(mut self) -> Result<Outcome, Problem> {
        for (id, touched) in self.instances.changed() {
            let input = self.changed_by.get(id).copied().unwrap_or(self.out.end - 1);
            let document = touched
                .now
                .as_ref()
                .map(|i| state::encode(i, state::Codec::MessagePack))
                .transpose();
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

/// An event's instance before it is applied: it names its version, so no hash is computed for it.
fn unstarted(saga: &SagaId, reference: &str, input: &Input) -> Option<Instance> {
    match &input.kind {
        Kind::Event(event) => Some(Instance::unstarted(
            saga.clone(),
            reference.to_owned(),
            event,
            input.time_ms,
        )),
        _ => None,
    }
}

/// A new instance keeps the version it began with, and the trace it came from.
fn stamp(now: &mut Option<Instance>, new: bool, reference: &str, traceparent: Option<&str>) {
    if let (true, Some(instance)) = (new, now) {
        reference.clone_into(&mut instance.definition);
        instance.traceparent = traceparent.map(str::to_owned);
    }
}

fn class_word(kind: IncidentKind) -> &'static str {
    match kind {
        IncidentKind::Panic => "panic",
        IncidentKind::Poison => "poison",
        _ => "output_refused",
    }
}

fn kind_word(inbox: &Inbox) -> &'static str {
    match inbox {
        Inbox::Event { .. } => "event",
        Inbox::Reply { .. } => "reply",
        Inbox::Timer { .. } => "timer",
        Inbox::Signal { .. } => "signal",
        Inbox::Expire { .. } => "expire",
    }
}
