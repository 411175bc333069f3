//! The instance: the state of one saga, as transitions see it.
//!
//! Step names, command ids and inputs are derived, not stored. Field names are short because the document is stored with names
//! (never positionally), see `schemas::state`.
//!
//! Absent on purpose: bytes, and everything the store needs beside the document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::SagaId;
use crate::input::Input;
use crate::ir::NodeIx;

/// Status of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Going forward.
    Running,
    /// Going back.
    Compensating,
    /// Waiting for an operator; [`Instance::incident`] says why and where it returns to.
    Parked,
    /// Stopped by an operator (room for a later release).
    Suspended,
    /// Every step on the path has its effect.
    Completed,
    /// Every effect that happened or may have happened is compensated.
    Compensated,
    /// Ended without compensation by an operator (room for a later release).
    Terminated,
}

impl Status {
    /// All statuses, in the order of their codes.
    pub const ALL: [Self; 7] = [
        Self::Running,
        Self::Compensating,
        Self::Parked,
        Self::Suspended,
        Self::Completed,
        Self::Compensated,
        Self::Terminated,
    ];

    /// Is it a final status?
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated | Self::Terminated)
    }

    /// The word that people and metrics see.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Compensating => "compensating",
            Self::Parked => "parked",
            Self::Suspended => "suspended",
            Self::Completed => "completed",
            Self::Compensated => "compensated",
            Self::Terminated => "terminated",
        }
    }

    /// One ASCII letter for the document's header.
    pub fn code(self) -> char {
        match self {
            Self::Running => 'r',
            Self::Compensating => 'k',
            Self::Parked => 'p',
            Self::Suspended => 's',
            Self::Completed => 'c',
            Self::Compensated => 'b',
            Self::Terminated => 't',
        }
    }
}

/// Why an operator is needed: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// The pivot's outcome is unknown.
    UnknownPivot,
    /// A participant refused to compensate.
    CompensationRefused,
    /// A compensation keeps failing technically; it is tried for ever.
    CompensationFailing,
    /// A step after the pivot used up its attempts (or was refused).
    RetriesExhausted,
    /// An expression failed.
    ExpressionFault,
    /// An output could not be written: too large, unknown or not writable topic.
    OutputRefused,
    /// The transition panicked.
    Panic,
    /// The definition's hash is unknown to this process.
    UnknownDefinition,
    /// A record of this saga could not be committed, alone and repeatedly.
    Poison,
    /// The definition said so (`catch: park`).
    Declared,
}

/// An open incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Why.
    #[serde(rename = "k")]
    pub kind: IncidentKind,
    /// Status to return to.
    #[serde(rename = "f")]
    pub from: Status,
    /// Step where it happened, if any.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// For people: names the expression and the value, the topic, the reason.
    #[serde(rename = "d")]
    pub detail: String,
    /// Since when, ms.
    #[serde(rename = "t")]
    pub since_ms: i64,
}

/// A position in the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// Node.
    #[serde(rename = "n")]
    pub node: NodeIx,
    /// Execution number of the node's step.
    #[serde(rename = "e")]
    pub execution: u32,
    /// The command in flight, if the node sends one.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// A command whose answer is awaited, or that waits for its next attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// Attempts made.
    #[serde(rename = "a")]
    pub attempt: u32,
    /// When the first attempt went out, ms.
    #[serde(rename = "f")]
    pub first_ms: i64,
    /// Next rung: attempt timeout or end of the back-off, ms.
    #[serde(rename = "d")]
    pub due_ms: i64,
    /// Is `due_ms` the end of a back-off (then: re-send) or an attempt's timeout?
    #[serde(rename = "b", default)]
    pub backoff: bool,
    /// The request as it was sent.
    #[serde(rename = "q")]
    pub request: Value,
}

