//! Running the program: from a node until something must be awaited.
//!
//! Absent on purpose: the node kinds Branch, Fork, Join, Iterate, Wait, Scope and End. The compiler of this release does not emit them;
//! an instance that meets one is parked, so that a later release can go on with it.

use std::collections::BTreeMap;

use crate::effect::{self, Effect, Note};
use crate::instance::StepStatus;
use crate::ir::{Kind, Node, NodeIx, Publish, Send, StepKind, Template};

use super::turn::{Halt, Turn};
use super::{command, compensate};

/// Nodes run in one transition: more is a loop without end.
pub(super) const NODES_MAX: usize = 10_000;

/// Runs from `position` until a command is awaited or the sequence ends.
pub(super) fn run(turn: &mut Turn<'_>, mut position: Option<NodeIx>) -> Result<(), Halt> {
    for _ in 0..NODES_MAX {
        let Some(ix) = position else { return Ok(()) };
        let node = turn.node(ix)?;
        if !enter(turn, ix, node)? {
            return Ok(());
        }
        position = node.next;
    }
    let detail = format!("more than {NODES_MAX} nodes in one transition");
    Err(Halt::program(None, detail))
}

/// Publishes an event under `<saga id>/<name>`.
pub(super) fn publish(turn: &mut Turn<'_>, name: &str, publish: &Publish) -> Result<(), Halt> {
    let payload = turn.evaluate(name, &publish.payload, &[])?;
    let key = turn.record_key(name, publish.key.as_ref())?;
    turn.effects.push(Effect::Publish(effect::Publish {
        id: format!("{}/{name}", turn.instance.id),
        topic: publish.topic.clone(),
        r#type: publish.r#type.clone(),
        key: key.unwrap_or_else(|| turn.instance.key.clone()),
        payload,
    }));
    Ok(())
}

/// Runs one node; false: its answer is awaited.
fn enter(turn: &mut Turn<'_>, ix: NodeIx, node: &Node) -> Result<bool, Halt> {
    if let Some(when) = &node.when
        && !turn.condition(&node.step, when)?
    {
        skipped(turn, &node.step);
        return Ok(true);
    }
    match &node.kind {
        Kind::Set(variables) => assign(turn, &node.step, variables)?,
        Kind::Publish(event) => publish(turn, &node.step, event)?,
        Kind::Send(send) => {
            send_first(turn, ix, send)?;
            return Ok(false);
        }
        other => {
            let detail = format!(
                "step {}: this release cannot run {}",
                node.step,
                word(other)
            );
            return Err(Halt::program(Some(&node.step), detail));
        }
    }
    ran(turn, &node.step);
    Ok(true)
}

fn send_first(turn: &mut Turn<'_>, ix: NodeIx, send: &Send) -> Result<(), Halt> {
    // A retriable step only goes forward: a saga whose pivot was skipped turns forward-only here.
    if send.kind == StepKind::Retriable {
        compensate::pass_pivot(turn);
    }
    command::start(turn, ix, 1)
}

/// All values are computed before any is assigned: the order of names must not matter.
fn assign(
    turn: &mut Turn<'_>,
    step: &str,
    variables: &BTreeMap<String, Template>,
) -> Result<(), Halt> {
    let mut values = Vec::with_capacity(variables.len());
    for (name, template) in variables {
        values.push((name.clone(), turn.evaluate(step, template, &[])?));
    }
    turn.instance.data.extend(values);
    Ok(())
}

fn ran(turn: &mut Turn<'_>, step: &str) {
    turn.step_is(step, StepStatus::Succeeded);
    turn.note(Note::StepStarted {
        step: step.to_owned(),
    });
    turn.moment(format!("{step}: done"));
}

fn skipped(turn: &mut Turn<'_>, step: &str) {
    turn.step_is(step, StepStatus::Skipped);
    turn.note(Note::StepFinished {
        step: step.to_owned(),
        outcome: "skipped".to_owned(),
        wait_ms: 0,
    });
}

fn word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Set(_) => "set",
        Kind::Branch { .. } => "branch",
        Kind::Fork { .. } => "fork",
        Kind::Join { .. } => "join",
        Kind::Iterate(_) => "iterate",
        Kind::Send(_) => "send",
        Kind::Wait(_) => "wait",
        Kind::Publish(_) => "publish",
        Kind::Scope { .. } => "scope",
        Kind::End { .. } => "end",
    }
}
