//! Statuses of instances and steps: one enum each.
//!
//! Absent on purpose: what a status takes (see [`crate::transition::handling`]).

use serde::{Deserialize, Serialize};

/// Status of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Going forward.
    Running,
    /// Going back.
    Compensating,
    /// Waiting for an operator; [`super::Instance::incident`] says why and where it returns to.
    Parked,
    /// Stopped by an operator; [`super::Instance::suspended`] says where it returns to.
    Suspended,
    /// Every step on the path has its effect.
    Completed,
    /// Every effect that happened or may have happened is compensated.
    Compensated,
    /// Ended without compensation by an operator.
    Terminated,
    /// Not begun: events that the saga will await came before its trigger and are kept.
    Early,
}

impl Status {
    /// All statuses, in the order of their codes.
    pub const ALL: [Self; 8] = [
        Self::Running,
        Self::Compensating,
        Self::Parked,
        Self::Suspended,
        Self::Completed,
        Self::Compensated,
        Self::Terminated,
        Self::Early,
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
            Self::Early => "early",
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
            Self::Early => 'e',
        }
    }
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
