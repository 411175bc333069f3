//! Commands: sending them the first time and again.
//!
//! Invariant: each pair (command id, attempt) is emitted once. The id is a function of saga, step, execution and direction; the attempt
//! only grows while an id is in use, also across incidents and fresh ladders.
//!
//! Absent on purpose: when to send again (see [`super::ladder`]).

use serde_json::Value;

use crate::effect::{Command, Effect, Note};
use crate::id::CommandId;
use crate::instance::{FrameId, Obligation, Pending, ROOT, StepStatus, Token};
use crate::ir::{Compensation, Counter, Node, NodeIx, Send, Target};
use crate::mutant::{Mutant, planted};

use super::turn::{Halt, Turn};

/// Sends the forward command of a step that the program came to.
pub(super) fn start(turn: &mut Turn<'_>, frame: FrameId, ix: NodeIx) -> Result<(), Halt> {
    let (node, _) = turn.send_at(ix)?;
    let used = turn.instance.floors.get(&node.step).copied();
    execute(turn, frame, ix, used.unwrap_or(0) + 1, None)
}

/// Sends the forward command of an execution for the first time and leaves a token at its node. An operator may bring another request.
pub(super) fn execute(
    turn: &mut Turn<'_>,
    frame: FrameId,
    ix: NodeIx,
    execution: u32,
    request: Option<&Value>,
) -> Result<(), Halt> {
    let (node, send) = turn.send_at(ix)?;
    let place = (node.step.as_str(), frame);
    let request = match request {
        Some(request) => request.clone(),
        None => turn.evaluate(place, &send.payload, &[])?,
    };
    let key = turn.record_key(place, send.key.as_ref(), &[])?;
    let pending = Pending {
        attempt: 1,
        first_ms: turn.now,
        due_ms: turn.now.saturating_add(send.timeout_ms.max(1)),
        backoff: false,
        before: 0,
        request,
        key,
    };
    let token = Token {
        node: ix,
        frame,
        execution,
        pending: Some(pending),
        due_ms: None,
        sla_ms: node.sla_ms.map(|after| turn.now.saturating_add(after)),
        caught: ROOT,
    };
    if execution > 1 {
        let highest = &mut turn.instance.executions;
        let highest = highest.entry(node.step.clone()).or_insert(execution);
        *highest = execution.max(*highest);
    }
    turn.step_is(&node.step, StepStatus::Pending);
    turn.note(Note::StepStarted {
        step: node.step.clone(),
    });
    turn.moment(format!("{}: command sent", node.step));
    emit_forward(turn, node, send, &token)?;
    turn.instance.tokens.push(token);
    Ok(())
}

/// Sends the forward command of token `at` again, with the same id.
pub(super) fn resend(turn: &mut Turn<'_>, at: usize) -> Result<(), Halt> {
    let (node, send) = turn.send_at(turn.instance.tokens[at].node)?;
    let now = turn.now;
    let Some(pending) = turn.instance.tokens[at].pending.as_mut() else {
        return Ok(());
    };
    next_attempt(pending, now, send.timeout_ms);
    let attempt = pending.attempt;
    if planted(Mutant::D1IdPerAttempt) {
        turn.instance.tokens[at].execution += 1;
    }
    let token = turn.instance.tokens[at].clone();
    turn.step_is(&node.step, StepStatus::Pending);
    note_resent(turn, node, attempt, false);
    emit_forward(turn, node, send, &token)?;
    Ok(())
}

/// Sends the compensating command of obligation `at` for the first time.
pub(super) fn start_compensation(turn: &mut Turn<'_>, at: usize) -> Result<(), Halt> {
    let (node, send) = turn.send_at(turn.instance.obligations[at].node)?;
    let back = counter(node, send)?;
    let now = turn.now;
    let obligation = &mut turn.instance.obligations[at];
    obligation.pending = Some(Pending {
        attempt: 1,
        first_ms: now,
        due_ms: now.saturating_add(back.timeout_ms.max(1)),
        backoff: false,
        before: 0,
        request: Value::Null,
        key: None,
    });
    let obligation = obligation.clone();
    turn.moment(format!("compensation of {}: command sent", node.step));
    emit_back(turn, node, back, &obligation)?;
    Ok(())
}

