//! Effects: what a transition wants done outside, appended to a buffer it was given.
//!
//! Absent on purpose: topics' partitions, headers and bytes (see `schemas`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::CommandId;
use crate::instance::{Early, IncidentKind, Status};

/// One thing to be done outside, or noted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Send a command.
    Command(Command),
    /// Publish a business event.
    Publish(Publish),
    /// Copy the input's record to the orphans topic: nothing waits for it.
    Orphan {
        /// Why nobody takes it.
        reason: String,
        /// The event, where it is one that was kept and not the input itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        early: Option<Box<Early>>,
    },
    /// Set the input's record aside.
    DeadLetter {
        /// Closed class, e.g. `queue_full`, `duplicate`.
        class: String,
        /// For people.
        message: String,
    },
    /// Nothing to send: something happened that history, timeline and metrics tell.
    Note(Note),
}

/// A command to a participant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Stable id; a re-send keeps it.
    pub id: CommandId,
    /// Attempt, from 1. (id, attempt) is visible once.
    pub attempt: u32,
    /// Command topic.
    pub topic: String,
    /// Message type (the operation after the dot).
    pub r#type: String,
    /// Body.
    pub payload: Value,
    /// Kafka record key: the raw saga key unless the step says otherwise.
    pub key: String,
    /// Step id.
    pub step: String,
    /// Forward execution this command compensates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensates: Option<CommandId>,
    /// When the sender gives up waiting for this attempt, in ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
}

/// A business event to publish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Publish {
    /// `<saga id>/<step>`: unique and repeatable.
    pub id: String,
    /// Topic.
    pub topic: String,
    /// Event type.
    pub r#type: String,
    /// Kafka record key.
    pub key: String,
    /// Body.
    pub payload: Value,
}

/// What happened, for timeline, history and metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum Note {
    /// The instance began.
    Started,
    /// A step's first command went out (or the step ran, if it sends nothing).
    StepStarted {
        /// Step id.
        step: String,
    },
    /// A command was sent again with the same id.
    Resent {
        /// Step id.
        step: String,
        /// The new attempt.
        attempt: u32,
        /// Is it a compensating command?
        compensation: bool,
    },
    /// A step's outcome is known or given up.
    StepFinished {
        /// Step id.
        step: String,
        /// `succeeded`, `refused`, `unknown` or `skipped`.
        outcome: String,
        /// From first command to outcome, in ms.
        wait_ms: i64,
    },
    /// The instance turned back.
    CompensationStarted {
        /// Step that caused it, or `cancel`.
        cause: String,
    },
    /// A compensating command was answered.
    CompensationFinished {
        /// Step id.
        step: String,
        /// `confirmed`, `refused` or `failed` (technical, will be retried).
        outcome: String,
    },
    /// The instance waits for an operator.
    Parked {
        /// Why.
        kind: IncidentKind,
        /// For people.
        detail: String,
    },
    /// The incident is closed; the instance goes on.
    Resumed,
    /// An incident is open although the instance goes on trying (compensation that keeps failing).
    IncidentOpened {
        /// Why.
        kind: IncidentKind,
        /// For people.
        detail: String,
    },
    /// A reply came after its step was given up.
    LateReply {
        /// Step id.
        step: String,
    },
    /// A point that counts for the business was reached.
    Milestone {
        /// Step id.
        step: String,
        /// Its name.
        name: String,
    },
    /// A step with an `sla` was done in time.
    ServiceLevelMet {
        /// Step id.
        step: String,
    },
    /// A step takes longer than its `sla` says.
    ServiceLevelMissed {
        /// Step id.
        step: String,
    },
    /// The warning before the saga's deadline.
    DeadlineNear,
    /// The saga's deadline passed.
    DeadlinePassed,
    /// Business numbers of a completed instance.
    Measured {
        /// Values by name.
        values: BTreeMap<String, Value>,
    },
    /// An operator stopped the instance.
    Suspended,
    /// The input was put into the queue of the parked instance.
    Queued,
    /// The instance reached a final status.
    Finished {
        /// Completed, compensated or terminated.
        status: Status,
    },
    /// The instance was removed at the end of its retention.
    Expired,
}
