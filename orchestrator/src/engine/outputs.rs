//! Effects as records, and the check every output passes before it is written.
//!
//! Absent on purpose: rights and outages, which show only when a record is written.

use saga_lib::effect::Effect;
use saga_lib::id::SagaId;
use saga_lib::input::Input;
use schemas::command;
use schemas::record::Outgoing;

use super::plan::Context;
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
pub fn encode(
    cx: &Context<'_>,
    saga: &SagaId,
    reference: &str,
    input: &Input,
    traceparent: Option<&str>,
    effect: &Effect,
) -> (Outgoing, OutputClass) {
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
    match effect {
        Effect::Publish(publish) => (command::encode_publish(&context, publish), OutputClass::Event),
        Effect::Command(command) => (command::encode_command(&context, command), OutputClass::Command),
        Effect::Orphan { .. } | Effect::DeadLetter { .. } | Effect::Note(_) => {
            unreachable!("only commands and published events are encoded here")
        }
    }
}

/// May this record be written?
pub fn check(topics: &Topics, record: &Outgoing) -> Check {
    match topics.state(&record.topic) {
        None => Check::LookUp,
        Some(TopicState::Missing) => {
            Check::Bad(format!("topic `{}` does not exist: create it, then `skald saga retry`", record.topic))
        }
        Some(TopicState::Takes(max)) if record.size() > max => Check::Bad(format!(
            "record of {} bytes is larger than `max.message.bytes` ({max}) of topic `{}`: send less or raise the limit, then `skald saga retry`",
            record.size(),
            record.topic
        )),
        Some(TopicState::Takes(_)) => Check::Good,
    }
}
