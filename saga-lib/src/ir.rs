//! Intermediate representation: a definition as a flat array of ten node kinds.
//!
//! The transition function runs only these, so a new verb of the language needs no new state shape. The canonical form is JSON with
//! sorted keys; its hash names the version. Expressions are stored as source and compiled once, when the definition is read, so a
//! [`Definition`] that exists is valid.
//!
//! Absent on purpose: source positions and everything that only people read (see [`crate::definition`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::expr::Expr;

/// Layout version of the IR.
pub const LAYOUT: u16 = 1;

/// Index of a node in [`Definition::nodes`].
pub type NodeIx = u32;

/// One immutable version of one saga.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// [`LAYOUT`] it was written with.
    pub layout: u16,
    /// Name, e.g. `order`.
    pub name: String,
    /// Version, from 1.
    pub version: u32,
    /// Events that start an instance.
    pub starts: Vec<Start>,
    /// Mutable variables with their initial values.
    #[serde(default)]
    pub data: Vec<Variable>,
    /// The program. Execution begins at node 0.
    pub nodes: Vec<Node>,
    /// What to publish at the end.
    #[serde(default)]
    pub finally: Finally,
    /// How long a finished instance stays, in ms.
    pub retain_ms: i64,
    /// Bound on the whole instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Deadline>,
}

/// An event that starts an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Business topic.
    pub topic: String,
    /// Event type; `None` matches every record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// Name the payload is bound to.
    pub bind: String,
    /// Business key.
    pub key: Expr,
    /// Filter; only records for which it is true start an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Expr>,
    /// Identity of the event where it has no `ce_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Expr>,
    /// What a second event with the same key means.
    #[serde(default)]
    pub duplicates: Duplicates,
    /// Where reading begins on a partition without a committed offset.
    #[serde(default)]
    pub from: From,
}

/// What a second event with the same key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// A fact, nothing else.
    #[default]
    Ignore,
    /// A new instance of its own.
    New,
    /// A dead letter.
    Reject,
}

/// Where reading a business topic begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// The time of the definition's activation.
    #[default]
    Activation,
    /// The oldest record.
    Earliest,
    /// The end at the time of first reading.
    Latest,
    /// Records from this time on, ms since 1970.
    Time(i64),
}

/// A mutable variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Name.
    pub name: String,
    /// Type name, e.g. `boolean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// Initial value.
    pub init: Template,
}

/// Data with expressions at its leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// A value as it stands.
    Literal(Value),
    /// The value of an expression.
    Expr(Expr),
    /// An object of templates.
    Object(BTreeMap<String, Template>),
    /// A list of templates.
    Array(Vec<Template>),
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Step id (generated as `_<n>` where the author gave none): position, result name, command path.
    pub step: String,
    /// Runs only if this is true; otherwise skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expr>,
    /// The node that follows; `None` ends the sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NodeIx>,
    /// What it does.
    pub kind: Kind,
}

/// The ten node kinds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Assign variables.
    Set(BTreeMap<String, Template>),
    /// Go to the first arm whose condition is true.
    Branch {
        /// Conditions and targets.
        arms: Vec<(Expr, NodeIx)>,
        /// Target if none is true.
        otherwise: Option<NodeIx>,
    },
    /// Start parallel branches.
    Fork {
        /// Names and first nodes.
        branches: Vec<(String, NodeIx)>,
        /// The join they end in.
        join: NodeIx,
    },
    /// Wait for parallel branches.
    Join {
        /// How many must arrive; `None` is all.
        count: Option<u32>,
    },
    /// Repeat a body (for_each, loop).
    Iterate(Iterate),
    /// Send a command and await its reply.
    Send(Box<Send>),
    /// Wait for events or time.
    Wait(Wait),
    /// Publish a business event.
    Publish(Publish),
    /// Enter or leave a compensation scope.
    Scope {
        /// True at its beginning.
        enter: bool,
        /// Outcomes that are caught here.
        #[serde(default)]
        catch: BTreeMap<String, Catch>,
    },
    /// End the saga or branch early.
    End {
        /// `completed` or a name.
        outcome: String,
    },
}

