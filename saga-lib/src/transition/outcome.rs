//! Outcomes of a step: success, refusal, unknown, and where each leads.
//!
//! ```text
//!            before the pivot          at the pivot       after it
//! success    obligation, go on         past the pivot     go on
//! refusal    turn back                 turn back          park
//! unknown    obligation, turn back     park               park
//! ```
//! `catch` and a second provider may choose otherwise (see [`super::catch`] and [`super::retreat`]). In a part of the program that is
//! being left an outcome is only noted.
//!
//! Absent on purpose: attempts (see [`super::attempt`]) and the walk back (see [`super::compensate`]).

use serde_json::{Value, json};

use crate::effect::Note;
use crate::input::Reply;
use crate::instance::{
    IncidentKind, Obligation, ObligationState, Pending, ROOT, Status, StepStatus, Token,
};
use crate::ir::{Catch, Compensation, Counter, Directive, Node, Send, StepKind};
use crate::mutant::{Mutant, planted};

use super::answer::{self, Verdict};
use super::catch::{self, Matter};
use super::ladder::Miss;
use super::turn::{Halt, Turn};
use super::{Applied, attempt, compensate, query, retreat, run, unwind};

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
    /// An outcome without a cause.
    pub(super) fn named(outcome: &str) -> Self {
        Self {
            outcome: outcome.to_owned(),
            code: None,
            reason: None,
        }
    }

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
    pub(super) fn error(&self, step: &str, attempts: u32) -> Value {
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
    let token = &turn.instance.tokens[at];
    let (node, send) = turn.send_at(token.node)?;
    let outcome = answer::named(turn, (&node.step, token.frame), &send.into(), reply)?;
    let verdict = answer::verdict(send, &outcome);
    let reply = &Reply {
        outcome,
        ..reply.clone()
    };
    let asked = query::asked_by(turn, token);
    match (verdict, asked) {
        (Verdict::Technical, _) => return attempt::failed(turn, at, reply),
        (verdict, Some(id)) => query::decided(turn, id, reply, verdict == Verdict::Success)?,
        (Verdict::Success, None) => succeeded(turn, at, reply)?,
        (Verdict::Refusal, None) => refused(turn, at, reply)?,
    }
    Ok(Applied::Changed)
}

/// The step's effect exists.
pub(super) fn succeeded(turn: &mut Turn<'_>, at: usize, reply: &Reply) -> Result<(), Halt> {
    let token = turn.instance.tokens.remove(at);
    let (node, send) = turn.send_at(token.node)?;
    let stopped = turn.instance.is_stopped(token.frame);
    keep(turn, node, &token, send, reply, stopped)?;
    turn.step_is(&node.step, StepStatus::Succeeded);
    note_finished(turn, node, &token, "succeeded", None);
    if send.kind == StepKind::Pivot {
        compensate::pass_pivot(turn);
    }
    oblige(turn, &token, ObligationState::Open, Some(&reply.payload))?;
    if stopped {
        return Ok(());
    }
    run::reached(turn, node, token.sla_ms);
    let entry = catch::entry(node, &[&reply.outcome]);
    match entry.map(|catch| (catch.run, catch.then)) {
        None | Some((None, Directive::Continue | Directive::Retry)) => {
            turn.go(token.frame, node.next);
            Ok(())
        }
        Some((_, Directive::Compensate)) if turn.instance.past_pivot => Err(misplaced(node)),
        Some(_) => {
            let error = failed(&token, node, &Failure::said(reply));
            let matter = matter(&token, None, error, &reply.payload);
            catch::follow(turn, matter, entry)
        }
    }
}

/// The step definitely has no effect.
pub(super) fn refused(turn: &mut Turn<'_>, at: usize, reply: &Reply) -> Result<(), Halt> {
    let token = turn.instance.tokens.remove(at);
    let (node, send) = turn.send_at(token.node)?;
    let failure = Failure::said(reply);
    turn.step_is(&node.step, StepStatus::Refused);
    note_finished(turn, node, &token, "refused", failure.cause());
    if turn.instance.is_stopped(token.frame) {
        return Ok(());
    }
    if turn.instance.cancel.is_some() && !unwind::is_pivot_pending(turn, ROOT) {
        return compensate::turn_back_cancelled(turn, &node.step);
    }
    if send.fallback.is_some() {
        turn.moment(format!("{}: the second provider is asked", node.step));
        turn.go(token.frame, send.fallback);
        return Ok(());
    }
    let error = failed(&token, node, &failure);
    let decided = Token {
        pending: None,
        ..token.clone()
    };
    let matter = matter(&token, Some(decided), error, &reply.payload);
    catch::follow(turn, matter, catch::entry(node, &[&failure.outcome, "any"]))
}

