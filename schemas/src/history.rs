//! History: one fact per input, public, for projector, audit, process mining and other services.
//!
//! A fact is a CloudEvent in binary mode with a JSON value, keyed by saga id, in the partition of its lane. Its id
//! `<inbox topic>/<lane>/<offset>[/n]` is the same however often the transition runs; n counts further facts of one record, from 1.
//!
//! Absent on purpose: payloads of events, commands and replies, which may be sensitive; the state itself is the journal's.

use saga_lib::effect::{Command, Note};
use saga_lib::id::{CommandId, SagaId};
use saga_lib::input::{Act, Kind};
use saga_lib::instance::Status;
use saga_lib::transition::{Applied, Reason};
use serde::{Deserialize, Serialize};

use crate::envelope::{self, Envelope};
use crate::headers;
use crate::record::{Outgoing, Received};
use crate::topics::Topics;

/// `ce_type` of facts.
pub const TYPE: &str = "skald.fact";

/// What one input did to one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The instance.
    pub saga: SagaId,
    /// `name@version#hash`, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// What came in.
    pub input: InputSummary,
    /// What became of it.
    pub applied: Verdict,
    /// Why it had no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Status before; `None`: there was no instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_before: Option<Status>,
    /// Status after; `None`: there is no instance (any more).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_after: Option<Status>,
    /// Revision before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_before: Option<u64>,
    /// Revision after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_after: Option<u64>,
    /// Commands that were sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<SentCommand>,
    /// What happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Lane of the record.
    pub lane: u32,
    /// Offset of the record in the inbox.
    pub offset: i64,
    /// Number of the fact among those of the record, from 0.
    #[serde(default)]
    pub index: u32,
    /// The record's time, ms.
    pub time_ms: i64,
}

/// An input without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputSummary {
    /// Identity of the record.
    pub id: String,
    /// `event`, `reply`, `timer`, `signal` or `expire`.
    pub kind: String,
    /// Type of an event, outcome of a reply, act and actor of a signal, arm sequence of a timer.
    pub summary: String,
    /// The command a reply answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandId>,
}

impl InputSummary {
    /// The summary of an input with this record identity.
    pub fn of(id: &str, kind: &Kind) -> Self {
        let (word, summary) = summary(kind);
        let command = match kind {
            Kind::Reply(reply) => Some(reply.command.clone()),
            _ => None,
        };
        Self {
            id: id.to_owned(),
            kind: word.to_owned(),
            summary,
            command,
        }
    }
}

fn summary(kind: &Kind) -> (&'static str, String) {
    match kind {
        Kind::Event(event) => ("event", event.r#type.clone().unwrap_or_default()),
        Kind::Awaited(event) => ("awaited", event.r#type.clone().unwrap_or_default()),
        Kind::Reply(reply) => {
            let code = reply.code.iter().map(|code| format!(" ({code})"));
            let code: String = code.collect();
            ("reply", format!("{}{code}", reply.outcome))
        }
        Kind::TimerFired { arm } => ("timer", arm.to_string()),
        Kind::Expire { arm } => ("expire", arm.to_string()),
        Kind::Signal(signal) => {
            let act = act_word(&signal.act);
            ("signal", format!("{act} by {}", signal.actor))
        }
    }
}

/// The word that facts and audit use for an operator's act.
pub fn act_word(act: &Act) -> &'static str {
    match act {
        Act::Cancel { .. } => "cancel",
        Act::Retry => "retry",
        Act::RetryWith { .. } => "retry_with",
        Act::Skip { .. } => "skip",
        Act::Suspend => "suspend",
        Act::Resume => "resume",
        Act::Terminate { .. } => "terminate",
    }
}

/// What became of an input, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The instance changed.
    Changed,
    /// Duplicate, late or stale.
    Ignored,
    /// The status forbids it.
    Rejected,
}

impl Verdict {
    /// Word and reason of a transition's answer.
    pub fn of(applied: &Applied) -> (Self, Option<String>) {
        match applied {
            Applied::Changed => (Self::Changed, None),
            Applied::Ignored(reason) => (Self::Ignored, Some(reason_word(*reason).to_owned())),
            Applied::Rejected(reason) => (Self::Rejected, Some(reason.clone())),
        }
    }
}

/// The word that facts and metrics use for a reason.
pub fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::Duplicate => "duplicate",
        Reason::Late => "late",
        Reason::StaleTimer => "stale_timer",
        Reason::EarlyTimer => "early_timer",
        Reason::Orphan => "orphan",
        Reason::QueueFull => "queue_full",
        Reason::Finished => "finished",
    }
}

/// A command that was sent, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentCommand {
    /// Command id.
    pub id: CommandId,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Command topic.
    pub topic: String,
    /// Message type.
    pub r#type: String,
}

impl From<&Command> for SentCommand {
    fn from(command: &Command) -> Self {
        Self {
            id: command.id.clone(),
            attempt: command.attempt,
            topic: command.topic.clone(),
            r#type: command.r#type.clone(),
        }
    }
}

/// Why a record is no fact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It has no value.
    #[error("history record {position} has no value: something else writes to this topic")]
    Empty {
        /// Where it stands.
        position: String,
    },
    /// Its value is not a fact.
    #[error("history record {position}: {problem}")]
    Shape {
        /// Where it stands.
        position: String,
        /// What is wrong, with the field.
        problem: String,
    },
}

/// The record of a fact.
///
/// # Panics
/// Never: a fact is plain data.
pub fn encode(topics: &Topics, lane: u32, fact: &Fact) -> Outgoing {
    let mut id = format!("{}/{}/{}", topics.inbox(), fact.lane, fact.offset);
    if fact.index > 0 {
        id.push_str(&format!("/{}", fact.index));
    }
    let mut headers = Envelope {
        id: &id,
        r#type: TYPE,
        source: &envelope::source(topics.app()),
        subject: Some(fact.saga.as_str()),
        time_ms: Some(fact.time_ms),
        correlation: Some(fact.saga.as_str()),
        causation: Some(&fact.input.id),
        traceparent: None,
    }
    .headers();
    if let Some(definition) = &fact.definition {
        headers.push(headers::DEFINITION, definition.as_str());
    }
    Outgoing {
        topic: topics.history(),
        partition: Some(lane),
        key: Some(fact.saga.as_str().as_bytes().to_vec()),
        value: Some(serde_json::to_vec(fact).expect("a fact is plain data")),
        headers,
    }
}

/// Reads a fact. Fields of a newer release are skipped.
///
/// # Errors
/// See [`Error`]; each names the record.
pub fn decode(record: &Received) -> Result<Fact, Error> {
    let value = record.value.as_deref().ok_or_else(|| Error::Empty {
        position: record.position(),
    })?;
    serde_json::from_slice(value).map_err(|error| Error::Shape {
        position: record.position(),
        problem: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
