//! Answers: finding what a reply belongs to.
//!
//! A reply names its command, the command names saga, step, execution and direction, so no table of pending commands is kept. A reply
//! for a command that was never sent is an orphan; for one that is decided it is a duplicate or late. Both are facts.
//!
//! Absent on purpose: what an answer means (see [`super::outcome`], [`super::compensate`] and [`super::late`]).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::effect::{Effect, Note};
use crate::expr::Expr;
use crate::input::Reply;
use crate::instance::{FrameId, FrameKind, Instance, ObligationState, StepStatus, Token};
use crate::ir::{Counter, Definition, Kind, Node, NodeIx, Send};
use crate::mutant::{Mutant, planted};

use super::turn::{Halt, Turn};
use super::{Applied, Reason, compensate, late, outcome, query};

/// What a reply belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The forward command in flight of this token.
    Token(usize),
    /// The forward command that this frame holds while steps in `catch` run, or a question is asked.
    Held(FrameId),
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
        Place::Held(id) => held(turn, id, reply),
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
    if planted(Mutant::D6ReplyIsDropped) {
        return Applied::Ignored(Reason::Orphan);
    }
    turn.effects.push(Effect::Orphan {
        reason: format!("command {} was never sent", reply.command),
        early: None,
    });
    Applied::Ignored(Reason::Orphan)
}

/// What the names of a contract say about replies.
pub(super) struct Contract<'a> {
    success: &'a [String],
    refusal: &'a [String],
    types: &'a BTreeMap<String, String>,
    outcome: Option<&'a Expr>,
}

impl Contract<'_> {
    /// The outcome that a message type means. A full name, such as Avro's, answers to its last part too.
    fn by_type(&self, name: &str) -> Option<&String> {
        let last = name.rsplit_once('.').map(|(_, last)| last);
        let by_last = || self.types.get(last?);
        self.types.get(name).or_else(by_last)
    }
}

impl<'a> From<&'a Send> for Contract<'a> {
    fn from(send: &'a Send) -> Self {
        Self {
            success: &send.success,
            refusal: &send.refusal,
            types: &send.types,
            outcome: send.outcome.as_ref(),
        }
    }
}

impl<'a> From<&'a Counter> for Contract<'a> {
    fn from(counter: &'a Counter) -> Self {
        Self {
            success: &counter.success,
            refusal: &counter.refusal,
            types: &counter.types,
            outcome: counter.outcome.as_ref(),
        }
    }
}

/// The outcome's name: as the reply says, else by its type, else by the contract's expression, else `ok`.
pub(super) fn named(
    turn: &Turn<'_>,
    place: (&str, FrameId),
    contract: &Contract<'_>,
    reply: &Reply,
) -> Result<String, Halt> {
    if !reply.outcome.is_empty() {
        return Ok(reply.outcome.clone());
    }
    let by_type = reply.r#type.as_deref().and_then(|t| contract.by_type(t));
    match (by_type, contract.outcome) {
        (Some(outcome), _) => Ok(outcome.clone()),
        (None, None) => Ok("ok".to_owned()),
        (None, Some(expr)) => match turn.value(place, expr, &[("reply", &reply.payload)])? {
            Value::String(outcome) => Ok(outcome),
            other => Err(super::turn::wrong(
                place.0,
                expr,
                &other,
                "an outcome's name",
            )),
        },
    }
}

/// What `outcome` means for a step. A name that nobody knows says nothing about the effect.
pub(super) fn verdict<'a>(contract: impl Into<Contract<'a>>, outcome: &str) -> Verdict {
    let contract = contract.into();
    let named = |names: &[String]| names.iter().any(|name| name == outcome);
    if named(contract.success) {
        Verdict::Success
    } else if named(contract.refusal) {
        Verdict::Refusal
    } else {
        Verdict::Technical
    }
}

/// What a forward reply says about its step.
pub(super) fn judged(
    turn: &Turn<'_>,
    (node, frame): (&Node, FrameId),
    send: &Send,
    reply: &Reply,
) -> Result<Verdict, Halt> {
    let outcome = named(turn, (&node.step, frame), &send.into(), reply)?;
    Ok(verdict(send, &outcome))
}

/// The answer to a command whose step has steps in `catch` under way, or is being asked about.
fn held(turn: &mut Turn<'_>, id: FrameId, reply: &Reply) -> Result<Applied, Halt> {
    let Some(frame) = turn.instance.frame(id) else {
        return Ok(given_up(turn, &reply.command.path));
    };
    let (node, send) = turn.send_at(frame.node)?;
    if judged(turn, (node, frame.parent), send, reply)? == Verdict::Technical {
        // Its attempts are used up: one more that failed says nothing new.
        return Ok(given_up(turn, &reply.command.path));
    }
    if let Some(at) = query::closed(turn, id) {
        return outcome::answered(turn, at, reply);
    }
    let frame = turn.instance.frame_mut(id);
    let Some(FrameKind::Catch(caught)) = frame.map(|f| &mut f.kind) else {
        return Ok(given_up(turn, &reply.command.path));
    };
    if caught.answer.is_some() {
        return Ok(Applied::Ignored(Reason::Duplicate));
    }
    caught.answer = Some(reply.clone());
    turn.note(Note::LateReply {
        step: reply.command.path.clone(),
    });
    Ok(Applied::Changed)
}

