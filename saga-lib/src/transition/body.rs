//! Bodies: opening the frames of a structure, and what the end of a body means.
//!
//! ```text
//! fork     branch ... branch     enough branches arrived: go on; the others are undone
//! iterate  round, round, ...     all elements, or `until`: go on; too many: `exhausted`
//! scope    body                  go on
//! catch    steps                 what `then` says
//! ```
//! Absent on purpose: leaving a body before its end (see [`super::unwind`]).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::instance::{Frame, FrameId, FrameKind, Mode, ROOT, StepStatus};
use crate::ir::{Iterate, Kind, Node, NodeIx, Scope};

use super::outcome::Failure;
use super::turn::{Halt, Turn};
use super::{catch, compensate, run, unwind};

/// Opens a frame inside `parent`.
pub(super) fn open(turn: &mut Turn<'_>, parent: FrameId, node: NodeIx, kind: FrameKind) -> FrameId {
    turn.instance.frames_opened += 1;
    let id = turn.instance.frames_opened;
    turn.instance.frames.push(Frame {
        id,
        parent,
        node,
        kind,
        mode: Mode::Forward,
        data: BTreeMap::new(),
        due_ms: None,
        sla_ms: None,
    });
    id
}

/// Closes a frame; whatever is inside must be gone.
pub(super) fn close(turn: &mut Turn<'_>, id: FrameId) -> Option<Frame> {
    let at = turn.instance.frames.iter().position(|f| f.id == id)?;
    Some(turn.instance.frames.remove(at))
}

/// Starts parallel branches.
pub(super) fn fork(
    turn: &mut Turn<'_>,
    frame: FrameId,
    ix: NodeIx,
    branches: &[(String, Option<NodeIx>)],
) -> Result<(), Halt> {
    let joined = false;
    let fork = opened(turn, frame, ix, FrameKind::Fork { arrived: 0, joined })?;
    for (index, (_, first)) in (0..).zip(branches) {
        let branch = open(turn, fork, ix, FrameKind::Branch { index });
        turn.go(branch, *first);
    }
    if branches.is_empty() {
        close(turn, fork);
        return done(turn, frame, ix, None);
    }
    Ok(())
}

/// Begins a block.
pub(super) fn scope(turn: &mut Turn<'_>, frame: FrameId, ix: NodeIx) -> Result<(), Halt> {
    let node = turn.node(ix)?;
    let Kind::Scope(scope) = &node.kind else {
        return Err(strange(node));
    };
    let data = arguments(turn, frame, node, scope)?;
    let local = scope.with.is_some();
    let id = opened(turn, frame, ix, FrameKind::Scope { local })?;
    let due_ms = scope.timeout_ms.map(|after| turn.now.saturating_add(after));
    if let Some(frame) = turn.instance.frame_mut(id) {
        frame.data = data;
        frame.due_ms = due_ms;
    }
    turn.go(id, scope.body);
    Ok(())
}

/// Begins a for_each or a loop.
pub(super) fn iterate(turn: &mut Turn<'_>, frame: FrameId, ix: NodeIx) -> Result<(), Halt> {
    let (node, iterate) = iterate_at(turn, ix)?;
    let items = items(turn, frame, node, iterate)?;
    if items.len() > iterate.max as usize {
        let reason = format!("{} elements, more than {}", items.len(), iterate.max);
        return exhausted(turn, frame, ix, reason);
    }
    let first = if iterate.over.is_some() {
        items.len().min(iterate.limit.max(1) as usize)
    } else {
        1
    };
    let kind = FrameKind::Iterate {
        items,
        begun: 0,
        done: 0,
        kept: BTreeMap::new(),
    };
    let id = opened(turn, frame, ix, kind)?;
    for _ in 0..first {
        round(turn, id)?;
    }
    if first == 0 {
        walked(turn, id)?;
    }
    Ok(())
}

/// `stop`: ends the innermost branch or element around it, else the saga.
pub(super) fn stop(turn: &mut Turn<'_>, frame: FrameId, outcome: &str) -> Result<(), Halt> {
    let branch = turn.instance.around(frame).find(|f| {
        matches!(
            f.kind,
            FrameKind::Branch { .. } | FrameKind::Round { element: true, .. }
        )
    });
    let until = branch.map_or(ROOT, |f| f.id);
    if until == ROOT {
        turn.instance.outcome = (outcome != "completed").then(|| outcome.to_owned());
        turn.moment(format!("stopped: {outcome}"));
    }
    // Structures between here and there are left, like a block whose time is over.
    let passed = turn.instance.around(frame).map(|f| f.id);
    match passed.take_while(|id| *id != until).last() {
        Some(outermost) => unwind::conclude(turn, outermost, unwind::STOPPED),
        None => end(turn, until),
    }
}

