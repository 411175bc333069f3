//! What a plan writes: outputs, facts, orphans and dead letters.
//!
//! Absent on purpose: journal images and the header, which belong to the end of a plan.

use saga_lib::effect::Effect;
use saga_lib::id::SagaId;
use saga_lib::input::Kind;
use saga_lib::instance::{Early, IncidentKind};
use saga_lib::transition::Applied;
use schemas::inbox::{Origin, encode_awaited};
use schemas::record::Received;
use schemas::{dead_letter, history, orphan};

use super::super::counters::versioned;
use super::super::outputs;
use super::{Done, Planner, Problem, Verdict};
use crate::worker::role::{Output, OutputClass};

impl Planner<'_> {
    pub(super) fn outputs(&mut self, done: &Done<'_>, effects: &[Effect]) -> Result<(), Problem> {
        for effect in effects {
            match effect {
                Effect::Command(_) | Effect::Publish(_) => self.output(done, effect)?,
                Effect::Orphan {
                    reason,
                    early: None,
                } => self.orphan(done.record, reason),
                Effect::Orphan {
                    reason,
                    early: Some(early),
                } => self.unmatched(done, early, reason),
                Effect::DeadLetter { class, message } => {
                    self.set_aside(done.record, class, "apply", message, Some(done.saga));
                }
                Effect::Note(note) => {
                    let age = done
                        .now
                        .as_ref()
                        .or(done.before.as_ref())
                        .map_or(0, |i| i.updated_ms - i.started_ms);
                    let definition = versioned(done.reference);
                    self.out.stats.notes.push((definition, note.clone(), age));
                }
            }
        }
        if let Applied::Ignored(reason) = &done.applied {
            let word = history::reason_word(*reason);
            self.out.stats.skip(word);
            if matches!(done.input.kind, Kind::Reply(_)) {
                self.out.stats.reply(&versioned(done.reference), word);
            }
        }
        Ok(())
    }

    /// Checks an output before it is written: a bad one parks its instance, nobody else.
    pub(super) fn output(&mut self, done: &Done<'_>, effect: &Effect) -> Result<(), Problem> {
        let traceparent = done.now.as_ref().and_then(|i| i.traceparent.as_deref());
        let encoded = outputs::encode(
            self.cx,
            done.saga,
            done.reference,
            done.input,
            traceparent,
            effect,
        );
        let (record, class) = encoded.map_err(|reason| refused(done, reason))?;
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
            outputs::Check::Bad(reason) => Err(refused(done, reason)),
        }
    }

    /// One fact per input.
    pub(super) fn fact(&mut self, done: &Done<'_>, effects: &[Effect]) {
        let index = self.facts.entry(done.record.offset).or_default();
        let fact = outputs::fact(done, effects, self.cx.lane, *index);
        *index += 1;
        self.out.stats.fact(done.applied == Applied::Changed);
        let record = history::encode(self.cx.names, self.cx.lane, &fact);
        self.out.plan.outputs.push(Output {
            record,
            input: done.record.offset,
            class: OutputClass::History,
        });
    }

    pub(super) fn orphan(&mut self, record: &Received, reason: &str) {
        self.out.stats.skip("orphan");
        let copy = orphan::encode(self.cx.names, record, None, reason);
        self.out.plan.outputs.push(Output {
            record: copy,
            input: record.offset,
            class: OutputClass::Orphan,
        });
    }

    /// An event that was kept for a wait that never came.
    fn unmatched(&mut self, done: &Done<'_>, early: &Early, reason: &str) {
        self.out.stats.skip("orphan");
        let origin = Origin {
            id: &early.id,
            traceparent: None,
        };
        let (names, lanes) = (self.cx.names, self.cx.lanes);
        let event = encode_awaited(
            names,
            lanes,
            done.saga,
            done.reference,
            &early.event,
            &origin,
        );
        let record = event.received(self.cx.lane, done.record.offset, early.at_ms);
        let copy = orphan::encode(names, &record, Some(done.saga), reason);
        self.out.plan.outputs.push(Output {
            record: copy,
            input: done.record.offset,
            class: OutputClass::Orphan,
        });
    }

    pub(super) fn set_aside(
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
}

/// An output that cannot be written: its input parks the instance instead.
fn refused(done: &Done<'_>, reason: String) -> Problem {
    let verdict = Verdict {
        kind: IncidentKind::OutputRefused,
        reason,
    };
    Problem::Judge(done.record.offset, verdict)
}
