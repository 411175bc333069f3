//! Outcomes of a step: success, refusal, unknown, and where each leads.
//!
//! ```text
//!            before the pivot          at the pivot       after it
//! success    obligation, go on         past the pivot     go on
//! refusal    turn back                 turn back          park
//! unknown    obligation, turn back     park               park
//! ```
//! `catch` may choose otherwise, but never both directions and never back after the pivot.
//!
//! Absent on purpose: attempts (see [`super::attempt`]) and the walk back (see [`super::compensate`]).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::effect::Note;
use crate::input::Reply;
use crate::instance::{IncidentKind, Obligation, ObligationState, Pending, StepStatus, Token};
use crate::ir::{Compensation, Directive, Node, Send, StepKind};

use super::answer::{self, Verdict};
use super::ladder::Miss;
use super::turn::{Halt, Turn};
use super::{Applied, attempt, command, compensate, parked, run};

/// New executions of one step that `catch: retry` may begin.
pub(super) const EXECUTIONS_MAX: u32 = 100;

/// How an execution ended, when not with success.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// Outcome name in `catch` and `error`.
    pub(super) outcome: String,
    /// Machine-readable cause.
    pub(super) code: Option<String>,
    /// Cause for people.
    pub(super) reason: Option<String>,
}

impl Failure {
    /// What the participant said.
    pub(super) fn said(reply: &Reply) -> Self {
        Self {
            outcome: reply.outcome.clone(),
            code: reply.code.clone(),
            reason: reply.reason.clone(),
        }
    }

    /// An attempt without a deciding answer.
    pub(super) fn missed(miss: Miss, reply: Option<&Reply>) -> Self {
        let strange = reply.filter(|reply| reply.outcome != "failed");
        let unknown_name = strange.map(|reply| format!("unknown outcome `{}`", reply.outcome));
        Self {
            outcome: miss.word().to_owned(),
            code: reply.and_then(|reply| reply.code.clone()),
            reason: reply
                .and_then(|reply| reply.reason.clone())
                .or(unknown_name),
        }
    }

    /// `error` in expressions.
    fn error(&self, step: &str, attempts: u32) -> Value {
        json!({
            "step": step,
            "outcome": self.outcome,
            "code": self.code,
            "reason": self.reason,
            "attempts": attempts,
        })
    }

    fn cause(&self) -> Option<&str> {
        self.code.as_deref().or(self.reason.as_deref())
    }
}

/// Applies the answer to the command in flight of token `at`.
pub(super) fn answered(turn: &mut Turn<'_>, at: usize, reply: &Reply) -> Result<Applied, Halt> {
    let (_, send) = turn.send_at(turn.instance.tokens[at].node)?;
    match answer::verdict(send, &reply.outcome) {
        Verdict::Success => succeeded(turn, at, reply)?,
        Verdict::Refusal => refused(turn, at, reply)?,
        Verdict::Technical => return attempt::failed(turn, at, reply),
    }
    Ok(Applied::Changed)
}

/// The step's effect exists.
fn succeeded(turn: &mut Turn<'_>, at: usize, reply: &Reply) -> Result<(), Halt> {
    let token = turn.instance.tokens.remove(at);
    let (node, send) = turn.send_at(token.node)?;
    keep(turn, node, send, reply)?;
    turn.step_is(&node.step, StepStatus::Succeeded);
    note_finished(turn, node, &token, "succeeded", None);
    if send.kind == StepKind::Pivot {
        compensate::pass_pivot(turn);
    }
    let state = ObligationState::Open;
    oblige(turn, node, send, &token, state, Some(&reply.payload))?;
    if turn.instance.cancel.is_some() {
        return compensate::turn_back_cancelled(turn, &node.step);
    }
    match directive(node, &node.step, &[&reply.outcome])? {
        Some(Directive::Compensate) if !turn.instance.past_pivot => {
            fail(turn, node, &token, &Failure::said(reply));
            compensate::turn_back(turn, &node.step)
        }
        Some(Directive::Park | Directive::Compensate) => Err(Halt::program(
            Some(&node.step),
            format!(
                "step {}: a success cannot park or turn back here",
                node.step
            ),
        )),
        _ => run::run(turn, node.next),
    }
}