/// The sequence of a frame came to its end.
pub(super) fn end(turn: &mut Turn<'_>, id: FrameId) -> Result<(), Halt> {
    let Some(frame) = turn.instance.frame(id).cloned() else {
        return Ok(());
    };
    if turn.instance.frames.iter().any(|f| f.parent == id) {
        // Branches that came too late are still being undone inside: see [`unwind::settle`].
        return Ok(());
    }
    match &frame.kind {
        FrameKind::Branch { .. } => arrived(turn, &frame),
        FrameKind::Round { index, element, .. } => rounded(turn, &frame, *index, *element),
        FrameKind::Scope { .. } => {
            close(turn, id);
            done(turn, frame.parent, frame.node, frame.sla_ms)
        }
        FrameKind::Catch(caught) => {
            close(turn, id);
            catch::ran(turn, &frame, (**caught).clone())
        }
        FrameKind::Fork { .. }
        | FrameKind::Iterate { .. }
        | FrameKind::Retreat
        | FrameKind::Query(_) => Err(strange(turn.node(frame.node)?)),
    }
}

/// Too many elements, or a loop that does not end.
fn exhausted(turn: &mut Turn<'_>, frame: FrameId, ix: NodeIx, reason: String) -> Result<(), Halt> {
    let failure = Failure {
        outcome: "exhausted".to_owned(),
        code: None,
        reason: Some(reason),
    };
    catch::structure(turn, frame, ix, &failure)
}

fn opened(
    turn: &mut Turn<'_>,
    parent: FrameId,
    ix: NodeIx,
    kind: FrameKind,
) -> Result<FrameId, Halt> {
    let node = turn.node(ix)?;
    turn.step_is(&node.step, StepStatus::Pending);
    let id = open(turn, parent, ix, kind);
    let sla_ms = node.sla_ms.map(|after| turn.now.saturating_add(after));
    if let Some(frame) = turn.instance.frame_mut(id) {
        frame.sla_ms = sla_ms;
    }
    Ok(id)
}

/// A structure came to its end: the sequence around it goes on.
fn done(turn: &mut Turn<'_>, frame: FrameId, ix: NodeIx, sla_ms: Option<i64>) -> Result<(), Halt> {
    let node = turn.node(ix)?;
    turn.step_is(&node.step, StepStatus::Succeeded);
    run::reached(turn, node, sla_ms);
    turn.go(frame, node.next);
    Ok(())
}

fn arrived(turn: &mut Turn<'_>, branch: &Frame) -> Result<(), Halt> {
    close(turn, branch.id);
    let needed = needed(turn, branch.node)?;
    let Some(fork) = turn.instance.frame_mut(branch.parent) else {
        return Ok(());
    };
    let FrameKind::Fork { arrived, joined } = &mut fork.kind else {
        return Ok(());
    };
    *arrived += 1;
    if *joined || *arrived < needed {
        return Ok(());
    }
    *joined = true;
    let sla_ms = fork.sla_ms.take();
    let (id, parent, ix) = (fork.id, fork.parent, fork.node);
    let others = turn.instance.frames.iter().filter(|f| f.parent == id);
    let others: Vec<FrameId> = others.map(|f| f.id).collect();
    if others.is_empty() {
        close(turn, id);
    }
    for other in others {
        unwind::begin(turn, other, "lost", Value::Null)?;
    }
    compensate::let_stand(turn);
    done(turn, parent, ix, sla_ms)
}

fn needed(turn: &Turn<'_>, ix: NodeIx) -> Result<u32, Halt> {
    let node = turn.node(ix)?;
    let Kind::Fork { branches, join } = &node.kind else {
        return Err(strange(node));
    };
    let all = u32::try_from(branches.len()).unwrap_or(u32::MAX);
    match &turn.node(*join)?.kind {
        Kind::Join { count } => Ok(count.unwrap_or(all).min(all)),
        _ => Err(strange(node)),
    }
}