/// What the reply belongs to.
pub(super) fn place(definition: &Definition, instance: &Instance, reply: &Reply) -> Place {
    let command = &reply.command;
    let (step, suffix) = split(&command.path);
    let Some(node) = sender(definition, step) else {
        return Place::Unknown;
    };
    if command.saga != instance.id {
        return Place::Unknown;
    }
    let obligation = instance
        .obligations
        .iter()
        .position(|o| o.node == node && o.execution == command.execution && o.suffix == suffix);
    match (command.compensation, obligation) {
        (None, obligation) => forward(instance, (node, step, suffix), reply, obligation),
        (Some(m), Some(at)) => back(instance, at, m),
        // A tombstone keeps no confirmed obligation.
        (Some(_), None) => match instance.steps.get(step) {
            Some(StepStatus::Compensated) => Place::Answered,
            _ => Place::Unknown,
        },
    }
}

/// A command's path: the step's id, and where it stands among repetitions.
fn split(path: &str) -> (&str, &str) {
    path.split_at(path.find(['[', '.']).unwrap_or(path.len()))
}

fn sender(definition: &Definition, step: &str) -> Option<NodeIx> {
    let sends = |kind: &Kind| matches!(kind, Kind::Send(_));
    let at = definition
        .nodes
        .iter()
        .position(|node| node.step == step && sends(&node.kind))?;
    NodeIx::try_from(at).ok()
}

fn forward(
    instance: &Instance,
    (node, step, suffix): (NodeIx, &str, &str),
    reply: &Reply,
    obligation: Option<usize>,
) -> Place {
    let execution = reply.command.execution;
    let is_it = |t: &Token| {
        let same = t.node == node && t.execution == execution && t.pending.is_some();
        same && instance.suffix(t.frame) == suffix
    };
    if let Some(at) = instance.tokens.iter().position(is_it) {
        return Place::Token(at);
    }
    if let Some(id) = holder(instance, is_it) {
        return Place::Held(id);
    }
    if let Some(at) = obligation {
        return Place::Forward(at);
    }
    let begun = instance.executions.get(step).copied();
    match instance.steps.get(step) {
        None | Some(StepStatus::Idle | StepStatus::Skipped) => Place::Unknown,
        Some(_) if execution > begun.unwrap_or(1) => Place::Unknown,
        Some(StepStatus::Unknown) => Place::GivenUp,
        Some(_) => Place::Answered,
    }
}

fn holder(instance: &Instance, is_it: impl Fn(&Token) -> bool) -> Option<FrameId> {
    let holds = |kind: &FrameKind| match kind {
        FrameKind::Catch(caught) => caught.held.as_ref().is_some_and(&is_it),
        FrameKind::Query(token) => is_it(token),
        _ => false,
    };
    let frame = instance.frames.iter().find(|f| holds(&f.kind))?;
    Some(frame.id)
}

fn back(instance: &Instance, at: usize, m: u32) -> Place {
    let obligation = &instance.obligations[at];
    let sent = match obligation.state {
        ObligationState::Open | ObligationState::Watched | ObligationState::Due => {
            obligation.compensation - 1
        }
        _ => obligation.compensation,
    };
    let awaited = matches!(
        obligation.state,
        ObligationState::Compensating | ObligationState::Refused
    );
    match m {
        m if m > sent => Place::Unknown,
        m if m == obligation.compensation
            && (awaited || planted(Mutant::D3ConfirmationCountsTwice)) =>
        {
            Place::Back(at)
        }
        _ => Place::Answered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_type_answers_to_its_full_name_first_and_then_to_its_last() {
        let pair = |name: &str, outcome: &str| (name.to_owned(), outcome.to_owned());
        let types = BTreeMap::from([
            pair("Declined", "declined"),
            pair("com.shop.Reserved", "ok"),
            pair("Reserved", "other"),
        ]);
        let contract = Contract {
            success: &[],
            refusal: &[],
            types: &types,
            outcome: None,
        };
        let outcome = |name| contract.by_type(name).map(String::as_str);
        assert_eq!(outcome("Declined"), Some("declined"));
        assert_eq!(outcome("com.shop.Declined"), Some("declined"));
        assert_eq!(outcome("com.shop.Reserved"), Some("ok"));
        assert_eq!(outcome("com.bank.Reserved"), Some("other"));
        assert_eq!(outcome("shop.Declined.V2"), None);
        assert_eq!(outcome("Reserve"), None);
    }
}
