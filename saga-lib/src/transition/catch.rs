//! Catch: where an outcome leads, with or without steps before.
//!
//! Without an entry a failure turns back before the pivot and parks after it. Never both directions, and never back after the pivot.
//!
//! Absent on purpose: which outcome it was (see [`super::outcome`] and [`super::wait`]).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::instance::{
    Caught, Frame, FrameId, FrameKind, IncidentKind, ObligationState, ROOT, Status, StepStatus,
    Token,
};
use crate::ir::{Catch, Directive, Kind, Node, NodeIx};
use crate::mutant::{Mutant, planted};

use super::outcome::{EXECUTIONS_MAX, Failure};
use super::turn::{Halt, Turn};
use super::{attempt, body, command, outcome, parked, unwind};

/// Execution number of a token that stands at a structure or a wait for an operator.
const STANDING: u32 = 0;

/// An outcome that was not simply gone on from.
pub(super) struct Matter {
    /// Node it is of.
    pub(super) ix: NodeIx,
    /// Frame of the node.
    pub(super) frame: FrameId,
    /// The token, if the step may go on from here: with its command unless that was refused.
    pub(super) held: Option<Token>,
    /// `error` in expressions.
    pub(super) error: Value,
    /// `reply` in expressions.
    pub(super) reply: Value,
}

/// The entry for the first of these outcome names that has one.
pub(super) fn entry<'a>(node: &'a Node, names: &[&str]) -> Option<&'a Catch> {
    names.iter().find_map(|name| node.catch.get(*name))
}

/// Follows an entry; `None` is what holds without one.
pub(super) fn follow(
    turn: &mut Turn<'_>,
    matter: Matter,
    catch: Option<&Catch>,
) -> Result<(), Halt> {
    let Some((first, then)) = catch.and_then(|catch| Some((catch.run?, catch.then))) else {
        return lead(turn, matter, catch.map(|catch| catch.then));
    };
    raise_floors(turn, first)?;
    let id = open(turn, matter, then);
    turn.go(id, Some(first));
    Ok(())
}

/// The steps of an entry came to their end.
pub(super) fn ran(turn: &mut Turn<'_>, frame: &Frame, caught: Caught) -> Result<(), Halt> {
    if let (Some(token), Some(reply)) = (&caught.held, &caught.answer) {
        // The answer came while the steps ran: it says more than what the author decided without it.
        turn.instance.tokens.push(token.clone());
        let at = turn.instance.tokens.len() - 1;
        return outcome::answered(turn, at, reply).map(|_| ());
    }
    let named = |name: &str| frame.data.get(name).cloned().unwrap_or(Value::Null);
    let first = |token: &Token| token.caught == ROOT && unwind::is_logged(turn.instance, frame.id);
    let held = caught.held.map(|token| Token {
        caught: if first(&token) {
            frame.id
        } else {
            token.caught
        },
        ..token
    });
    let matter = Matter {
        ix: frame.node,
        frame: frame.parent,
        held,
        error: named("error"),
        reply: named("reply"),
    };
    lead(turn, matter, Some(caught.then))
}

/// A wait or a structure ended with another outcome than success.
pub(super) fn structure(
    turn: &mut Turn<'_>,
    frame: FrameId,
    ix: NodeIx,
    failure: &Failure,
) -> Result<(), Halt> {
    let node = turn.node(ix)?;
    turn.step_is(&node.step, StepStatus::Unknown);
    turn.moment(format!("{}: {}", node.step, failure.outcome));
    let matter = Matter {
        ix,
        frame,
        held: None,
        error: failure.error(&node.step, 0),
        reply: Value::Null,
    };
    follow(turn, matter, entry(node, &[&failure.outcome, "any"]))
}

/// Does what a directive says.
pub(super) fn lead(
    turn: &mut Turn<'_>,
    matter: Matter,
    directive: Option<Directive>,
) -> Result<(), Halt> {
    let node = turn.node(matter.ix)?;
    // Only a step that succeeded has nothing left to go on with: its effect stands, and it is not executed again.
    let succeeded = matches!(node.kind, Kind::Send(_)) && matter.held.is_none();
    let back = !turn.instance.past_pivot || planted(Mutant::C2BackAfterPivot);
    match directive {
        Some(Directive::Continue) => turn.go(matter.frame, node.next),
        Some(Directive::Retry) if succeeded => turn.go(matter.frame, node.next),
        Some(Directive::Retry) => return again(turn, node, matter),
        None | Some(Directive::Compensate) if back => {
            if unwind::is_pivot_pending(turn, unwind::part_of(turn, matter.frame)) {
                pause(turn, matter, Directive::Compensate);
                return Ok(());
            }
            return unwind::turn_back(turn, matter.frame, &node.step, matter.error);
        }
        Some(Directive::Park) if succeeded => {
            stop(turn, node, &matter, IncidentKind::Declared);
            pause(turn, matter, Directive::Continue);
        }
        None | Some(Directive::Compensate) => {
            stop(turn, node, &matter, IncidentKind::RetriesExhausted);
            stand(turn, node, matter);
        }
        Some(Directive::Park) => {
            stop(turn, node, &matter, IncidentKind::Declared);
            stand(turn, node, matter);
        }
    }
    Ok(())
}

/// Does this token wait for an operator, and for nothing else?
pub(super) fn is_standing(turn: &Turn<'_>, token: &Token) -> bool {
    let waits = |node: &Node| matches!(node.kind, Kind::Wait(_));
    let wait = turn.definition.node(token.node).is_some_and(waits);
    token.pending.is_none() && (token.execution == STANDING || !wait)
}

