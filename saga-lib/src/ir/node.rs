//! Nodes: what a definition is made of.
//!
//! Absent on purpose: commands (see [`super::send`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Catch, Send, Template};
use crate::expr::Expr;

/// Index of a node in [`super::Definition::nodes`].
pub type NodeIx = u32;

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Step id, unique in the definition (generated as `_<n>` where the author gave none): position and command path.
    pub step: String,
    /// Name under which the result is stored; the step id, if `None`. A fallback shares that of its step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Runs only if this is true; otherwise skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expr>,
    /// The node that follows; `None` ends the sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NodeIx>,
    /// What to do with outcomes, by name; `any` stands for every one but success.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub catch: BTreeMap<String, Catch>,
    /// A point that counts for the business, reached when the step succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milestone: Option<String>,
    /// A warning is due if the step takes longer, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla_ms: Option<i64>,
    /// What it does.
    pub kind: Kind,
}

impl Node {
    /// A node that does nothing special: no condition, nothing caught, nothing after it.
    pub fn new(step: impl Into<String>, kind: Kind) -> Self {
        Self {
            step: step.into(),
            result: None,
            when: None,
            next: None,
            catch: BTreeMap::new(),
            milestone: None,
            sla_ms: None,
            kind,
        }
    }

    /// Name under which its result is stored.
    pub fn result(&self) -> &str {
        self.result.as_deref().unwrap_or(&self.step)
    }
}

/// The ten node kinds.
///
/// Bodies (branches, repetitions, scopes, steps in `catch`) are sequences of their own: the end of the sequence leads back to the node
/// that began it. Only the arms of a branch are linked to what follows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Assign variables.
    Set(BTreeMap<String, Template>),
    /// Go to the first arm whose condition is true, else to `otherwise`, else on.
    Branch {
        /// Conditions and first nodes; `None` is an empty arm.
        arms: Vec<(Expr, Option<NodeIx>)>,
        /// First node if no condition is true.
        otherwise: Option<NodeIx>,
    },
    /// Start parallel branches.
    Fork {
        /// Names and first nodes; `None` is an empty branch.
        branches: Vec<(String, Option<NodeIx>)>,
        /// The join they end in.
        join: NodeIx,
    },
    /// The end of parallel branches.
    Join {
        /// How many must arrive; `None` is all. The others are given up, and what they did is compensated.
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
    /// A block: a body with its own compensation scope, time limit and names.
    Scope(Scope),
    /// End the innermost parallel branch or for_each element around it, else the saga.
    End {
        /// `completed` or a name.
        outcome: String,
    },
}

/// Repetition of a body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Iterate {
    /// List to walk; `None` repeats until `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Expr>,
    /// Name of the element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind: Option<String>,
    /// First node of the body.
    pub body: Option<NodeIx>,
    /// End condition, evaluated after each execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Expr>,
    /// Executions at once.
    pub limit: u32,
    /// Executions at most: more elements, or a loop that goes on, is the outcome `exhausted`.
    pub max: u32,
    /// What an execution leaves; the list of it is the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collect: Option<Template>,
}

/// Waiting for events or time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Wait {
    /// Event alternatives, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Await>,
    /// Rungs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ladder: Vec<Rung>,
    /// Go on at this time (ms since 1970, or RFC 3339 text).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Expr>,
    /// What is kept of the event (`event` in expressions), by name; everything, if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<BTreeMap<String, Template>>,
}

/// An event that is awaited by the saga's own key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Await {
    /// Outcome when it comes: `ok` or the alternative's name.
    pub name: String,
    /// Business topic.
    pub topic: String,
    /// Event type; `None` matches every record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// The saga key inside the event (`event` in expressions); ingress evaluates it.
    pub key: Expr,
    /// Filter over the event and the saga's data; the engine evaluates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Expr>,
}

/// A block.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// First node of the body.
    pub body: Option<NodeIx>,
    /// How long the body may take, ms; then the block's outcome is `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
    /// Names that exist only inside (arguments of a fragment). If there are any, results inside are local too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<BTreeMap<String, Template>>,
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
    /// In `finally`: arguments of the fragments that the event stands in, the outermost first. Only those of the last are visible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<BTreeMap<String, Template>>,
}