/// The step definitely has no effect.
fn refused(turn: &mut Turn<'_>, at: usize, reply: &Reply) -> Result<(), Halt> {
    let token = turn.instance.tokens.remove(at);
    let (node, _) = turn.send_at(token.node)?;
    let failure = Failure::said(reply);
    turn.step_is(&node.step, StepStatus::Refused);
    note_finished(turn, node, &token, "refused", failure.cause());
    if turn.instance.cancel.is_some() {
        return compensate::turn_back_cancelled(turn, &node.step);
    }
    match directive(node, &node.step, &[&failure.outcome, "any"])? {
        Some(Directive::Continue) => return run::run(turn, node.next),
        Some(Directive::Retry) if token.execution < EXECUTIONS_MAX => {
            return command::start(turn, token.node, token.execution + 1);
        }
        None | Some(Directive::Compensate) if !turn.instance.past_pivot => {
            fail(turn, node, &token, &failure);
            return compensate::turn_back(turn, &node.step);
        }
        directive => {
            let decided = Token {
                pending: None,
                ..token.clone()
            };
            stop(turn, node, &token, &failure, incident(directive));
            turn.instance.tokens.push(decided);
        }
    }
    Ok(())
}

/// Nobody knows whether the step has its effect, and the attempts are used up.
pub(super) fn unknown(turn: &mut Turn<'_>, at: usize, failure: &Failure) -> Result<(), Halt> {
    let token = turn.instance.tokens.remove(at);
    let (node, send) = turn.send_at(token.node)?;
    let directive = directive(node, &node.step, &[&failure.outcome, "any"])?;
    let cancelled = turn.instance.cancel.is_some();
    if send.kind != StepKind::Pivot && cancelled && !turn.instance.past_pivot {
        give_up(turn, node, send, &token, failure, ObligationState::Open)?;
        return compensate::turn_back_cancelled(turn, &node.step);
    }
    match directive {
        Some(Directive::Retry) => {
            turn.instance.tokens.push(token);
            let at = turn.instance.tokens.len() - 1;
            return attempt::fresh_ladder(turn, at);
        }
        // Neither direction is safe while the pivot is unknown, whatever the definition says.
        _ if send.kind == StepKind::Pivot => {
            hold(turn, node, token, failure, IncidentKind::UnknownPivot);
        }
        Some(Directive::Continue) => {
            give_up(turn, node, send, &token, failure, ObligationState::Watched)?;
            return run::run(turn, node.next);
        }
        None | Some(Directive::Compensate) if !turn.instance.past_pivot => {
            give_up(turn, node, send, &token, failure, ObligationState::Open)?;
            fail(turn, node, &token, failure);
            return compensate::turn_back(turn, &node.step);
        }
        directive => hold(turn, node, token, failure, incident(directive)),
    }
    Ok(())
}

/// Gives the command in flight of token `at` up, because an operator cancelled a parked instance.
pub(super) fn abandon(turn: &mut Turn<'_>, at: usize) -> Result<(), Halt> {
    let token = turn.instance.tokens.remove(at);
    let (node, send) = turn.send_at(token.node)?;
    if token.pending.is_none() {
        return Ok(());
    }
    let failure = Failure {
        outcome: "cancel".to_owned(),
        code: None,
        reason: None,
    };
    give_up(turn, node, send, &token, &failure, ObligationState::Open)
}

/// Sets `error` for what follows.
fn fail(turn: &mut Turn<'_>, node: &Node, token: &Token, failure: &Failure) {
    let attempts = token.pending.as_ref().map_or(0, |p| p.attempt);
    turn.instance.error = Some(failure.error(&node.step, attempts));
}

/// The step's outcome is unknown: from here on its effect counts as possible.
fn give_up(
    turn: &mut Turn<'_>,
    node: &Node,
    send: &Send,
    token: &Token,
    failure: &Failure,
    state: ObligationState,
) -> Result<(), Halt> {
    turn.step_is(&node.step, StepStatus::Unknown);
    note_finished(turn, node, token, "unknown", Some(&failure.outcome));
    oblige(turn, node, send, token, state, None)
}