/// Nobody knows whether the step has its effect, and the attempts are used up.
pub(super) fn unknown(turn: &mut Turn<'_>, at: usize, failure: &Failure) -> Result<(), Halt> {
    let token = turn.instance.tokens.remove(at);
    let (node, send) = turn.send_at(token.node)?;
    if let Some(id) = query::asked_by(turn, &token) {
        return query::unanswered(turn, id, failure);
    }
    if turn.instance.is_stopped(token.frame) {
        if send.kind == StepKind::Pivot {
            return hold(turn, token, failure, IncidentKind::UnknownPivot);
        }
        let state = catch::left_as(turn, token.frame);
        return give_up(turn, &token, failure, state);
    }
    if retreat::is_possible(send) {
        return retreat::begin(turn, &token, failure);
    }
    let entry = catch::entry(node, &[&failure.outcome, "any"]);
    let then = entry.map(|catch| catch.then);
    let plain = entry.is_none_or(|catch| catch.run.is_none());
    match then {
        Some(Directive::Retry) if plain => {
            turn.instance.tokens.push(token);
            let at = turn.instance.tokens.len() - 1;
            return attempt::fresh_ladder(turn, at);
        }
        // Neither direction is safe while the pivot is unknown, whatever the definition says.
        _ if send.kind == StepKind::Pivot => return query::ask(turn, token, failure),
        _ => {}
    }
    let error = failed(&token, node, failure);
    let held = held(turn, &token, failure, entry)?;
    let matter = matter(&token, held, error, &Value::Null);
    catch::follow(turn, matter, entry)
}

/// A command that was held in a part that is being left: its answer is noted if it came, else it is given up.
pub(super) fn forget(
    turn: &mut Turn<'_>,
    token: &Token,
    answer: Option<&Reply>,
) -> Result<(), Halt> {
    if token.pending.is_none() {
        return Ok(());
    }
    if let Some(reply) = answer {
        turn.instance.tokens.push(token.clone());
        let at = turn.instance.tokens.len() - 1;
        return answered(turn, at, reply).map(|_| ());
    }
    let state = catch::left_as(turn, token.frame);
    give_up(turn, token, &Failure::named("cancel"), state)
}

/// The step's outcome is unknown: from here on its effect counts as possible.
pub(super) fn give_up(
    turn: &mut Turn<'_>,
    token: &Token,
    failure: &Failure,
    state: ObligationState,
) -> Result<(), Halt> {
    let (node, _) = turn.send_at(token.node)?;
    turn.step_is(&node.step, StepStatus::Unknown);
    note_finished(turn, node, token, "unknown", Some(&failure.outcome));
    if planted(Mutant::UnknownIsNotOwed) {
        return Ok(());
    }
    oblige(turn, token, state, None)
}

/// Parks with the command still in flight: its reply, or a retry, goes on from here.
pub(super) fn hold(
    turn: &mut Turn<'_>,
    token: Token,
    failure: &Failure,
    kind: IncidentKind,
) -> Result<(), Halt> {
    let (node, _) = turn.send_at(token.node)?;
    turn.step_is(&node.step, StepStatus::Unknown);
    note_finished(turn, node, &token, "unknown", Some(&failure.outcome));
    let error = failed(&token, node, failure);
    catch::park_at(turn, (node, token.frame), error, kind);
    turn.instance.tokens.push(token);
    Ok(())
}

