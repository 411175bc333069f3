//! What each record of the inbox asks for, and the one place where inputs meet instances.
//!
//! Absent on purpose: records that are written (see `writes`).

use std::panic::{AssertUnwindSafe, catch_unwind};

use saga_lib::effect::Effect;
use saga_lib::id::SagaId;
use saga_lib::input::{Input, Kind};
use saga_lib::instance::{IncidentKind, Instance, Status};
use saga_lib::ir::Definition;
use saga_lib::transition::{self, Applied, Reason};
use schemas::inbox::{self, Inbox};
use schemas::record::Received;
use schemas::{headers, lane, signature};

use super::{Done, Entry, OutputClass, Planner, Problem, Verdict};

impl<'a> Planner<'a> {
    pub(super) fn entry(&mut self, entry: &Entry) -> Result<(), Problem> {
        let (from, facts) = (self.out.plan.outputs.len(), self.out.stats.facts);
        self.input(entry)?;
        let topic = entry.record.headers.text(headers::REDRIVE_TOPIC);
        if topic == Some(self.cx.names.inbox().as_str()) {
            self.came_back(&entry.record, from, facts);
        }
        Ok(())
    }

    /// Counts a dead letter that was sent back into its lane. One that is forwarded counts where it arrives.
    fn came_back(&mut self, record: &Received, from: usize, (facts, unchanged): (u64, u64)) {
        let made = &self.out.plan.outputs[from..];
        let dead = made.iter().any(|o| o.class == OutputClass::DeadLetter);
        let (facts_now, unchanged_now) = self.out.stats.facts;
        match (dead, facts_now > facts, unchanged_now > unchanged) {
            (true, ..) => self.out.stats.redriven(record, Some(true)),
            (false, true, false) => self.out.stats.redriven(record, Some(false)),
            (false, true, true) => self.out.stats.redriven(record, None),
            (false, false, _) => {}
        }
    }

    fn input(&mut self, entry: &Entry) -> Result<(), Problem> {
        let record = &entry.record;
        self.out.end = record.offset + 1;
        let inbox = match &entry.inbox {
            Ok(inbox) => inbox,
            Err(error) => {
                self.out.stats.arrived("unknown", record.timestamp_ms);
                *self.out.stats.undecodable.entry("inbox").or_default() += 1;
                self.set_aside(record, "undecodable", "decode", &error.to_string(), None);
                return Ok(());
            }
        };
        self.out
            .stats
            .arrived(kind_word(inbox), record.timestamp_ms);
        if let Err((class, message)) = self.admit(record, inbox) {
            self.set_aside(record, class, "decode", &message, None);
            return Ok(());
        }
        self.dispatch(record, inbox)
    }

    /// Records that only Skald writes must be signed where that is required, and stand in the lane of their saga.
    fn admit(&self, record: &Received, inbox: &Inbox) -> Result<(), (&'static str, String)> {
        let saga = match inbox {
            Inbox::Reply { .. } => return Ok(()),
            Inbox::Event { saga, .. }
            | Inbox::Awaited { saga, .. }
            | Inbox::Timer { saga, .. }
            | Inbox::Signal { saga, .. } => Some(saga),
            Inbox::Expire { entries, .. } => entries.first().map(|(saga, _)| saga),
        };
        if self.cx.require_signature {
            let verified = signature::verify(self.cx.keys, self.cx.names.app(), record);
            verified.map_err(|error| ("unsigned", error.to_string()))?;
        }
        match saga.map(|saga| lane::lane_of_saga(saga, self.cx.lanes)) {
            Some(lane) if lane != self.cx.lane => Err((
                "misplaced",
                format!("the record belongs into partition {lane}: write it there"),
            )),
            _ => Ok(()),
        }
    }

