//! What a business event means for instances that run already: an event that is awaited, or a reply in a participant's own topic.
//!
//! Every deployed version counts, because instances finish on the version they began with. One inbox record goes to each instance the
//! event names, however many versions name it.
//!
//! Absent on purpose: whether anything waits. The instance decides that, in its order of inputs.

use std::collections::{BTreeMap, BTreeSet};

use saga_lib::expr::Scope;
use saga_lib::id::{CommandId, SagaId};
use saga_lib::input::{Awaited, Reply};
use saga_lib::ir::{Await, Definition, Replies};
use schemas::event::Decoded;
use schemas::headers;
use schemas::inbox::{Origin, cause, encode_awaited, encode_reply};
use schemas::record::{Outgoing, Received};
use serde_json::Value;

use super::{Context, Outcome, Refusal, names_same, set_aside, sign_and_push, text};

/// Plans the inbox records of an event; false: it concerns no deployed version.
pub(super) fn correlate(
    cx: &Context<'_>,
    out: &mut Outcome,
    record: &Received,
    decoded: &Decoded,
    only: Option<&str>,
) -> bool {
    let awaited = events(cx, out, record, decoded, only);
    let replied = replies(cx, out, record, decoded, only);
    awaited || replied
}

fn events(
    cx: &Context<'_>,
    out: &mut Outcome,
    record: &Received,
    decoded: &Decoded,
    only: Option<&str>,
) -> bool {
    let mut reached = BTreeSet::new();
    let mut refused = BTreeMap::new();
    let readers = cx.definitions.sources_read().get(&record.partition.topic);
    for version in readers.iter().flat_map(|readers| &readers.awaits) {
        let (reference, definition) = (&version.reference, &*version.definition);
        if only.is_some_and(|only| !names_same(only, reference)) {
            continue;
        }
        let waits = definition.awaits();
        for wait in waits.filter(|wait| is_kind(wait, record, decoded)) {
            match key(record, decoded, (reference, definition), wait) {
                Ok(saga) if !reached.insert(saga.clone()) => {}
                Ok(saga) => {
                    let r#type = wait.r#type.as_ref().or(decoded.r#type.as_ref());
                    awaited(cx, out, record, decoded, (reference, &saga), r#type);
                }
                Err(refusal) => {
                    refused.insert(definition.name.as_str(), refusal);
                }
            }
        }
    }
    let matched = !reached.is_empty() || !refused.is_empty();
    // Versions share their instances: one dead letter, sent back once, is for all of them, and none if one of them found its instance.
    for definition in reached.iter().map(SagaId::definition) {
        refused.remove(definition);
    }
    for refusal in refused.values() {
        set_aside(cx, out, record, refusal);
    }
    matched
}

fn is_kind(wait: &Await, record: &Received, decoded: &Decoded) -> bool {
    // An Avro type answers to its last name, too.
    let typed = wait.r#type.as_ref().is_none_or(|t| decoded.is_type(t));
    wait.topic == record.partition.topic && typed
}

/// The instance whose key the event carries.
fn key(
    record: &Received,
    decoded: &Decoded,
    (reference, definition): (&str, &Definition),
    wait: &Await,
) -> Result<SagaId, Refusal> {
    let refuse = |problem: &dyn std::fmt::Display| Refusal {
        class: "key",
        stage: "key",
        message: format!(
            "`key` of an `await` of {} in {reference}: {problem}",
            record.partition.topic
        ),
        definition: Some(reference.to_owned()),
    };
    let scope = Scope::new().with("event", &decoded.payload);
    let key = text(&wait.key, &scope).map_err(|fault| refuse(&fault))?;
    SagaId::new(&definition.name, &key).map_err(|error| refuse(&error))
}

fn awaited(
    cx: &Context<'_>,
    out: &mut Outcome,
    record: &Received,
    decoded: &Decoded,
    (reference, saga): (&str, &SagaId),
    r#type: Option<&String>,
) {
    let identity = decoded.trigger.clone().unwrap_or_else(|| record.position());
    let event = Awaited {
        key: saga.key(),
        topic: record.partition.topic.clone(),
        r#type: r#type.cloned(),
        event: identity,
        payload: decoded.payload.clone(),
    };
    let origin = Origin {
        id: &event.event,
        traceparent: decoded.traceparent.as_deref(),
    };
    // A document of an instance that has not begun belongs to the version that new instances begin with.
    let active = cx.definitions.active_reference(saga.definition());
    let reference = active.as_deref().unwrap_or(reference);
    let outgoing = encode_awaited(cx.names, cx.lanes, saga, reference, &event, &origin);
    sign_and_push(cx, out, record, outgoing, reference);
}

fn replies(
    cx: &Context<'_>,
    out: &mut Outcome,
    record: &Received,
    decoded: &Decoded,
    only: Option<&str>,
) -> bool {
    let mut reached = BTreeSet::new();
    let readers = cx.definitions.sources_read().get(&record.partition.topic);
    for version in readers.iter().flat_map(|readers| &readers.replies) {
        let (reference, definition) = (&version.reference, &*version.definition);
        if only.is_some_and(|only| !names_same(only, reference)) {
            continue;
        }
        let sources = definition.reply_sources();
        for source in sources.filter(|source| source.topic == record.partition.topic) {
            let Some(command) = command(source, decoded) else {
                continue;
            };
            if command.saga.definition() == definition.name && reached.insert(command.to_string()) {
                let outgoing = reply(cx, record, decoded, command);
                sign_and_push(cx, out, record, outgoing, reference);
            }
        }
    }
    !reached.is_empty()
}

/// The command that the event answers. A service's topic holds other events too, so one that names no command is no mistake.
fn command(source: &Replies, decoded: &Decoded) -> Option<CommandId> {
    let scope = Scope::new().with("event", &decoded.payload);
    match source.command.evaluate(&scope) {
        Ok(Value::String(text)) => CommandId::parse(&text).ok(),
        _ => None,
    }
}

fn reply(cx: &Context<'_>, record: &Received, decoded: &Decoded, command: CommandId) -> Outgoing {
    // A header that is no text says nothing; the field of the body may.
    let cause = |header, field| cause(record, header, &decoded.payload, field).unwrap_or(None);
    let said = record.headers.text(headers::OUTCOME);
    let attempt = record.headers.text(headers::ATTEMPT);
    let reply = Reply {
        command,
        outcome: said.unwrap_or_default().to_owned(),
        r#type: decoded.r#type.clone(),
        attempt: attempt.and_then(|text| text.parse().ok()),
        code: cause(headers::CODE, "code"),
        reason: cause(headers::REASON, "reason"),
        payload: decoded.payload.clone(),
    };
    let identity = decoded.trigger.clone().unwrap_or_else(|| record.position());
    let origin = Origin {
        id: &identity,
        traceparent: decoded.traceparent.as_deref(),
    };
    encode_reply(cx.names, cx.lanes, &reply, &origin)
}
