//! Waiting: delays, awaited events, time limits of blocks.
//!
//! Absent on purpose: attempts of commands (see [`super::attempt`]).

use serde_json::Value;

use crate::definition;
use crate::effect::Note;
use crate::instance::{FrameId, FrameKind, IncidentKind, ROOT, Status, StepStatus, Token};
use crate::ir::{Directive, Kind, Node, NodeIx, RungAction, Wait};

use super::outcome::Failure;
use super::turn::{Halt, Turn, wrong};
use super::{awaited, catch, parked, run, unwind};

/// The program came to a wait: it goes on at once if the time is over, or the event came before.
pub(super) fn begin(turn: &mut Turn<'_>, frame: FrameId, ix: NodeIx) -> Result<(), Halt> {
    let (node, wait) = wait_at(turn, ix)?;
    let due_ms = due(turn, frame, node, wait)?;
    turn.step_is(&node.step, StepStatus::Pending);
    turn.note(Note::StepStarted {
        step: node.step.clone(),
    });
    turn.instance.tokens.push(Token {
        node: ix,
        frame,
        execution: 1,
        pending: None,
        due_ms,
        sla_ms: node.sla_ms.map(|after| turn.now.saturating_add(after)),
        caught: ROOT,
    });
    let at = turn.instance.tokens.len() - 1;
    if awaited::take_early(turn, at)? {
        return Ok(());
    }
    if due_ms.is_some_and(|due| due <= turn.now) {
        return over(turn, at);
    }
    turn.moment(format!("{}: waiting", node.step));
    Ok(())
}

/// Handles every wait and every block whose time is over.
pub(super) fn rungs(turn: &mut Turn<'_>) -> Result<(), Halt> {
    while let Some(at) = next(turn) {
        over(turn, at)?;
        if turn.instance.status == Status::Parked {
            return Ok(());
        }
    }
    let is_due = |due: Option<i64>| due.is_some_and(|due| due <= turn.now);
    let frames = turn.instance.frames.iter().filter(|f| is_due(f.due_ms));
    for id in frames.map(|f| f.id).collect::<Vec<_>>() {
        block_over(turn, id)?;
        if turn.instance.status == Status::Parked {
            return Ok(());
        }
    }
    Ok(())
}

/// The wait of token `at` ended well: with an event, or because its time came.
pub(super) fn ended(
    turn: &mut Turn<'_>,
    at: usize,
    outcome: &str,
    event: Option<&Value>,
) -> Result<(), Halt> {
    let token = turn.instance.tokens.remove(at);
    let (node, wait) = wait_at(turn, token.node)?;
    if let Some(event) = event {
        let kept = match &wait.keep {
            None => event.clone(),
            Some(fields) => {
                let place = (node.step.as_str(), token.frame);
                let kept = turn.evaluate_all(place, fields, &[("event", event)])?;
                kept.into_iter().collect()
            }
        };
        turn.store(token.frame, node.result(), kept);
    }
    turn.step_is(&node.step, StepStatus::Succeeded);
    turn.moment(format!("{}: {outcome}", node.step));
    run::reached(turn, node, token.sla_ms);
    let Some(entry) = catch::entry(node, &[outcome]) else {
        turn.go(token.frame, node.next);
        return Ok(());
    };
    let matter = catch::Matter {
        ix: token.node,
        frame: token.frame,
        held: None,
        error: Failure::named(outcome).error(&node.step, 0),
        reply: event.cloned().unwrap_or(Value::Null),
    };
    catch::follow(turn, matter, Some(entry))
}

/// The node at `ix`, which waits.
pub(super) fn wait_at<'a>(turn: &Turn<'a>, ix: NodeIx) -> Result<(&'a Node, &'a Wait), Halt> {
    let node = turn.node(ix)?;
    match &node.kind {
        Kind::Wait(wait) => Ok((node, wait)),
        _ => Err(Halt::program(
            Some(&node.step),
            format!("step {} does not wait", node.step),
        )),
    }
}