/// Gives an unknown outcome up unless the step may go on from here; then its token is held.
fn held(
    turn: &mut Turn<'_>,
    token: &Token,
    failure: &Failure,
    entry: Option<&Catch>,
) -> Result<Option<Token>, Halt> {
    // With a pivot in flight nobody knows yet which way it goes.
    let part = unwind::part_of(turn, token.frame);
    let back = !turn.instance.past_pivot && !unwind::is_pivot_pending(turn, part);
    // Steps that run first may end the saga (`stop`), so that nothing turns back.
    let straight = entry.is_none_or(|catch| catch.run.is_none());
    match entry.map(|catch| catch.then) {
        Some(Directive::Continue) => give_up(turn, token, failure, ObligationState::Watched)?,
        None | Some(Directive::Compensate) if back && straight => {
            give_up(turn, token, failure, ObligationState::Open)?;
        }
        None | Some(Directive::Compensate) if back => {
            give_up(turn, token, failure, ObligationState::Watched)?;
        }
        _ => {
            let (node, _) = turn.send_at(token.node)?;
            turn.step_is(&node.step, StepStatus::Unknown);
            note_finished(turn, node, token, "unknown", Some(&failure.outcome));
            return Ok(Some(token.clone()));
        }
    }
    Ok(None)
}

fn matter(token: &Token, held: Option<Token>, error: Value, reply: &Value) -> Matter {
    Matter {
        ix: token.node,
        frame: token.frame,
        held,
        error,
        reply: reply.clone(),
    }
}

/// `error` for what follows.
fn failed(token: &Token, node: &Node, failure: &Failure) -> Value {
    let attempts = token.pending.as_ref().map_or(0, |p| p.attempt);
    failure.error(&node.step, attempts)
}

fn misplaced(node: &Node) -> Halt {
    Halt::program(
        Some(&node.step),
        format!("step {}: a success cannot turn back here", node.step),
    )
}

/// Stores what the step keeps of the reply under the step's name.
fn keep(
    turn: &mut Turn<'_>,
    node: &Node,
    token: &Token,
    send: &Send,
    reply: &Reply,
    stopped: bool,
) -> Result<(), Halt> {
    let kept = match &send.keep {
        None => Ok(reply.payload.clone()),
        Some(fields) => turn
            .evaluate_all(
                (&node.step, token.frame),
                fields,
                &[("reply", &reply.payload)],
            )
            .map(|fields| fields.into_iter().collect()),
    };
    match kept {
        Ok(kept) => turn.store(token.frame, node.result(), kept),
        // What is being left needs no result to go on with: a fault here must not keep it from turning back.
        Err(_) if stopped => {}
        Err(halt) => return Err(halt),
    }
    Ok(())
}

/// Records that this execution has, or may have, an effect. The compensation's body is computed now, so that later changes of the data
/// cannot alter it. After the pivot nothing is owed, unless the part around it is being undone (or may be), or the saga went on without
/// the step's answer.
fn oblige(
    turn: &mut Turn<'_>,
    token: &Token,
    state: ObligationState,
    reply: Option<&Value>,
) -> Result<(), Halt> {
    let (node, send) = turn.send_at(token.node)?;
    let (Compensation::Command(counter), Some(pending)) = (&send.compensation, &token.pending)
    else {
        return Ok(());
    };
    let frame = token.frame;
    let alone = unwind::is_undone(turn.instance, frame) || unwind::may_be_lost(turn, frame);
    if turn.instance.past_pivot && state == ObligationState::Open && !alone {
        return Ok(());
    }
    let payload = match counter_payload(turn, (&node.step, token), counter, pending, reply) {
        // Nothing will be sent for it: a fault must not keep an operator from ending the instance.
        Err(_) if turn.instance.status == Status::Terminated => Value::Null,
        payload => payload?,
    };
    turn.instance.obligations.push(Obligation {
        node: token.node,
        execution: token.execution,
        suffix: turn.instance.suffix(token.frame),
        lineage: turn.instance.lineage(token.frame),
        unknown: reply.is_none(),
        payload,
        key: pending.key.clone(),
        state,
        compensation: 1,
        pending: None,
    });
    Ok(())
}

fn counter_payload(
    turn: &Turn<'_>,
    (step, token): (&str, &Token),
    counter: &Counter,
    pending: &Pending,
    reply: Option<&Value>,
) -> Result<Value, Halt> {
    let mut names = vec![("request", &pending.request)];
    names.extend(reply.map(|reply| ("reply", reply)));
    match &counter.payload {
        Some(template) => turn.evaluate((step, token.frame), template, &names),
        None => Ok(pending.request.clone()),
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
