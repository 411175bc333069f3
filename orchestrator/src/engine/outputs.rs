//! Effects as records, and the check every output passes before it is written.
//!
//! Absent on purpose: outages, which are nobody's fault, and rights that no record was refused for yet.

use saga_lib::effect::{Effect, Note};
use saga_lib::id::SagaId;
use saga_lib::input::Input;
use schemas::body::Body;
use schemas::command;
use schemas::history::{Fact, InputSummary, SentCommand, Verdict};
use schemas::record::Outgoing;
use serde_json::Value;

use super::plan::{Context, Done};
use super::topics::{TopicState, Topics};
use crate::worker::role::OutputClass;

/// Result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// It may be written.
    Good,
    /// The topic must be looked up first.
    LookUp,
    /// It cannot be written; why and what to do.
    Bad(String),
}

/// A command or published event as a record.
///
/// # Errors
/// Why its payload cannot be written as its definition says, and what to do.
pub fn encode(
    cx: &Context<'_>,
    saga: &SagaId,
    reference: &str,
    input: &Input,
    traceparent: Option<&str>,
    effect: &Effect,
) -> Result<(Outgoing, OutputClass), String> {
    let inbox = cx.names.inbox();
    let context = command::Context {
        app: cx.names.app(),
        reply_topic: &inbox,
        lane: cx.lane,
        definition: reference,
        saga,
        causation: &input.id,
        traceparent,
        time_ms: input.time_ms,
    };
    let body = |topic, r#type, payload| body(cx, reference, topic, r#type, payload);
    match effect {
        Effect::Publish(publish) => {
            let body = body(&publish.topic, &publish.r#type, &publish.payload)?;
            let record = command::encode_publish_with(&context, publish, body);
            Ok((record, OutputClass::Event))
        }
        Effect::Command(command) => {
            let body = body(&command.topic, &command.r#type, &command.payload)?;
            let record = command::encode_command_with(&context, command, body);
            Ok((record, OutputClass::Command))
        }
        Effect::Orphan { .. } | Effect::DeadLetter { .. } | Effect::Note(_) => {
            unreachable!("only commands and published events are encoded here")
        }
    }
}

/// The schema of an Avro message stands in the definition's bundle: nobody is asked.
fn body(
    cx: &Context<'_>,
    reference: &str,
    topic: &str,
    r#type: &str,
    payload: &Value,
) -> Result<Body, String> {
    let Some(formats) = cx.definitions.formats(reference) else {
        return Ok(Body::json(payload));
    };
    let body = formats.body(topic, r#type, payload);
    body.map_err(|reason| format!("{reason}; then `skald saga retry`"))
}

/// May this record be written?
pub fn check(topics: &Topics, record: &Outgoing) -> Check {
    match topics.state(&record.topic) {
        None => Check::LookUp,
        Some(TopicState::Missing) => Check::Bad(format!(
            "topic `{}` does not exist: create it, then `skald saga retry`",
            record.topic
        )),
        Some(TopicState::Takes(max)) if record.size() > max => Check::Bad(format!(
            "record of {} bytes is larger than `max.message.bytes` ({max}) of topic `{}`: send less or raise the limit, then `skald saga retry`",
            record.size(),
            record.topic
        )),
        Some(TopicState::Takes(_)) => match topics.refusal(&record.topic, record.size()) {
            Some(reason) => Check::Bad(refused(&record.topic, reason)),
            None => Check::Good,
        },
    }
}

/// Why a record that looked good was refused, and what to do.
fn refused(topic: &str, reason: &str) -> String {
    format!(
        "topic `{topic}` does not take the record ({reason}): grant the right to write or mend the topic, then `skald saga retry`"
    )
}

/// The fact of one input.
pub fn fact(done: &Done<'_>, effects: &[Effect], lane: u32, index: u32) -> Fact {
    let (applied, reason) = Verdict::of(&done.applied);
    let commands = effects.iter().filter_map(|e| {
        if let Effect::Command(c) = e {
            Some(SentCommand::from(c))
        } else {
            None
        }
    });
    let notes = effects.iter().filter_map(|e| {
        if let Effect::Note(n) = e {
            Some(Note::clone(n))
        } else {
            None
        }
    });
    let status = |i: &saga_lib::instance::Instance| i.status;
    let revision = |i: &saga_lib::instance::Instance| i.revision;
    Fact {
        saga: done.saga.clone(),
        definition: (!done.reference.is_empty()).then(|| done.reference.to_owned()),
        input: InputSummary::of(&done.input.id, &done.input.kind),
        applied,
        reason,
        status_before: done.before.as_ref().map(status),
        status_after: done.now.as_ref().map(status),
        revision_before: done.before.as_ref().map(revision),
        revision_after: done.now.as_ref().map(revision),
        commands: commands.collect(),
        notes: notes.collect(),
        lane,
        offset: done.record.offset,
        index,
        time_ms: done.record.timestamp_ms,
    }
}