/// Parks with the command still in flight: its reply, or a retry, goes on from here.
fn hold(turn: &mut Turn<'_>, node: &Node, token: Token, failure: &Failure, kind: IncidentKind) {
    turn.step_is(&node.step, StepStatus::Unknown);
    note_finished(turn, node, &token, "unknown", Some(&failure.outcome));
    stop(turn, node, &token, failure, kind);
    turn.instance.tokens.push(token);
}

fn stop(turn: &mut Turn<'_>, node: &Node, token: &Token, failure: &Failure, kind: IncidentKind) {
    fail(turn, node, token, failure);
    let attempts = token.pending.as_ref().map_or(0, |p| p.attempt);
    let cause = failure.reason.as_deref().or(failure.code.as_deref());
    let detail = format!(
        "step {}: {} after {attempts} attempt(s){}",
        node.step,
        failure.outcome,
        cause.map_or_else(String::new, |cause| format!(": {cause}")),
    );
    parked::park(turn, kind, Some(&node.step), detail);
}

fn incident(directive: Option<Directive>) -> IncidentKind {
    match directive {
        Some(Directive::Park) => IncidentKind::Declared,
        _ => IncidentKind::RetriesExhausted,
    }
}

/// Stores what the step keeps of the reply under the step's id.
fn keep(turn: &mut Turn<'_>, node: &Node, send: &Send, reply: &Reply) -> Result<(), Halt> {
    let kept = match &send.keep {
        None => Ok(reply.payload.clone()),
        Some(fields) => kept_fields(turn, node, fields, &reply.payload),
    };
    match kept {
        Ok(kept) => turn.instance.data.insert(node.step.clone(), kept),
        // A cancelled instance needs no result to go on with: a fault here must not keep it from turning back.
        Err(_) if turn.instance.cancel.is_some() && send.kind != StepKind::Pivot => None,
        Err(halt) => return Err(halt),
    };
    Ok(())
}

fn kept_fields(
    turn: &Turn<'_>,
    node: &Node,
    fields: &BTreeMap<String, crate::ir::Template>,
    reply: &Value,
) -> Result<Value, Halt> {
    let field = |(name, template): (&String, _)| {
        let value = turn.evaluate(&node.step, template, &[("reply", reply)])?;
        Ok((name.clone(), value))
    };
    fields.iter().map(field).collect()
}

/// Records that this execution has, or may have, an effect. The compensation's body is computed now, so that later changes of the data
/// cannot alter it. After the pivot nothing is owed.
fn oblige(
    turn: &mut Turn<'_>,
    node: &Node,
    send: &Send,
    token: &Token,
    state: ObligationState,
    reply: Option<&Value>,
) -> Result<(), Halt> {
    let (Compensation::Command(counter), Some(pending)) = (&send.compensation, &token.pending)
    else {
        return Ok(());
    };
    if turn.instance.past_pivot {
        return Ok(());
    }
    let mut names = vec![("request", &pending.request)];
    names.extend(reply.map(|reply| ("reply", reply)));
    let payload = match &counter.payload {
        Some(template) => turn.evaluate(&node.step, template, &names)?,
        None => pending.request.clone(),
    };
    turn.instance.obligations.push(Obligation {
        node: token.node,
        execution: token.execution,
        unknown: reply.is_none(),
        payload,
        key: pending.key.clone(),
        state,
        compensation: 1,
        pending: None,
    });
    Ok(())
}

/// What the definition says about the first of these outcome names that it mentions.
fn directive(node: &Node, step: &str, names: &[&str]) -> Result<Option<Directive>, Halt> {
    let caught = names.iter().find_map(|name| node.catch.get(*name));
    match caught {
        Some(catch) if catch.run.is_some() => Err(Halt::program(
            Some(step),
            format!("step {step}: this release cannot run steps in catch"),
        )),
        caught => Ok(caught.map(|catch| catch.then)),
    }
}

fn note_finished(
    turn: &mut Turn<'_>,
    node: &Node,
    token: &Token,
    outcome: &str,
    cause: Option<&str>,
) {
    let first = |pending: &Pending| turn.now.saturating_sub(pending.first_ms);
    let wait_ms = token.pending.as_ref().map_or(0, first);
    let note = Note::StepFinished {
        step: node.step.clone(),
        outcome: outcome.to_owned(),
        wait_ms,
    };
    turn.note_with(note, cause);
}