/// Repetition of a body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Iterate {
    /// List to walk; `None` repeats until `until`.
    pub over: Option<Expr>,
    /// Name of the element.
    pub bind: Option<String>,
    /// First node of the body.
    pub body: NodeIx,
    /// End condition.
    pub until: Option<Expr>,
    /// Executions at once.
    pub limit: u32,
    /// Executions at most.
    pub max: u32,
}

/// Waiting for events or time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// Event alternatives.
    #[serde(default)]
    pub events: Vec<Start>,
    /// Rungs.
    pub ladder: Vec<Rung>,
}

/// A rung of the timer ladder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// After the node was entered, in ms.
    pub after_ms: i64,
    /// Then again every so many ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_ms: Option<i64>,
    /// What to do.
    pub action: RungAction,
}

/// What a rung does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RungAction {
    /// Send the pending command again, same id.
    Resend,
    /// Take an outcome.
    Route(String),
    /// Tell somebody.
    Notify(String),
}

/// Publish a business event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Publish {
    /// Topic.
    pub topic: String,
    /// Event type.
    pub r#type: String,
    /// Record key; the saga key if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Expr>,
    /// Body.
    pub payload: Template,
}

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
    /// What to do with outcomes.
    #[serde(default)]
    pub catch: BTreeMap<String, Catch>,
}

/// A participant's operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The operation as written, e.g. `credit.reserve`.
    pub operation: String,
    /// Command topic, e.g. `credit.commands`.
    pub topic: String,
    /// Message type, e.g. `reserve`.
    pub r#type: String,
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
    /// By this command. Its payload may use `request`, the trigger, and the data as they were at the step's completion.
    Command {
        /// Who is asked.
        target: Target,
        /// Body; the forward request, if `None`.
        payload: Option<Template>,
        /// How long an attempt may take, in ms.
        timeout_ms: i64,
        /// Spacing of attempts; there is no last one.
        retry: Retry,
    },
    /// Declared: nothing to compensate.
    Nothing {
        /// Why.
        because: String,
    },
    /// Does not apply (read-only, pivot, after the pivot).
    NotApplicable,
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

/// What to do with an outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Catch {
    /// Steps to run first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<NodeIx>,
    /// And then.
    pub then: Directive,
}

/// Directions after an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directive {
    /// Turn back.
    Compensate,
    /// Go on with the next step.
    Continue,
    /// Execute again.
    Retry,
    /// Wait for an operator.
    Park,
}

/// What to publish at the end, by final status.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Finally {
    /// When completed.
    #[serde(default)]
    pub completed: Vec<Publish>,
    /// When compensated.
    #[serde(default)]
    pub compensated: Vec<Publish>,
    /// When parked.
    #[serde(default)]
    pub parked: Vec<Publish>,
}

/// Bound on the whole instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deadline {
    /// After the start, in ms.
    pub after_ms: i64,
    /// Then.
    pub then: Directive,
    /// Warning, in ms after the start.
    pub warn_ms: Option<i64>,
}

impl Definition {
    /// The node at `ix`; every index in a compiled definition is inside the array.
    pub fn node(&self, ix: NodeIx) -> Option<&Node> {
        self.nodes.get(ix as usize)
    }

    /// Canonical JSON: the same definition gives the same bytes on every build.
    pub fn canonical(&self) -> String {
        // A trip through `Value` sorts the keys of structs as well.
        serde_json::to_value(self).map_or_else(|_| String::new(), |value| value.to_string())
    }

    /// Hash of the canonical form, 16 hex digits: the name of this version's meaning.
    pub fn hash(&self) -> String {
        format!(
            "{:016x}",
            xxhash_rust::xxh3::xxh3_64(self.canonical().as_bytes())
        )
    }
}
