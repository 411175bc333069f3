//! Incidents: why an instance waits for an operator.
//!
//! Absent on purpose: how each is resolved (see [`crate::transition`]).

use serde::{Deserialize, Serialize};

use super::Status;

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
    /// The program asks for what this release cannot run: a node kind, too many nodes in one transition, or too many inputs.
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
