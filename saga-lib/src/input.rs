//! Inputs: what may move a saga. Each is one record of the inbox, decoded, with the record's time inside.
//!
//! Absent on purpose: offsets, partitions and headers (the shell's business).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::CommandId;

/// One input of one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Identity of the record (`ce_id`, else topic/partition/offset): the causation id of what follows from it.
    pub id: String,
    /// The record's log append time, in milliseconds since 1970. A transition's time is never earlier than the instance's last.
    pub time_ms: i64,
    /// What came in.
    pub kind: Kind,
}

/// The kinds of input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A business event that starts an instance.
    Event(Event),
    /// A business event that an instance awaits, or will await.
    Awaited(Awaited),
    /// A participant's answer.
    Reply(Reply),
    /// The instance's timer with this arm sequence came due.
    TimerFired {
        /// Arm sequence the timer was written for; any other than the current one is stale.
        arm: u64,
    },
    /// An operator's act.
    Signal(Signal),
    /// The `retain` of a finished instance may be over.
    Expire {
        /// Arm sequence of the expiry entry.
        arm: u64,
    },
}

/// The kinds of input without their content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KindName {
    /// See [`Kind::Event`].
    Event,
    /// See [`Kind::Awaited`].
    Awaited,
    /// See [`Kind::Reply`].
    Reply,
    /// See [`Kind::TimerFired`].
    TimerFired,
    /// See [`Kind::Signal`].
    Signal,
    /// See [`Kind::Expire`].
    Expire,
}

impl KindName {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Event,
        Self::Awaited,
        Self::Reply,
        Self::TimerFired,
        Self::Signal,
        Self::Expire,
    ];
}

impl Kind {
    /// The kind without its content.
    pub fn name(&self) -> KindName {
        match self {
            Self::Event(_) => KindName::Event,
            Self::Awaited(_) => KindName::Awaited,
            Self::Reply(_) => KindName::Reply,
            Self::TimerFired { .. } => KindName::TimerFired,
            Self::Signal(_) => KindName::Signal,
            Self::Expire { .. } => KindName::Expire,
        }
    }
}

/// A business event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The name the payload is bound to (`as` of the start).
    pub bind: String,
    /// Raw business key.
    pub key: String,
    /// The event's type, if it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// Identity of the trigger: a second event with the same identity is the same event.
    pub trigger: String,
    /// The payload.
    pub payload: Value,
}

/// A business event that is awaited by the saga key it carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Awaited {
    /// Raw saga key, as ingress read it from the event.
    pub key: String,
    /// Business topic it came from.
    pub topic: String,
    /// The event's type, if it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// The event's identity: the same event twice is one event.
    pub event: String,
    /// The payload (`event` in expressions).
    pub payload: Value,
}

/// A participant's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The command it answers.
    pub command: CommandId,
    /// Outcome as it came: `ok`, `refused`, `failed` or a name of the contract; empty if the reply did not say it, then the contract does.
    pub outcome: String,
    /// Message type, if it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// The attempt it answers, if the participant echoed it: a repeated `failed` of an earlier attempt is then told from a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The payload (`reply` in expressions).
    pub payload: Value,
    /// Machine-readable cause of a refusal or failure, if given (`error.code`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Cause for people, if given (`error.reason`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An operator's act on one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Client-chosen id: the same signal twice is one signal.
    pub id: String,
    /// Who asked.
    pub actor: String,
    /// Apply only at this revision, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_revision: Option<u64>,
    /// What to do.
    pub act: Act,
}

/// What a signal asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Compensate what was done and end; refused after the pivot.
    Cancel {
        /// Why, for people.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Resolve the incident of a parked instance by trying again, or re-send now what waits for its next attempt.
    Retry,
    /// Execute the refused step of a parked instance again with another request.
    RetryWith {
        /// The new body.
        input: Value,
    },
    /// Decide the outcome of the step (or refused compensation) that an incident is about.
    Skip {
        /// Outcome name; the step's first success, if `None`.
        #[serde(default)]
        outcome: Option<String>,
        /// What counts as the reply.
        #[serde(default)]
        output: Value,
    },
    /// Stop: every input but signals is kept.
    Suspend,
    /// Go on after [`Act::Suspend`].
    Resume,
    /// End without compensation; what is owed stays visible. On a terminated instance: declare what is owed as settled.
    Terminate {
        /// Why, for people.
        reason: String,
    },
}
