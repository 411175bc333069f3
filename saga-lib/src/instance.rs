//! The instance: the state of one saga, as transitions see it.
//!
//! Step names, command ids and inputs are derived, not stored. Field names are short because the document is stored with names
//! (never positionally), see `schemas::state`.
//!
//! Absent on purpose: bytes, and everything the store needs beside the document.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{CommandId, SagaId};
use crate::input::{Event, Input};
use crate::ir::{Definition, NodeIx};

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
    /// The program asks for what this release cannot run: a node kind, or too many nodes in one transition.
    Program,
}

impl IncidentKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::UnknownPivot,
        Self::CompensationRefused,
        Self::CompensationFailing,
        Self::RetriesExhausted,
        Self::ExpressionFault,
        Self::OutputRefused,
        Self::Panic,
        Self::UnknownDefinition,
        Self::Poison,
        Self::Declared,
        Self::Program,
    ];

    /// The word that people and metrics see.
    pub fn word(self) -> &'static str {
        match self {
            Self::UnknownPivot => "unknown_pivot",
            Self::CompensationRefused => "compensation_refused",
            Self::CompensationFailing => "compensation_failing",
            Self::RetriesExhausted => "retries_exhausted",
            Self::ExpressionFault => "expression_fault",
            Self::OutputRefused => "output_refused",
            Self::Panic => "panic",
            Self::UnknownDefinition => "unknown_definition",
            Self::Poison => "poison",
            Self::Declared => "declared",
            Self::Program => "program",
        }
    }

    /// Was the transition undone? Then its input stands at the head of the queue (unless it was a timer).
    pub fn undone(self) -> bool {
        match self {
            Self::ExpressionFault
            | Self::OutputRefused
            | Self::Panic
            | Self::UnknownDefinition
            | Self::Poison
            | Self::Program => true,
            Self::UnknownPivot
            | Self::CompensationRefused
            | Self::CompensationFailing
            | Self::RetriesExhausted
            | Self::Declared => false,
        }
    }
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
    /// Attempts made before the current ladder began (an operator's retry begins a fresh one).
    #[serde(rename = "o", default, skip_serializing_if = "is_zero")]
    pub before: u32,
    /// The request as it was sent; null for a compensating command, whose body stands in the obligation.
    #[serde(rename = "q", default, skip_serializing_if = "Value::is_null")]
    pub request: Value,
    /// Record key, where the step does not use the saga key.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
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
    /// The compensation's body as computed from the data at the step's completion.
    #[serde(rename = "c")]
    pub payload: Value,
    /// Record key, where the step does not use the saga key.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
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
    /// Nothing sent: compensated if the instance turns back.
    Open,
    /// Nothing sent, and the instance went on without the step's answer (`catch: continue`): compensated if the instance turns back or
    /// a late success proves the effect.
    Watched,
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
    /// Executions begun by step id, where there was more than one.
    #[serde(rename = "ex", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub executions: BTreeMap<String, u32>,
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
    /// Stays when a late success makes the instance compensate once more, so that nothing final is said twice.
    #[serde(rename = "t2", default, skip_serializing_if = "Option::is_none")]
    pub finished_ms: Option<i64>,
    /// Incoming W3C trace context.
    #[serde(rename = "tp", default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The last transitions, oldest first (bounded).
    #[serde(rename = "tl", default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Moment>,
}

impl Instance {
    /// An instance whose trigger has not been applied. `definition` is `name@version#hash`.
    pub fn unstarted(id: SagaId, definition: String, event: &Event, now_ms: i64) -> Self {
        Self {
            id,
            key: event.key.clone(),
            definition,
            trigger: event.trigger.clone(),
            revision: 0,
            status: Status::Running,
            incident: None,
            tokens: Vec::new(),
            obligations: Vec::new(),
            steps: BTreeMap::new(),
            executions: BTreeMap::new(),
            data: BTreeMap::new(),
            past_pivot: false,
            cancel: None,
            error: None,
            queue: Vec::new(),
            signals: Vec::new(),
            arm: 0,
            wake: Wake::Never,
            started_ms: now_ms,
            updated_ms: now_ms,
            finished_ms: None,
            traceparent: None,
            timeline: Vec::new(),
        }
    }

    /// Was the trigger applied? Before that there are no data, after it at least its payload.
    pub fn begun(&self) -> bool {
        self.status.is_final() || !self.data.is_empty()
    }

    /// The status that counts: of a parked or suspended instance the one it returns to.
    pub fn direction(&self) -> Status {
        match (self.status, &self.incident) {
            (Status::Parked | Status::Suspended, Some(incident)) => incident.from,
            (status, _) => status,
        }
    }

    /// Executions whose compensation is due and not confirmed.
    ///
    /// While an instance goes forward its completed steps owe nothing; they do from the moment it turns back.
    pub fn open_obligations(&self) -> Vec<&Obligation> {
        let back = matches!(self.direction(), Status::Compensating | Status::Terminated);
        let open = |obligation: &&Obligation| match obligation.state {
            ObligationState::Compensating | ObligationState::Refused => true,
            ObligationState::Open | ObligationState::Watched => back,
            ObligationState::Confirmed => false,
        };
        self.obligations.iter().filter(open).collect()
    }

    /// Must people be told "compensation incomplete"?
    pub fn compensation_incomplete(&self) -> bool {
        !self.open_obligations().is_empty()
    }

    /// Commands whose answer or next attempt is awaited: id, attempts made, next rung in ms.
    pub fn pending_commands(&self, definition: &Definition) -> Vec<(CommandId, u32, i64)> {
        let id = |node, execution| {
            let step = &definition.node(node)?.step;
            Some(CommandId::forward(&self.id, step, execution))
        };
        let forward = self.tokens.iter().filter_map(|token| {
            let pending = token.pending.as_ref()?;
            Some((
                id(token.node, token.execution)?,
                pending.attempt,
                pending.due_ms,
            ))
        });
        let back = self.obligations.iter().filter_map(|obligation| {
            let pending = obligation.pending.as_ref()?;
            let forward = id(obligation.node, obligation.execution)?;
            let command = forward.compensated_by(obligation.compensation);
            Some((command, pending.attempt, pending.due_ms))
        });
        forward.chain(back).collect()
    }

    /// What happens next by itself: the earliest due time of a pending command.
    pub fn next_due_ms(&self) -> Option<i64> {
        let tokens = self.tokens.iter().filter_map(|t| t.pending.as_ref());
        let back = self.obligations.iter().filter_map(|o| o.pending.as_ref());
        tokens.chain(back).map(|pending| pending.due_ms).min()
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
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
