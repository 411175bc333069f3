//! Progress: positions, commands in flight, and what is owed.
//!
//! Absent on purpose: ids and inputs of commands, which are derived.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::frame::{FrameId, Level};
use crate::ir::NodeIx;

/// A position in the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// Node.
    #[serde(rename = "n")]
    pub node: NodeIx,
    /// The frame it is in; 0 is the saga itself.
    #[serde(rename = "fr", default, skip_serializing_if = "is_zero")]
    pub frame: FrameId,
    /// Execution number of the node's step.
    #[serde(rename = "e")]
    pub execution: u32,
    /// The command in flight, if the node sends one.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// End of a wait, ms.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub due_ms: Option<i64>,
    /// When the step's service level is missed, ms; told once.
    #[serde(rename = "sl", default, skip_serializing_if = "Option::is_none")]
    pub sla_ms: Option<i64>,
    /// The first frame of steps in `catch` that ran while the outcome of its command was unknown, and left something to compensate;
    /// 0: there is none.
    #[serde(rename = "c", default, skip_serializing_if = "is_zero")]
    pub caught: FrameId,
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
    /// Where its step stands among repetitions: the part of the command's path behind the step id, e.g. `[2].3`.
    #[serde(rename = "x", default, skip_serializing_if = "String::is_empty")]
    pub suffix: String,
    /// The frames around it when it was executed, outermost first.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub lineage: Vec<Level>,
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
    /// To be compensated as soon as everything that came after it is.
    Due,
    /// Sent, not confirmed.
    Compensating,
    /// Confirmed.
    Confirmed,
    /// The participant refused; an operator decides.
    Refused,
}

pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
}
