//! Commands: who is asked, what an answer means, how often, and how it is compensated.
//!
//! Absent on purpose: what happens with an outcome (see [`super::Node::catch`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{NodeIx, Template};
use crate::expr::Expr;

/// Send a command and await its reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Send {
    /// Who is asked, and how.
    pub target: Target,
    /// Body.
    pub payload: Template,
    /// Record key; the saga key if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Expr>,
    /// What is kept of the reply, by name under the step's id; everything, if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<BTreeMap<String, Template>>,
    /// Kind of step.
    pub kind: StepKind,
    /// Outcome names that mean success.
    pub success: Vec<String>,
    /// Outcome names that mean: definitely no effect.
    pub refusal: Vec<String>,
    /// How the step is compensated.
    pub compensation: Compensation,
    /// How long an attempt may take, in ms.
    pub timeout_ms: i64,
    /// Attempts and their spacing.
    pub retry: Retry,
    /// Message types of replies, and the outcome each means (for replies that do not say their outcome).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, String>,
    /// The outcome of a reply that says neither its outcome nor a known type (`reply` in expressions).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Expr>,
    /// The second provider: a node that is executed instead after a refusal at once, after `failed` or `timeout` when this execution
    /// is compensated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<NodeIx>,
    /// A read-only command that asks for the outcome of an unknown pivot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<NodeIx>,
}

/// A participant's operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The operation as written, e.g. `credit.reserve`.
    pub operation: String,
    /// Command topic, e.g. `credit.commands`.
    pub topic: String,
    /// Message type, e.g. `reserve`.
    pub r#type: String,
    /// Where the participant answers, if not into the inbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replies: Option<Replies>,
}

/// A participant's own reply topic, which ingress reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replies {
    /// Topic.
    pub topic: String,
    /// The command id inside the reply (`event` in expressions).
    pub command: Expr,
}

/// Kind of step (compensatable, pivot, retriable, read-only).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Before the pivot; has a compensation.
    Compensatable,
    /// The go/no-go point.
    Pivot,
    /// After the pivot; only forward.
    Retriable,
    /// No effect; nothing to compensate.
    ReadOnly,
}

/// How a step is compensated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compensation {
    /// By this command.
    Command(Box<Counter>),
    /// Declared: nothing to compensate.
    Nothing {
        /// Why.
        because: String,
    },
    /// Does not apply (read-only, pivot, after the pivot).
    NotApplicable,
}

/// A counter-command. Its payload may use `request`, the trigger, and the data as they were at the step's completion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    /// Who is asked.
    pub target: Target,
    /// Body; the forward request, if `None`.
    pub payload: Option<Template>,
    /// How long an attempt may take, in ms.
    pub timeout_ms: i64,
    /// Spacing of attempts; there is no last one.
    pub retry: Retry,
    /// Outcome names that confirm.
    pub success: Vec<String>,
    /// Outcome names that refuse.
    pub refusal: Vec<String>,
    /// Message types of replies, and the outcome each means.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, String>,
    /// The outcome of a reply that says neither its outcome nor a known type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Expr>,
}

/// Attempts and their spacing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts at most; `None` is for ever.
    pub max: Option<u32>,
    /// First wait after a failed attempt, in ms.
    pub first_ms: i64,
    /// Growth of the wait.
    pub factor: f64,
    /// Longest wait, in ms.
    pub cap_ms: i64,
    /// Spread.
    pub jitter: Jitter,
    /// No new attempt later than this after the first, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<i64>,
    /// Is a technical failure tried again?
    pub after_failed: bool,
    /// Is a timeout tried again?
    pub after_timeout: bool,
}

/// Spread of waits: a hash of command id and attempt, so a replay gives the same times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Exactly the computed wait.
    None,
    /// Anything from 0 to the computed wait.
    Full,
    /// Half of the wait plus anything up to the other half.
    Equal,
}
