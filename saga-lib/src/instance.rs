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
use crate::input::{Awaited, Event, Input};
use crate::ir::Definition;

mod frame;
mod incident;
mod progress;
mod status;

pub use frame::{Caught, Frame, FrameId, FrameKind, Level, Mode, ROOT, are_independent};
pub use incident::{Incident, IncidentKind};
pub use progress::{Obligation, ObligationState, Pending, Token};
pub use status::{Status, StepStatus};

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

/// An awaited event that came before anything waited for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Early {
    /// The event.
    #[serde(rename = "e")]
    pub event: Awaited,
    /// Identity of its record.
    #[serde(rename = "i")]
    pub id: String,
    /// When it came, ms.
    #[serde(rename = "t")]
    pub at_ms: i64,
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
    /// Open structures: branches, repetitions, blocks, steps in `catch`.
    #[serde(rename = "fs", default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<Frame>,
    /// Number of frames opened so far; the next one's id is one more.
    #[serde(rename = "fn", default, skip_serializing_if = "progress::is_zero")]
    pub frames_opened: u32,
    /// Compensation log, in order of completion.
    #[serde(rename = "ob", default, skip_serializing_if = "Vec::is_empty")]
    pub obligations: Vec<Obligation>,
    /// Step statuses by step id.
    #[serde(rename = "ss", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub steps: BTreeMap<String, StepStatus>,
    /// Highest execution number by step id, where there was more than one.
    #[serde(rename = "ex", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub executions: BTreeMap<String, u32>,
    /// Execution numbers by step id that a block which is executed again has used up.
    #[serde(rename = "ef", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub floors: BTreeMap<String, u32>,
    /// The trigger's payload under its name, variables, and what steps kept.
    #[serde(rename = "d", default)]
    pub data: BTreeMap<String, Value>,
    /// The pivot is confirmed.
    #[serde(rename = "pv", default)]
    pub past_pivot: bool,
    /// When the saga's deadline passes, ms; told once.
    #[serde(rename = "dl", default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<i64>,
    /// When the warning before it is due, ms.
    #[serde(rename = "dw", default, skip_serializing_if = "Option::is_none")]
    pub warning_ms: Option<i64>,
    /// Name under which a `stop` ended the saga.
    #[serde(rename = "oc", default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Status to return to when an operator resumes it.
    #[serde(rename = "su", default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Status>,
    /// Awaited events that came before anything waited for them.
    #[serde(rename = "ea", default, skip_serializing_if = "Vec::is_empty")]
    pub early: Vec<Early>,
    /// Identities of the awaited events that were taken last (bounded): the same event twice is one event.
    #[serde(rename = "ev", default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
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
            frames: Vec::new(),
            frames_opened: 0,
            obligations: Vec::new(),
            steps: BTreeMap::new(),
            executions: BTreeMap::new(),
            floors: BTreeMap::new(),
            data: BTreeMap::new(),
            past_pivot: false,
            deadline_ms: None,
            warning_ms: None,
            outcome: None,
            suspended: None,
            early: Vec::new(),
            events: Vec::new(),
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
        let status = self.suspended.unwrap_or(self.status);
        match (status, &self.incident) {
            (Status::Parked, Some(incident)) => incident.from,
            (status, _) => status,
        }
    }

    /// The open frame `id`.
    pub fn frame(&self, id: FrameId) -> Option<&Frame> {
        self.frames.iter().find(|frame| frame.id == id)
    }

    /// The open frame `id`, to change it.
    pub fn frame_mut(&mut self, id: FrameId) -> Option<&mut Frame> {
        self.frames.iter_mut().find(|frame| frame.id == id)
    }

    /// The frame `id` and those around it, innermost first.
    pub fn around(&self, id: FrameId) -> impl Iterator<Item = &Frame> {
        std::iter::successors(self.frame(id), |frame| self.frame(frame.parent))
    }

    /// Does `inner` lie inside `outer` (or is it that one)? Everything lies inside 0.
    pub fn is_within(&self, inner: FrameId, outer: FrameId) -> bool {
        outer == ROOT || self.around(inner).any(|frame| frame.id == outer)
    }

    /// Does nothing new begin in this frame, because it or one around it is being left?
    pub fn is_stopped(&self, id: FrameId) -> bool {
        matches!(self.direction(), Status::Compensating | Status::Terminated)
            || self.around(id).any(|frame| frame.mode != Mode::Forward)
    }

    /// The frames around a place, as an obligation keeps them: outermost first.
    pub fn lineage(&self, id: FrameId) -> Vec<Level> {
        let mut levels: Vec<Level> = self.around(id).map(Frame::level).collect();
        levels.reverse();
        levels
    }

    /// The part of a command's path behind the step id: `[i]` per element of a for_each, `.n` per round of a loop.
    pub fn suffix(&self, id: FrameId) -> String {
        let mut parts: Vec<String> = self.around(id).map(Frame::suffix).collect();
        parts.reverse();
        parts.concat()
    }

    /// Executions whose compensation is due and not confirmed.
    ///
    /// While an instance goes forward its completed steps owe nothing; they do from the moment it turns back.
    pub fn open_obligations(&self) -> Vec<&Obligation> {
        let back = matches!(self.direction(), Status::Compensating | Status::Terminated);
        let open = |obligation: &&Obligation| match obligation.state {
            ObligationState::Due | ObligationState::Compensating | ObligationState::Refused => true,
            ObligationState::Open | ObligationState::Watched => back,
            ObligationState::Confirmed => false,
        };
        self.obligations.iter().filter(open).collect()
    }

    /// Must people be told "compensation incomplete"?
    pub fn compensation_incomplete(&self) -> bool {
        !self.open_obligations().is_empty()
    }

    /// The id of the forward command of a token.
    pub fn command_of(&self, definition: &Definition, token: &Token) -> Option<CommandId> {
        let node = definition.node(token.node)?;
        let path = format!("{}{}", node.step, self.suffix(token.frame));
        Some(CommandId::forward(&self.id, &path, token.execution))
    }

    /// The id of the forward command of an obligation.
    pub fn command_behind(
        &self,
        definition: &Definition,
        obligation: &Obligation,
    ) -> Option<CommandId> {
        let node = definition.node(obligation.node)?;
        let path = format!("{}{}", node.step, obligation.suffix);
        Some(CommandId::forward(&self.id, &path, obligation.execution))
    }

    /// Commands whose answer or next attempt is awaited: id, attempts made, next rung in ms.
    pub fn pending_commands(&self, definition: &Definition) -> Vec<(CommandId, u32, i64)> {
        let forward = self.tokens.iter().filter_map(|token| {
            let pending = token.pending.as_ref()?;
            let command = self.command_of(definition, token)?;
            Some((command, pending.attempt, pending.due_ms))
        });
        let back = self.obligations.iter().filter_map(|obligation| {
            let pending = obligation.pending.as_ref()?;
            let command = self
                .command_behind(definition, obligation)?
                .compensated_by(obligation.compensation);
            Some((command, pending.attempt, pending.due_ms))
        });
        forward.chain(back).collect()
    }

    /// What happens next by itself: the earliest due time of a command, a wait, a block, a service level or the deadline.
    pub fn next_due_ms(&self) -> Option<i64> {
        let tokens = self.tokens.iter().flat_map(|t| {
            let pending = t.pending.as_ref().map(|pending| pending.due_ms);
            [pending, t.due_ms, t.sla_ms]
        });
        let frames = self.frames.iter().flat_map(|f| [f.due_ms, f.sla_ms]);
        let pending = self.obligations.iter().filter_map(|o| o.pending.as_ref());
        let back = pending.map(|pending| Some(pending.due_ms));
        let saga = [self.deadline_ms, self.warning_ms];
        let all = tokens.chain(frames).chain(back).chain(saga);
        all.flatten().min()
    }
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