    fn dispatch(&mut self, record: &Received, inbox: &Inbox) -> Result<(), Problem> {
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
            Inbox::Awaited {
                saga,
                definition,
                input,
            } => self.saga(record, saga, Some(definition), input, None),
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
    pub(super) fn saga(
        &mut self,
        record: &Received,
        saga: &SagaId,
        named: Option<&String>,
        input: &Input,
        traceparent: Option<&str>,
    ) -> Result<(), Problem> {
        let touched = self.instances.touch(saga.as_str()).map_err(Problem::Stop)?;
        let before = touched.now.clone();
        // The trigger takes over a document that only keeps events, with the version that it names.
        let begun = before
            .as_ref()
            .filter(|i| i.status != Status::Early || named.is_none());
        let known = begun.map(|i| i.definition.clone());
        let Some(reference) = known.or_else(|| named.cloned()) else {
            self.nobody(record, saga, input);
            return Ok(());
        };
        let verdicts = self.verdicts_of(record);
        if let [_, _, last, ..] = verdicts {
            self.set_aside_for(record, saga, last, "produce");
            return Ok(());
        }
        let mut now = before
            .clone()
            .or_else(|| unstarted(saga, &reference, input));
        let mut effects = std::mem::take(&mut self.buffer);
        effects.clear();
        let applied = self.apply(record, &reference, &mut now, input, &mut effects)?;
        // A refused output may be written after a repair; a panic or a poisoned record is also kept where operators look first.
        if let Some(verdict) = verdicts
            .first()
            .filter(|v| v.kind != IncidentKind::OutputRefused)
        {
            self.set_aside_for(record, saga, verdict, "apply");
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

    fn verdicts_of(&self, record: &Received) -> &'a [Verdict] {
        self.verdicts
            .get(&record.offset)
            .map_or(&[][..], Vec::as_slice)
    }

    fn set_aside_for(&mut self, record: &Received, saga: &SagaId, verdict: &Verdict, stage: &str) {
        self.set_aside(
            record,
            class_word(verdict.kind),
            stage,
            &verdict.reason,
            Some(saga),
        );
    }

    /// Applies the input, or parks its instance for the verdict on it.
    fn apply(
        &self,
        record: &Received,
        reference: &str,
        now: &mut Option<Instance>,
        input: &Input,
        effects: &mut Vec<Effect>,
    ) -> Result<Applied, Problem> {
        let definition = self.cx.definitions.by_reference(reference);
        let verdicts = self.verdicts_of(record);
        if let Some(v) = verdicts.first() {
            // What is said about the incident (`finally.parked`) may be what cannot be written: then it goes unsaid.
            let speaks = definition.as_deref().filter(|_| verdicts.len() == 1);
            return Ok(transition::park(
                speaks, now, input, v.kind, &v.reason, effects,
            ));
        }
        if let Some(definition) = definition {
            return caught(&definition, record, now, input, effects);
        }
        if !self.cx.unknown.contains(reference) {
            return Err(Problem::NeedDefinition(reference.to_owned()));
        }
        let detail = format!("definition `{reference}` is not deployed: deploy it, then retry");
        Ok(transition::park(
            None,
            now,
            input,
            IncidentKind::UnknownDefinition,
            &detail,
            effects,
        ))
    }

    /// Nobody waits for this record: replies are orphans, timers stale, signals rejected.
    fn nobody(&mut self, record: &Received, saga: &SagaId, input: &Input) {
        let applied = match &input.kind {
            Kind::Reply(_) => {
                self.orphan(
                    record,
                    "no saga waits for it (unknown id, or its retention is over)",
                );
                if let Some(active) = self.cx.definitions.active.get(saga.definition()) {
                    let definition = format!("{}@{}", saga.definition(), active.version);
                    self.out.stats.reply(&definition, "orphan");
                }
                Applied::Ignored(Reason::Orphan)
            }
            Kind::Signal(_) => Applied::Rejected(format!("no saga `{saga}` is stored")),
            _ => {
                self.out.stats.skip("stale");
                Applied::Ignored(Reason::StaleTimer)
            }
        };
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
}

/// A panic in a transition costs this input only: it gets a verdict and the lane is planned again.
fn caught(
    definition: &Definition,
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
        Inbox::Awaited { .. } => "awaited",
        Inbox::Reply { .. } => "reply",
        Inbox::Timer { .. } => "timer",
        Inbox::Signal { .. } => "signal",
        Inbox::Expire { .. } => "expire",
    }
}
