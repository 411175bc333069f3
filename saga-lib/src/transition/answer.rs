//! Answers: finding what a reply belongs to.
//!
//! A reply names its command, the command names saga, step, execution and direction, so no table of pending commands is kept. A reply
//! for a command that was never sent is an orphan; for one that is decided it is a duplicate or late. Both are facts.
//!
//! Absent on purpose: what an answer means (see [`super::outcome`], [`super::compensate`] and [`super::late`]).

use crate::effect::{Effect, Note};
use crate::input::Reply;
use crate::instance::{Instance, ObligationState, StepStatus};
use crate::ir::{Definition, Kind, NodeIx, Send};

use super::turn::{Halt, Turn};
use super::{Applied, Reason, compensate, late, outcome};

/// What a reply belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The forward command in flight of this token.
    Token(usize),
    /// The forward command of this obligation: its step was decided or given up.
    Forward(usize),
    /// The compensating command of this obligation, in flight or refused.
    Back(usize),
    /// A command that was answered before.
    Answered,
    /// A step without compensation that was given up.
    GivenUp,
    /// A command that was never sent.
    Unknown,
}

/// What a forward answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The effect exists.
    Success,
    /// Definitely no effect.
    Refusal,
    /// The effect is unknown.
    Technical,
}

/// Applies a reply to an instance that takes replies.
pub(super) fn apply(turn: &mut Turn<'_>, reply: &Reply) -> Result<Applied, Halt> {
    match place(turn.definition, turn.instance, reply) {
        Place::Token(at) => outcome::answered(turn, at, reply),
        Place::Forward(at) => late::apply(turn, at, reply),
        Place::Back(at) => compensate::answered(turn, at, reply),
        Place::Answered => Ok(Applied::Ignored(Reason::Duplicate)),
        Place::GivenUp => Ok(given_up(turn, &reply.command.path)),
        Place::Unknown => Ok(orphan(turn, reply)),
    }
}

/// A late reply that changes nothing: a fact.
pub(super) fn given_up(turn: &mut Turn<'_>, step: &str) -> Applied {
    turn.effects.push(Effect::Note(Note::LateReply {
        step: step.to_owned(),
    }));
    Applied::Ignored(Reason::Late)
}

/// A reply that nothing waits for.
pub(super) fn orphan(turn: &mut Turn<'_>, reply: &Reply) -> Applied {
    turn.effects.push(Effect::Orphan {
        reason: format!("command {} was never sent", reply.command),
    });
    Applied::Ignored(Reason::Orphan)
}

/// What `outcome` means for a step. A name that nobody knows says nothing about the effect.
pub(super) fn verdict(send: &Send, outcome: &str) -> Verdict {
    let named = |names: &[String]| names.iter().any(|name| name == outcome);
    if named(&send.success) {
        Verdict::Success
    } else if named(&send.refusal) {
        Verdict::Refusal
    } else {
        Verdict::Technical
    }
}

/// What the reply belongs to.
pub(super) fn place(definition: &Definition, instance: &Instance, reply: &Reply) -> Place {
    let command = &reply.command;
    let Some(node) = sender(definition, &command.path) else {
        return Place::Unknown;
    };
    if command.saga != instance.id {
        return Place::Unknown;
    }
    let obligation = instance
        .obligations
        .iter()
        .position(|o| o.node == node && o.execution == command.execution);
    match (command.compensation, obligation) {
        (None, obligation) => forward(instance, node, reply, obligation),
        (Some(m), Some(at)) => back(instance, at, m),
        // A tombstone keeps no confirmed obligation.
        (Some(_), None) => match instance.steps.get(&command.path) {
            Some(StepStatus::Compensated) => Place::Answered,
            _ => Place::Unknown,
        },
    }
}

fn sender(definition: &Definition, step: &str) -> Option<NodeIx> {
    let sends = |kind: &Kind| matches!(kind, Kind::Send(_));
    let at = definition
        .nodes
        .iter()
        .position(|node| node.step == step && sends(&node.kind))?;
    NodeIx::try_from(at).ok()
}

fn forward(instance: &Instance, node: NodeIx, reply: &Reply, obligation: Option<usize>) -> Place {
    let execution = reply.command.execution;
    let token = instance
        .tokens
        .iter()
        .position(|t| t.node == node && t.execution == execution && t.pending.is_some());
    if let Some(at) = token {
        return Place::Token(at);
    }
    if let Some(at) = obligation {
        return Place::Forward(at);
    }
    let begun = instance.executions.get(&reply.command.path).copied();
    match instance.steps.get(&reply.command.path) {
        None | Some(StepStatus::Idle | StepStatus::Skipped) => Place::Unknown,
        Some(_) if execution > begun.unwrap_or(1) => Place::Unknown,
        Some(StepStatus::Unknown) => Place::GivenUp,
        Some(_) => Place::Answered,
    }
}

fn back(instance: &Instance, at: usize, m: u32) -> Place {
    let obligation = &instance.obligations[at];
    let sent = match obligation.state {
        ObligationState::Open | ObligationState::Watched => obligation.compensation - 1,
        _ => obligation.compensation,
    };
    let awaited = matches!(
        obligation.state,
        ObligationState::Compensating | ObligationState::Refused
    );
    match m {
        m if m > sent => Place::Unknown,
        m if m == obligation.compensation && awaited => Place::Back(at),
        _ => Place::Answered,
    }
}