/// One execution of a step that has, or may have, an effect to compensate. Obligations belong to executions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Obligation {
    /// Node of the step.
    #[serde(rename = "n")]
    pub node: NodeIx,
    /// Execution number.
    #[serde(rename = "e")]
    pub execution: u32,
    /// Is the effect known to exist (success) or only possible (unknown)?
    #[serde(rename = "u", default)]
    pub unknown: bool,
    /// The forward request.
    #[serde(rename = "q")]
    pub request: Value,
    /// The compensation's body as computed from the data at the step's completion.
    #[serde(rename = "c")]
    pub payload: Value,
    /// Where its compensation stands.
    #[serde(rename = "s")]
    pub state: ObligationState,
    /// Number of the compensation execution, from 1.
    #[serde(rename = "m")]
    pub compensation: u32,
    /// The compensating command in flight.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// Where a compensation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObligationState {
    /// Nothing sent.
    Open,
    /// Sent, not confirmed.
    Compensating,
    /// Confirmed.
    Confirmed,
    /// The participant refused; an operator decides.
    Refused,
}

/// Status of one step, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not reached.
    Idle,
    /// Command sent.
    Pending,
    /// Its effect exists.
    Succeeded,
    /// Definitely no effect.
    Refused,
    /// Nobody knows.
    Unknown,
    /// Its compensation is under way.
    Compensating,
    /// Its compensation is confirmed.
    Compensated,
    /// Its `when` was false.
    Skipped,
}

/// One line of the bounded timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// When, ms.
    #[serde(rename = "t")]
    pub at_ms: i64,
    /// What, as one sentence without data.
    #[serde(rename = "w")]
    pub what: String,
}

/// The state of one saga.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Identity.
    #[serde(rename = "id")]
    pub id: SagaId,
    /// Raw business key.
    #[serde(rename = "k")]
    pub key: String,
    /// `name@version#hash` of the definition it began with and keeps.
    #[serde(rename = "def")]
    pub definition: String,
    /// Identity of the trigger.
    #[serde(rename = "tr")]
    pub trigger: String,
    /// Number of changes so far.
    #[serde(rename = "r")]
    pub revision: u64,
    /// Status.
    #[serde(rename = "st")]
    pub status: Status,
    /// The open incident.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Incident>,
    /// Positions.
    #[serde(rename = "tk", default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<Token>,
    /// Compensation log, in order of completion.
    #[serde(rename = "ob", default, skip_serializing_if = "Vec::is_empty")]
    pub obligations: Vec<Obligation>,
    /// Step statuses by step id.
    #[serde(rename = "ss", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub steps: BTreeMap<String, StepStatus>,
    /// The trigger's payload under its name, variables, and what steps kept.
    #[serde(rename = "d", default)]
    pub data: BTreeMap<String, Value>,
    /// The pivot is confirmed.
    #[serde(rename = "pv", default)]
    pub past_pivot: bool,
    /// A cancel that waits for the pivot's answer.
    #[serde(rename = "cx", default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<String>,
    /// Why it turned back: `error` in expressions.
    #[serde(rename = "er", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// Inputs kept while parked, in order; the first may be the one that parked it.
    #[serde(rename = "qu", default, skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<Input>,
    /// Ids of the signals applied last (bounded): the same signal twice is one signal.
    #[serde(rename = "sg", default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<String>,
    /// Arm sequence of the timer entry.
    #[serde(rename = "am")]
    pub arm: u64,
    /// The wake-up or expiry the timer entry stands for.
    #[serde(rename = "wk")]
    pub wake: Wake,
    /// Started, ms.
    #[serde(rename = "t0")]
    pub started_ms: i64,
    /// Time of the last transition, ms.
    #[serde(rename = "t1")]
    pub updated_ms: i64,
    /// Finished, ms.
    #[serde(rename = "t2", default, skip_serializing_if = "Option::is_none")]
    pub finished_ms: Option<i64>,
    /// Incoming W3C trace context.
    #[serde(rename = "tp", default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The last transitions, oldest first (bounded).
    #[serde(rename = "tl", default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Moment>,
}

/// What the instance's timer entry means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wake {
    /// Wake the instance at this time, ms.
    At(i64),
    /// Nothing to wait for but an operator (score +inf).
    Never,
    /// Remove the finished instance at this time, ms.
    Expire(i64),
}
