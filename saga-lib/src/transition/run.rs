//! Running the program: from places on the agenda until everything waits.
//!
//! The agenda holds a frame and a position in its sequence; the end of a sequence closes the frame. What became possible by that (a
//! block that is empty now, a compensation whose turn it is) puts new places there, so the two alternate until nothing moves.
//!
//! Absent on purpose: ends of bodies (see [`super::body`]) and leaving them (see [`super::unwind`]).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::effect::{self, Effect, Note};
use crate::instance::{FrameId, ROOT, StepStatus};
use crate::ir::{Kind, Node, NodeIx, Publish, Send, StepKind, Template};
use crate::mutant::{Mutant, planted};

use super::turn::{Halt, Turn};
use super::{body, command, compensate, unwind, wait};

/// Nodes run in one transition: more is a loop without end.
pub(super) const NODES_MAX: usize = 10_000;

/// How the program goes on behind a node.
enum Step {
    /// With the node that follows.
    Next,
    /// With this one.
    At(NodeIx),
    /// Something is awaited, or another frame goes on.
    Rest,
}

/// Runs everything on the agenda until all of it waits.
pub(super) fn drive(turn: &mut Turn<'_>) -> Result<(), Halt> {
    let mut budget = NODES_MAX;
    loop {
        while let Some((frame, position)) = turn.agenda.pop_front() {
            // A frame may be gone by the time its turn comes.
            if frame == ROOT || turn.instance.frame(frame).is_some() {
                walk(turn, frame, position, &mut budget)?;
            }
        }
        unwind::settle(turn)?;
        if turn.agenda.is_empty() {
            return Ok(());
        }
    }
}

/// Publishes an event under `<saga id>/<name>`.
pub(super) fn publish(
    turn: &mut Turn<'_>,
    frame: FrameId,
    name: &str,
    publish: &Publish,
) -> Result<(), Halt> {
    let place = (name, frame);
    let mut given = BTreeMap::new();
    for arguments in &publish.given {
        given = turn.evaluate_all(place, arguments, &seen(&given))?;
    }
    let payload = turn.evaluate(place, &publish.payload, &seen(&given))?;
    let key = turn.record_key(place, publish.key.as_ref(), &seen(&given))?;
    turn.effects.push(Effect::Publish(effect::Publish {
        id: format!("{}/{name}", turn.instance.id),
        topic: publish.topic.clone(),
        r#type: publish.r#type.clone(),
        key: key.unwrap_or_else(|| turn.instance.key.clone()),
        payload,
    }));
    Ok(())
}

fn seen(given: &BTreeMap<String, Value>) -> Vec<(&str, &Value)> {
    given
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect()
}

/// Notes what a step that was done means for the business. `sla_ms` is its service level, unless it was told as missed.
pub(super) fn reached(turn: &mut Turn<'_>, node: &Node, sla_ms: Option<i64>) {
    if sla_ms.is_some() {
        turn.note(Note::ServiceLevelMet {
            step: node.step.clone(),
        });
    }
    if let Some(name) = &node.milestone {
        turn.note(Note::Milestone {
            step: node.step.clone(),
            name: name.clone(),
        });
    }
}

fn walk(
    turn: &mut Turn<'_>,
    frame: FrameId,
    mut position: Option<NodeIx>,
    budget: &mut usize,
) -> Result<(), Halt> {
    while !turn.instance.is_stopped(frame) || planted(Mutant::E2SiblingGoesOn) {
        *budget = budget.checked_sub(1).ok_or_else(|| {
            Halt::program(
                None,
                format!("more than {NODES_MAX} nodes in one transition"),
            )
        })?;
        let Some(ix) = position else {
            return body::end(turn, frame);
        };
        let node = turn.node(ix)?;
        position = match enter(turn, frame, ix, node)? {
            Step::Next => node.next,
            Step::At(ix) => Some(ix),
            Step::Rest => return Ok(()),
        };
    }
    Ok(())
}