fn next(turn: &Turn<'_>) -> Option<usize> {
    let is_due = |t: &Token| t.due_ms.is_some_and(|due| due <= turn.now);
    turn.instance.tokens.iter().position(is_due)
}

/// The time of token `at` is over.
fn over(turn: &mut Turn<'_>, at: usize) -> Result<(), Halt> {
    let token = turn.instance.tokens[at].clone();
    let (_, wait) = wait_at(turn, token.node)?;
    match route(wait) {
        Some((_, outcome)) if outcome != "ok" => {
            turn.instance.tokens.remove(at);
            catch::structure(turn, token.frame, token.node, &Failure::named(outcome))
        }
        _ => ended(turn, at, "ok", None),
    }
}

/// The rung that ends a wait.
fn route(wait: &Wait) -> Option<(i64, &str)> {
    let routes = wait.ladder.iter().filter_map(|rung| match &rung.action {
        RungAction::Route(outcome) => Some((rung.after_ms, outcome.as_str())),
        RungAction::Resend | RungAction::Notify(_) => None,
    });
    routes.min_by_key(|(after, _)| *after)
}

fn due(turn: &Turn<'_>, frame: FrameId, node: &Node, wait: &Wait) -> Result<Option<i64>, Halt> {
    let Some(until) = &wait.until else {
        return Ok(route(wait).map(|(after, _)| turn.now.saturating_add(after)));
    };
    let value = turn.value((&node.step, frame), until, &[])?;
    let time = match &value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => definition::time_ms(text),
        _ => None,
    };
    match time {
        Some(time) => Ok(Some(time)),
        None => Err(wrong(
            &node.step,
            until,
            &value,
            "a time (ms since 1970, or 2026-01-31T10:00:00Z)",
        )),
    }
}

/// A block takes longer than it may.
fn block_over(turn: &mut Turn<'_>, id: FrameId) -> Result<(), Halt> {
    let Some(frame) = turn.instance.frame_mut(id) else {
        return Ok(());
    };
    frame.due_ms = None;
    let ix = frame.node;
    let is_scope = matches!(frame.kind, FrameKind::Scope { .. });
    if !is_scope || turn.instance.is_stopped(id) {
        return Ok(());
    }
    let node = turn.node(ix)?;
    let entry = catch::entry(node, &["timeout", "any"]);
    let back = entry.is_none_or(|c| c.run.is_none() && c.then == Directive::Compensate);
    let part = if back { unwind::part_of(turn, id) } else { id };
    if unwind::is_pivot_pending(turn, part) {
        // If the pivot is refused, the saga turns back anyway; if it succeeds, nothing can be given up.
        turn.moment(format!(
            "{}: timeout without effect at the pivot",
            node.step
        ));
        return Ok(());
    }
    let failure = Failure::named("timeout");
    let error = failure.error(&node.step, 0);
    turn.moment(format!("{}: timeout", node.step));
    match entry.map(|catch| (catch.run, catch.then)) {
        // What will be executed again is undone first.
        Some((_, Directive::Retry)) if !turn.instance.past_pivot => {
            unwind::begin(turn, id, "timeout", error)
        }
        Some((Some(_), _) | (None, Directive::Continue)) => unwind::conclude(turn, id, "timeout"),
        // What is done after the pivot stays done: nothing inside can be given up.
        _ if turn.instance.past_pivot => hold(turn, node, IncidentKind::RetriesExhausted),
        Some((None, Directive::Park)) => hold(turn, node, IncidentKind::Declared),
        None | Some((None, Directive::Compensate | Directive::Retry)) => {
            unwind::turn_back(turn, id, &node.step, error)
        }
    }
}

/// Parks where it is: a retry lets the block go on without a limit.
fn hold(turn: &mut Turn<'_>, node: &Node, kind: IncidentKind) -> Result<(), Halt> {
    let detail = format!("step {}: it takes longer than its timeout", node.step);
    parked::park(turn, kind, Some(&node.step), detail);
    Ok(())
}
