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

mod avro;
mod node;
mod send;
mod walk;

pub use avro::AvroMessage;
pub use node::{Await, Iterate, Kind, Node, NodeIx, Publish, Rung, RungAction, Scope, Wait};
pub use send::{Compensation, Counter, Jitter, Replies, Retry, Send, StepKind, Target};

/// Layout version of the IR.
pub const LAYOUT: u16 = 1;

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
    /// Business numbers, evaluated when an instance completes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measure: BTreeMap<String, Template>,
    /// What is sent in Avro, by topic and type; everything else is JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub avro: Vec<AvroMessage>,
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
    /// Then: compensate or park.
    pub then: Directive,
    /// Warning, in ms after the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
