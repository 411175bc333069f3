//! Commands: sending them the first time and again.
//!
//! Invariant: each pair (command id, attempt) is emitted once. The id is a function of saga, step, execution and direction; the attempt
//! only grows while an id is in use, also across incidents and fresh ladders.
//!
//! Absent on purpose: when to send again (see [`super::ladder`]).

use serde_json::Value;

use crate::effect::{Command, Effect, Note};
use crate::id::CommandId;
use crate::instance::{Obligation, Pending, StepStatus, Token};
use crate::ir::{Compensation, Counter, Node, NodeIx, Send, Target};

use super::turn::{Halt, Turn};

/// Sends the forward command of an execution for the first time and leaves a token at its node.
pub(super) fn start(turn: &mut Turn<'_>, ix: NodeIx, execution: u32) -> Result<(), Halt> {
    let (node, send) = turn.send_at(ix)?;
    let request = turn.evaluate(&node.step, &send.payload, &[])?;
    let key = turn.record_key(&node.step, send.key.as_ref())?;
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
        execution,
        pending: Some(pending),
    };
    if execution > 1 {
        turn.instance
            .executions
            .insert(node.step.clone(), execution);
    }
    turn.step_is(&node.step, StepStatus::Pending);
    turn.note(Note::StepStarted {
        step: node.step.clone(),
    });
    turn.moment(format!("{}: command sent", node.step));
    emit_forward(turn, node, send, &token);
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
    let token = turn.instance.tokens[at].clone();
    turn.step_is(&node.step, StepStatus::Pending);
    note_resent(turn, node, attempt, false);
    emit_forward(turn, node, send, &token);
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
    emit_back(turn, node, back, &obligation);
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
    let obligation = turn.instance.obligations[at].clone();
    note_resent(turn, node, attempt, true);
    emit_back(turn, node, back, &obligation);
    Ok(())
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

fn emit_forward(turn: &mut Turn<'_>, node: &Node, send: &Send, token: &Token) {
    let Some(pending) = &token.pending else {
        return;
    };
    let id = CommandId::forward(&turn.instance.id, &node.step, token.execution);
    let payload = pending.request.clone();
    let key = pending.key.clone();
    emit(turn, node, &send.target, id, pending, (payload, key));
}

fn emit_back(turn: &mut Turn<'_>, node: &Node, back: &Counter, obligation: &Obligation) {
    let Some(pending) = &obligation.pending else {
        return;
    };
    let forward = CommandId::forward(&turn.instance.id, &node.step, obligation.execution);
    let id = forward.compensated_by(obligation.compensation);
    let payload = obligation.payload.clone();
    let key = obligation.key.clone();
    emit(turn, node, &back.target, id, pending, (payload, key));
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