/// Begins the next execution of a repetition's body.
fn round(turn: &mut Turn<'_>, id: FrameId) -> Result<(), Halt> {
    let Some(frame) = turn.instance.frame_mut(id) else {
        return Ok(());
    };
    let ix = frame.node;
    let FrameKind::Iterate { items, begun, .. } = &mut frame.kind else {
        return Ok(());
    };
    let number = *begun;
    *begun += 1;
    let item = items.get(number as usize).cloned();
    let (_, iterate) = iterate_at(turn, ix)?;
    let element = iterate.over.is_some();
    let kind = FrameKind::Round {
        index: if element { number } else { number + 1 },
        parallel: element && iterate.limit > 1,
        element,
    };
    let round = open(turn, id, ix, kind);
    if let (Some(name), Some(item)) = (&iterate.bind, item) {
        turn.store(round, name, item);
    }
    turn.go(round, iterate.body);
    Ok(())
}

fn rounded(turn: &mut Turn<'_>, frame: &Frame, index: u32, element: bool) -> Result<(), Halt> {
    let (node, iterate) = iterate_at(turn, frame.node)?;
    let place = (node.step.as_str(), frame.id);
    if !element {
        let enough = match &iterate.until {
            Some(until) => turn.condition(place, until, &[])?,
            None => false,
        };
        close(turn, frame.id);
        return looped(turn, frame.parent, iterate, enough);
    }
    let left = match &iterate.collect {
        Some(collect) => Some(turn.evaluate(place, collect, &[])?),
        None => None,
    };
    close(turn, frame.id);
    gather(turn, frame.parent, index, left)
}

fn looped(turn: &mut Turn<'_>, id: FrameId, iterate: &Iterate, enough: bool) -> Result<(), Halt> {
    let Some(FrameKind::Iterate { begun, .. }) = turn.instance.frame(id).map(|f| &f.kind) else {
        return Ok(());
    };
    if enough {
        return walked(turn, id);
    }
    if *begun < iterate.max {
        return round(turn, id);
    }
    let reason = format!("{begun} rounds, and `until` is not true");
    match close(turn, id) {
        Some(frame) => exhausted(turn, frame.parent, frame.node, reason),
        None => Ok(()),
    }
}

fn gather(turn: &mut Turn<'_>, id: FrameId, index: u32, left: Option<Value>) -> Result<(), Halt> {
    let frame = turn.instance.frame_mut(id);
    let Some(FrameKind::Iterate {
        items,
        begun,
        done,
        kept,
    }) = frame.map(|f| &mut f.kind)
    else {
        return Ok(());
    };
    *done += 1;
    kept.extend(left.map(|value| (index, value)));
    let more = (*begun as usize) < items.len();
    let all = *done as usize == items.len();
    if more {
        round(turn, id)?;
    }
    if all {
        walked(turn, id)?;
    }
    Ok(())
}

/// Every element was walked, or the loop's condition is true.
fn walked(turn: &mut Turn<'_>, id: FrameId) -> Result<(), Halt> {
    let Some(frame) = close(turn, id) else {
        return Ok(());
    };
    let (node, iterate) = iterate_at(turn, frame.node)?;
    if let (FrameKind::Iterate { kept, .. }, Some(_)) = (frame.kind, &iterate.collect) {
        let list = kept.into_values().collect();
        turn.store(frame.parent, node.result(), Value::Array(list));
    }
    done(turn, frame.parent, frame.node, frame.sla_ms)
}

fn items(
    turn: &Turn<'_>,
    frame: FrameId,
    node: &Node,
    iterate: &Iterate,
) -> Result<Vec<Value>, Halt> {
    let Some(over) = &iterate.over else {
        return Ok(Vec::new());
    };
    match turn.value((&node.step, frame), over, &[])? {
        Value::Array(items) => Ok(items),
        other => Err(super::turn::wrong(&node.step, over, &other, "a list")),
    }
}

fn arguments(
    turn: &Turn<'_>,
    frame: FrameId,
    node: &Node,
    scope: &Scope,
) -> Result<BTreeMap<String, Value>, Halt> {
    match &scope.with {
        Some(with) => turn.evaluate_all((&node.step, frame), with, &[]),
        None => Ok(BTreeMap::new()),
    }
}

fn iterate_at<'a>(turn: &Turn<'a>, ix: NodeIx) -> Result<(&'a Node, &'a Iterate), Halt> {
    let node = turn.node(ix)?;
    match &node.kind {
        Kind::Iterate(iterate) => Ok((node, iterate)),
        _ => Err(strange(node)),
    }
}

/// A frame that its node cannot have opened.
fn strange(node: &Node) -> Halt {
    Halt::program(
        Some(&node.step),
        format!("step {}: its frame is not of its kind", node.step),
    )
}