/// Executes the step again: an unknown outcome keeps its command id and gets a fresh ladder, after a refusal a new execution begins.
fn again(turn: &mut Turn<'_>, node: &Node, matter: Matter) -> Result<(), Halt> {
    match matter.held {
        Some(token) if token.pending.is_some() => {
            turn.instance.tokens.push(token);
            let at = turn.instance.tokens.len() - 1;
            attempt::fresh_ladder(turn, at)
        }
        Some(token) if token.execution < EXECUTIONS_MAX => {
            command::execute(turn, token.frame, token.node, token.execution + 1, None)
        }
        None if !matches!(node.kind, Kind::Send(_)) && renew(turn, matter.ix)? => {
            turn.go(matter.frame, Some(matter.ix));
            Ok(())
        }
        held => {
            let matter = Matter { held, ..matter };
            stop(turn, node, &matter, IncidentKind::RetriesExhausted);
            stand(turn, node, matter);
            Ok(())
        }
    }
}

/// Waits until the pivot is decided, or an operator lets it go on; then `then` follows.
fn pause(turn: &mut Turn<'_>, matter: Matter, then: Directive) {
    open(turn, matter, then);
}

fn open(turn: &mut Turn<'_>, matter: Matter, then: Directive) -> FrameId {
    let caught = Caught {
        then,
        held: matter.held,
        answer: None,
    };
    let kind = FrameKind::Catch(Box::new(caught));
    let id = body::open(turn, matter.frame, matter.ix, kind);
    if let Some(frame) = turn.instance.frame_mut(id) {
        frame.data.insert("error".to_owned(), matter.error);
        frame.data.insert("reply".to_owned(), matter.reply);
    }
    id
}

/// Parks at the step. An instance that is parked already tells of its first incident first.
fn stop(turn: &mut Turn<'_>, node: &Node, matter: &Matter, kind: IncidentKind) {
    if turn.instance.status == Status::Parked {
        turn.moment(format!("{}: waits for an operator", node.step));
        return;
    }
    park_at(turn, (node, matter.frame), matter.error.clone(), kind);
}

/// Parks because of an outcome; the incident says where, which, after how many attempts, and why.
pub(super) fn park_at(
    turn: &mut Turn<'_>,
    (node, frame): (&Node, FrameId),
    error: Value,
    kind: IncidentKind,
) {
    let path = format!("{}{}", node.step, turn.instance.suffix(frame));
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let cause = text("reason").or_else(|| text("code"));
    let detail = format!(
        "step {path}: {} after {} attempt(s){}",
        text("outcome").unwrap_or("failed"),
        error.get("attempts").unwrap_or(&Value::Null),
        cause.map_or_else(String::new, |cause| format!(": {cause}")),
    );
    turn.instance.error = Some(error);
    parked::park(turn, kind, Some(&path), detail);
}

/// Leaves a token at the step: a retry, or the answer, goes on from here.
fn stand(turn: &mut Turn<'_>, node: &Node, matter: Matter) {
    // A command that was given up has its execution number; a structure has none.
    let sends = matches!(node.kind, Kind::Send(_));
    let highest = turn.instance.executions.get(&node.step).copied();
    let execution = if sends {
        highest.unwrap_or(1)
    } else {
        STANDING
    };
    let token = matter.held.unwrap_or(Token {
        node: matter.ix,
        frame: matter.frame,
        execution,
        pending: None,
        due_ms: None,
        sla_ms: None,
        caught: ROOT,
    });
    turn.instance.tokens.push(token);
}

/// Makes room for one more execution of a structure: commands inside get new numbers. False: it was executed too often.
pub(super) fn renew(turn: &mut Turn<'_>, ix: NodeIx) -> Result<bool, Halt> {
    let node = turn.node(ix)?;
    let executions = turn
        .instance
        .executions
        .entry(node.step.clone())
        .or_insert(1);
    *executions += 1;
    let allowed = *executions <= EXECUTIONS_MAX;
    // An operator may go beyond the bound.
    let inside = turn.definition.inside(ix);
    raise(turn, inside)?;
    Ok(allowed)
}

/// A sequence that runs on behalf of a step may have run before: its commands and events get new numbers.
pub(super) fn raise_floors(turn: &mut Turn<'_>, first: NodeIx) -> Result<(), Halt> {
    let mut reached = BTreeSet::new();
    let mut at = Some(first);
    // A choice leads to the same nodes on several ways: what was reached is not walked again.
    while let Some(ix) = at.filter(|ix| reached.insert(*ix)) {
        reached.extend(turn.definition.inside(ix));
        at = turn.node(ix)?.next;
    }
    raise(turn, reached)
}

fn raise(turn: &mut Turn<'_>, nodes: BTreeSet<NodeIx>) -> Result<(), Halt> {
    for ix in nodes {
        let node = turn.node(ix)?;
        let begun = turn.instance.steps.contains_key(&node.step);
        if begun && matches!(node.kind, Kind::Send(_) | Kind::Publish(_)) {
            let used = turn.instance.executions.get(&node.step).copied();
            let floors = &mut turn.instance.floors;
            floors.insert(node.step.clone(), used.unwrap_or(1));
        }
    }
    Ok(())
}

/// The state in which an execution is remembered that was given up while its frame is being left.
pub(super) fn left_as(turn: &Turn<'_>, frame: FrameId) -> ObligationState {
    if unwind::is_undone(turn.instance, frame) {
        ObligationState::Open
    } else {
        ObligationState::Watched
    }
}