fn enter(turn: &mut Turn<'_>, frame: FrameId, ix: NodeIx, node: &Node) -> Result<Step, Halt> {
    if let Some(when) = &node.when
        && !turn.condition((&node.step, frame), when, &[])?
    {
        skipped(turn, &node.step);
        return Ok(Step::Next);
    }
    match &node.kind {
        Kind::Set(variables) => assign(turn, frame, &node.step, variables)?,
        Kind::Publish(event) => {
            let name = published_as(turn, node, frame);
            publish(turn, frame, &name, event)?;
        }
        Kind::Branch { arms, otherwise } => {
            let target = choose(turn, frame, node, arms, *otherwise)?;
            return Ok(target.map_or(Step::Next, Step::At));
        }
        kind => {
            begin(turn, frame, ix, kind)?;
            return Ok(Step::Rest);
        }
    }
    ran(turn, node);
    Ok(Step::Next)
}

/// The name of a step's event: numbered like a command where the step is executed again.
fn published_as(turn: &mut Turn<'_>, node: &Node, frame: FrameId) -> String {
    let path = format!("{}{}", node.step, turn.instance.suffix(frame));
    let Some(used) = turn.instance.floors.get(&node.step).copied() else {
        return path;
    };
    let execution = used + 1;
    let highest = &mut turn.instance.executions;
    highest.insert(node.step.clone(), execution);
    format!("{path}#{execution}")
}

/// Begins what takes time, or has an inside.
fn begin(turn: &mut Turn<'_>, frame: FrameId, ix: NodeIx, kind: &Kind) -> Result<(), Halt> {
    match kind {
        Kind::Send(send) => send_first(turn, frame, ix, send),
        Kind::Wait(_) => wait::begin(turn, frame, ix),
        Kind::Fork { branches, .. } => body::fork(turn, frame, ix, branches),
        Kind::Iterate(_) => body::iterate(turn, frame, ix),
        Kind::Scope(_) => body::scope(turn, frame, ix),
        Kind::End { outcome } => body::stop(turn, frame, outcome),
        Kind::Join { .. } | Kind::Set(_) | Kind::Publish(_) | Kind::Branch { .. } => {
            body::end(turn, frame)
        }
    }
}

fn send_first(turn: &mut Turn<'_>, frame: FrameId, ix: NodeIx, send: &Send) -> Result<(), Halt> {
    // A retriable step only goes forward: a saga whose pivot was skipped turns forward-only here.
    if send.kind == StepKind::Retriable {
        compensate::pass_pivot(turn);
    }
    command::start(turn, frame, ix)
}

/// The first node of the first arm whose condition is true; `None` goes on behind the choice.
fn choose(
    turn: &mut Turn<'_>,
    frame: FrameId,
    node: &Node,
    arms: &[(crate::expr::Expr, Option<NodeIx>)],
    otherwise: Option<NodeIx>,
) -> Result<Option<NodeIx>, Halt> {
    turn.step_is(&node.step, StepStatus::Succeeded);
    for (condition, target) in arms {
        if turn.condition((&node.step, frame), condition, &[])? {
            return Ok(*target);
        }
    }
    Ok(otherwise)
}

/// All values are computed before any is assigned: the order of names must not matter.
fn assign(
    turn: &mut Turn<'_>,
    frame: FrameId,
    step: &str,
    variables: &BTreeMap<String, Template>,
) -> Result<(), Halt> {
    let values = turn.evaluate_all((step, frame), variables, &[])?;
    turn.instance.data.extend(values);
    Ok(())
}

fn ran(turn: &mut Turn<'_>, node: &Node) {
    turn.step_is(&node.step, StepStatus::Succeeded);
    turn.note(Note::StepStarted {
        step: node.step.clone(),
    });
    turn.moment(format!("{}: done", node.step));
    reached(turn, node, None);
}

fn skipped(turn: &mut Turn<'_>, step: &str) {
    turn.step_is(step, StepStatus::Skipped);
    turn.note(Note::StepFinished {
        step: step.to_owned(),
        outcome: "skipped".to_owned(),
        wait_ms: 0,
    });
}

/// Publishes an event of `finally`.
pub(super) fn publish_last(turn: &mut Turn<'_>, name: &str, event: &Publish) -> Result<(), Halt> {
    publish(turn, ROOT, name, event)
}