/// Sends the compensating command of obligation `at` again, with the same id.
pub(super) fn resend_compensation(turn: &mut Turn<'_>, at: usize) -> Result<(), Halt> {
    let (node, send) = turn.send_at(turn.instance.obligations[at].node)?;
    let back = counter(node, send)?;
    let now = turn.now;
    let Some(pending) = turn.instance.obligations[at].pending.as_mut() else {
        return Ok(());
    };
    next_attempt(pending, now, back.timeout_ms);
    let attempt = pending.attempt;
    if planted(Mutant::D1IdPerCompensation) {
        turn.instance.obligations[at].compensation += 1;
    }
    let obligation = turn.instance.obligations[at].clone();
    note_resent(turn, node, attempt, true);
    emit_back(turn, node, back, &obligation)?;
    Ok(())
}

/// The id of the forward command of a token.
pub(super) fn id(turn: &Turn<'_>, token: &Token) -> Result<CommandId, Halt> {
    let missing = || Halt::program(None, format!("the definition has no node {}", token.node));
    let id = turn.instance.command_of(turn.definition, token);
    id.ok_or_else(missing)
}

/// The id of the forward command of an obligation.
pub(super) fn id_behind(turn: &Turn<'_>, obligation: &Obligation) -> Result<CommandId, Halt> {
    let missing = || {
        Halt::program(
            None,
            format!("the definition has no node {}", obligation.node),
        )
    };
    let id = turn.instance.command_behind(turn.definition, obligation);
    id.ok_or_else(missing)
}

/// The compensating command that a definition declares for a step.
pub(super) fn counter<'a>(node: &'a Node, send: &'a Send) -> Result<&'a Counter, Halt> {
    match &send.compensation {
        Compensation::Command(counter) => Ok(counter),
        _ => Err(Halt::program(
            Some(&node.step),
            format!("step {} has no compensating command", node.step),
        )),
    }
}

fn next_attempt(pending: &mut Pending, now: i64, timeout_ms: i64) {
    pending.attempt += 1;
    pending.backoff = false;
    pending.due_ms = now.saturating_add(timeout_ms.max(1));
}

fn note_resent(turn: &mut Turn<'_>, node: &Node, attempt: u32, compensation: bool) {
    turn.note(Note::Resent {
        step: node.step.clone(),
        attempt,
        compensation,
    });
}

fn emit_forward(turn: &mut Turn<'_>, node: &Node, send: &Send, token: &Token) -> Result<(), Halt> {
    let Some(pending) = &token.pending else {
        return Ok(());
    };
    let id = id(turn, token)?;
    let payload = pending.request.clone();
    let key = pending.key.clone();
    emit(turn, node, &send.target, id, pending, (payload, key));
    Ok(())
}

fn emit_back(
    turn: &mut Turn<'_>,
    node: &Node,
    back: &Counter,
    obligation: &Obligation,
) -> Result<(), Halt> {
    let Some(pending) = &obligation.pending else {
        return Ok(());
    };
    let forward = id_behind(turn, obligation)?;
    let id = forward.compensated_by(obligation.compensation);
    let payload = obligation.payload.clone();
    let key = obligation.key.clone();
    emit(turn, node, &back.target, id, pending, (payload, key));
    Ok(())
}

fn emit(
    turn: &mut Turn<'_>,
    node: &Node,
    target: &Target,
    id: CommandId,
    pending: &Pending,
    (payload, key): (Value, Option<String>),
) {
    let compensates = id.compensation.map(|_| id.forward_id());
    turn.effects.push(Effect::Command(Command {
        id,
        attempt: pending.attempt,
        topic: target.topic.clone(),
        r#type: target.r#type.clone(),
        payload,
        key: key.unwrap_or_else(|| turn.instance.key.clone()),
        step: node.step.clone(),
        compensates,
        expires_ms: Some(pending.due_ms),
    }));
}
