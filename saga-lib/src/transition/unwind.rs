//! Unwinding: leaving a part of the program, and compensating what was done there.
//!
//! A part is the saga, a block that catches `compensated`, a parallel branch that came too late, or a command whose second provider
//! waits. First nothing new begins inside and what is in flight is awaited (or given up at the end of its ladder), so that no
//! compensation overtakes its own command; then every obligation of the part is due; when all are confirmed, the part is done.
//!
//! Obligations that are due are compensated in reverse causal order: each waits for those that came after it, unless the two lie in
//! branches that ran at the same time.
//!
//! Absent on purpose: a part that fails to unwind. A refused compensation parks the instance and stands until it is settled.

use serde_json::Value;

use crate::effect::Note;
use crate::input::Reply;
use crate::instance::{
    Frame, FrameId, FrameKind, Instance, Level, Mode, Obligation, ObligationState, ROOT, Status,
    Token, are_independent,
};
use crate::ir::{Directive, Kind, StepKind};
use crate::mutant::{Mutant, planted};

use super::catch::{self, Matter};
use super::outcome::{self, Failure};
use super::turn::{Halt, Turn};
use super::{body, compensate};

/// Outcome of a part that `stop` ended. No outcome of a definition has such a name.
pub(super) const STOPPED: &str = "(stopped)";

/// Turns back from `frame`: to the innermost block around it that catches `compensated`, else the whole saga.
pub(super) fn turn_back(
    turn: &mut Turn<'_>,
    frame: FrameId,
    cause: &str,
    error: Value,
) -> Result<(), Halt> {
    if turn.instance.is_stopped(frame) && !planted(Mutant::B5TurnsBackAgain) {
        return Ok(());
    }
    match part_of(turn, frame) {
        ROOT => {
            turn.instance.error = Some(error);
            all(turn, cause)
        }
        id => {
            turn.moment(format!("turned back inside a block because of {cause}"));
            begin(turn, id, "compensated", error)
        }
    }
}

/// What turns back with a step in `frame`: the innermost block around it that catches `compensated`, else the whole saga.
pub(super) fn part_of(turn: &Turn<'_>, frame: FrameId) -> FrameId {
    let catches = |ix| {
        let node = turn.definition.node(ix);
        node.is_some_and(|node| node.catch.contains_key("compensated"))
    };
    let block = turn
        .instance
        .around(frame)
        .find(|f| matches!(f.kind, FrameKind::Scope { .. }) && catches(f.node));
    let block = block.filter(|_| !planted(Mutant::C4PassesTheSavePoint));
    block.map_or(ROOT, |f| f.id)
}

/// The whole saga turns back.
pub(super) fn all(turn: &mut Turn<'_>, cause: &str) -> Result<(), Halt> {
    if turn.instance.status == Status::Parked {
        // A branch waited for an operator; now it is left like the others.
        turn.instance.incident = None;
        turn.note(Note::Resumed);
    }
    turn.instance.status = Status::Compensating;
    turn.note(Note::CompensationStarted {
        cause: cause.to_owned(),
    });
    leave(turn, ROOT)
}

/// What was done inside this frame is to be undone.
pub(super) fn begin(
    turn: &mut Turn<'_>,
    id: FrameId,
    outcome: &str,
    error: Value,
) -> Result<(), Halt> {
    let outcome = outcome.to_owned();
    enter(turn, id, Mode::Unwinding { outcome, error })
}

/// Nothing new begins inside this frame; when nothing is in flight there, `outcome` is its outcome.
pub(super) fn conclude(turn: &mut Turn<'_>, id: FrameId, outcome: &str) -> Result<(), Halt> {
    let outcome = outcome.to_owned();
    enter(turn, id, Mode::Ending { outcome })
}

/// Is this frame, or one around it, being undone (and not only ended)?
pub(super) fn is_undone(instance: &Instance, frame: FrameId) -> bool {
    let undone = |mode: &Mode| matches!(mode, Mode::Unwinding { .. });
    let back = matches!(
        instance.direction(),
        Status::Compensating | Status::Terminated
    );
    back || instance.around(frame).any(|f| undone(&f.mode))
}

/// Is an execution with these frames around it compensated, or may it be, although the saga goes forward?
pub(super) fn is_owed_alone(turn: &Turn<'_>, lineage: &[Level]) -> bool {
    lineage.iter().any(|level| {
        let frame = turn.instance.frame(level.frame);
        let undone = frame.is_some_and(|f| matches!(f.mode, Mode::Unwinding { .. }));
        undone || may_be_lost(turn, level.frame)
    })
}

/// Is this frame inside a parallel branch that may come too late?
pub(super) fn may_be_lost(turn: &Turn<'_>, frame: FrameId) -> bool {
    let counted = |ix| match turn.definition.node(ix).map(|node| &node.kind) {
        Some(Kind::Join { count }) => count.is_some(),
        _ => false,
    };
    turn.instance.around(frame).any(|frame| {
        let node = turn.definition.node(frame.node).map(|node| &node.kind);
        let open = matches!(frame.kind, FrameKind::Fork { joined: false, .. });
        open && matches!(node, Some(Kind::Fork { join, .. }) if counted(*join))
    })
}

/// Moves every part that is being left as far as it goes, and sends the compensations whose turn it is.
pub(super) fn settle(turn: &mut Turn<'_>) -> Result<(), Halt> {
    if matches!(turn.instance.status, Status::Parked | Status::Suspended) {
        return Ok(());
    }
    let parts: Vec<FrameId> = turn.instance.frames.iter().map(|f| f.id).collect();
    for id in parts {
        part(turn, id)?;
    }
    let quiet = is_quiet(turn.instance, ROOT) || planted(Mutant::E2OvertakesItsCommand);
    if turn.instance.status == Status::Compensating && quiet {
        due(turn, ROOT);
        turn.instance.frames.clear();
    }
    if turn.agenda.is_empty() {
        ended(turn);
    }
    schedule(turn)
}

/// Lets frames end that came to their end before, and waited for branches inside that were being undone, or for the pivot.
fn ended(turn: &mut Turn<'_>) {
    let waits = |frame: &Frame| match &frame.kind {
        FrameKind::Scope { .. } | FrameKind::Branch { .. } | FrameKind::Round { .. } => true,
        FrameKind::Catch(caught) => {
            caught.then != Directive::Compensate
                || !is_pivot_pending(turn, part_of(turn, frame.parent))
        }
        FrameKind::Fork { .. }
        | FrameKind::Iterate { .. }
        | FrameKind::Retreat
        | FrameKind::Query(_) => false,
    };
    let instance = &*turn.instance;
    let is_empty = |id| is_quiet(instance, id) && !instance.frames.iter().any(|f| f.parent == id);
    let open = instance.frames.iter();
    let open = open.filter(|f| !instance.is_stopped(f.id) && is_empty(f.id) && waits(f));
    for id in open.map(|f| f.id).collect::<Vec<_>>() {
        turn.go(id, None);
    }
}

/// Gives up everything that waits inside, and whatever could begin something later.
pub(super) fn leave(turn: &mut Turn<'_>, part: FrameId) -> Result<(), Halt> {
    for (id, token, answer) in held(turn, part) {
        let logged = turn.instance.obligations.len();
        outcome::forget(turn, &token, answer.as_ref())?;
        before_its_catch(turn, id, logged);
    }
    let (inside, rest): (Vec<Token>, Vec<Token>) = std::mem::take(&mut turn.instance.tokens)
        .into_iter()
        .partition(|token| turn.instance.is_within(token.frame, part));
    turn.instance.tokens = rest;
    for mut token in inside.into_iter().filter(|token| token.pending.is_some()) {
        if planted(Mutant::CompensationOvertakes) {
            let failure = Failure::named("cancel");
            outcome::give_up(turn, &token, &failure, ObligationState::Open)?;
            continue;
        }
        token.sla_ms = None;
        turn.instance.tokens.push(token);
    }
    let inside: Vec<FrameId> = inside_of(turn.instance, part);
    for frame in &mut turn.instance.frames {
        if frame.id == part || inside.contains(&frame.id) {
            frame.due_ms = None;
            frame.sla_ms = None;
        }
    }
    Ok(())
}

fn enter(turn: &mut Turn<'_>, id: FrameId, mode: Mode) -> Result<(), Halt> {
    if let Some(frame) = turn.instance.frame_mut(id) {
        frame.mode = mode;
    }
    leave(turn, id)
}

/// Commands that frames inside hold, and answers that came for them: they wait for nothing any more. Each with the frame of the first
/// steps in `catch` that ran for it.
fn held(turn: &mut Turn<'_>, part: FrameId) -> Vec<(FrameId, Token, Option<Reply>)> {
    let inside = inside_of(turn.instance, part);
    let mut held = Vec::new();
    for frame in &mut turn.instance.frames {
        if frame.id != part && !inside.contains(&frame.id) {
            continue;
        }
        // Inside the frame they are in the part that is being left, whichever that is.
        let within = |token: Token| Token {
            frame: frame.id,
            caught: ROOT,
            ..token
        };
        if let FrameKind::Catch(caught) = &mut frame.kind
            && let Some(token) = caught.held.take()
        {
            let first = match token.caught {
                ROOT => frame.id,
                first => first,
            };
            held.push((first, within(token), caught.answer.take()));
        } else if let FrameKind::Query(token) = &frame.kind {
            held.push((frame.id, within((**token).clone()), None));
        }
    }
    held
}

/// Did something inside this frame, which may be closed, leave an obligation?
pub(super) fn is_logged(instance: &Instance, id: FrameId) -> bool {
    instance.obligations.iter().any(|o| was_inside(o, id))
}

fn was_inside(obligation: &Obligation, id: FrameId) -> bool {
    obligation.lineage.iter().any(|level| level.frame == id)
}

/// What was logged just now (from `logged` on) was executed before the steps in `catch` that ran for it in frame `id`.
pub(super) fn before_its_catch(turn: &mut Turn<'_>, id: FrameId, logged: usize) {
    let log = &mut turn.instance.obligations;
    let first = log.iter().take(logged).position(|o| was_inside(o, id));
    if let Some(first) = first {
        let count = log.len() - logged;
        log[first..].rotate_right(count);
    }
}

/// Frames inside `part`, itself not included.
fn inside_of(instance: &Instance, part: FrameId) -> Vec<FrameId> {
    let frames = instance.frames.iter().map(|f| f.id);
    frames
        .filter(|id| *id != part && instance.is_within(*id, part))
        .collect()
}

/// Is nothing in flight inside?
fn is_quiet(instance: &Instance, part: FrameId) -> bool {
    let mut tokens = instance.tokens.iter();
    !tokens.any(|token| instance.is_within(token.frame, part))
}

fn part(turn: &mut Turn<'_>, id: FrameId) -> Result<(), Halt> {
    let Some(frame) = turn.instance.frame(id) else {
        return Ok(());
    };
    let inert = frame.mode == Mode::Forward || turn.instance.is_stopped(frame.parent);
    if inert || !is_quiet(turn.instance, id) {
        return Ok(());
    }
    let undone = matches!(frame.mode, Mode::Unwinding { .. });
    for inner in inside_of(turn.instance, id) {
        let closed = body::close(turn, inner);
        // What was being undone stays owed, although this part is only ended.
        if closed.is_some_and(|f| matches!(f.mode, Mode::Unwinding { .. })) {
            due(turn, inner);
        }
    }
    if undone {
        due(turn, id);
    }
    let within = |o: &Obligation| o.lineage.iter().any(|level| level.frame == id);
    let mut owed = turn.instance.obligations.iter();
    if undone && owed.any(|o| within(o) && is_unsettled(o.state)) {
        return Ok(());
    }
    left(turn, id)
}

/// The part is left: nothing is in flight, nothing is owed.
fn left(turn: &mut Turn<'_>, id: FrameId) -> Result<(), Halt> {
    let Some(frame) = body::close(turn, id) else {
        return Ok(());
    };
    match (&frame.kind, frame.mode) {
        (FrameKind::Branch { .. }, _) => {
            let mut others = turn.instance.frames.iter();
            if !others.any(|f| f.parent == frame.parent) {
                body::close(turn, frame.parent);
            }
            Ok(())
        }
        (FrameKind::Retreat, _) => {
            let (_, send) = turn.send_at(frame.node)?;
            turn.go(frame.parent, send.fallback);
            Ok(())
        }
        (_, Mode::Ending { outcome }) if outcome == STOPPED => {
            turn.go(frame.parent, None);
            Ok(())
        }
        (_, Mode::Unwinding { outcome, error }) => {
            blocked(turn, (frame.parent, frame.node), &outcome, error)
        }
        (_, Mode::Ending { outcome }) => {
            let node = turn.node(frame.node)?;
            let failure = Failure::named(&outcome);
            let error = failure.error(&node.step, 0);
            blocked(turn, (frame.parent, frame.node), &outcome, error)
        }
        (_, Mode::Forward) => Ok(()),
    }
}

/// A block ended otherwise than by its end.
fn blocked(
    turn: &mut Turn<'_>,
    (frame, ix): (FrameId, crate::ir::NodeIx),
    outcome: &str,
    error: Value,
) -> Result<(), Halt> {
    let node = turn.node(ix)?;
    turn.step_is(&node.step, crate::instance::StepStatus::Compensated);
    let matter = Matter {
        ix,
        frame,
        held: None,
        error,
        reply: Value::Null,
    };
    catch::follow(turn, matter, catch::entry(node, &[outcome, "any"]))
}

fn is_unsettled(state: ObligationState) -> bool {
    matches!(
        state,
        ObligationState::Due | ObligationState::Compensating | ObligationState::Refused
    )
}

/// Everything that was done, or may have been done, inside is to be compensated.
fn due(turn: &mut Turn<'_>, part: FrameId) {
    for obligation in &mut turn.instance.obligations {
        let mut levels = obligation.lineage.iter();
        let inside = part == ROOT
            || levels.any(|level| level.frame == part)
            || planted(Mutant::C4UndoesWhatWasBefore);
        let open = matches!(
            obligation.state,
            ObligationState::Open | ObligationState::Watched
        );
        if inside && open {
            obligation.state = ObligationState::Due;
        }
    }
}

/// Sends every compensation that is due and waits for none that came after it.
fn schedule(turn: &mut Turn<'_>) -> Result<(), Halt> {
    let obligations = &turn.instance.obligations;
    let ready: Vec<usize> = (0..obligations.len())
        .rev()
        .filter(|at| obligations[*at].state == ObligationState::Due && is_free(obligations, *at))
        .collect();
    for at in ready {
        compensate::start(turn, at)?;
    }
    Ok(())
}

/// Those that came later are settled first; one that is under way is not disturbed, whenever it came.
fn is_free(obligations: &[Obligation], at: usize) -> bool {
    // From the end: the last one that is due is found at once, so that a long log costs little.
    let mut others = obligations.iter().enumerate().rev();
    !others.any(|(position, other)| {
        if planted(Mutant::B1AllAtOnce) {
            return false;
        }
        let first = planted(Mutant::B1FirstComesFirst);
        let later = ((position > at) != first) && is_unsettled(other.state);
        let busy = is_unsettled(other.state) && other.state != ObligationState::Due;
        position != at
            && (later || busy)
            && !are_independent(&obligations[at].lineage, &other.lineage)
    })
}

/// Is the answer of a pivot in this part awaited?
pub(super) fn is_pivot_pending(turn: &Turn<'_>, part: FrameId) -> bool {
    if planted(Mutant::C3SiblingDoesNotWait) {
        return false;
    }
    let pivot = |token: &Token| {
        let node = turn.definition.node(token.node);
        let kind = node.map(|node| &node.kind);
        let pivot = matches!(kind, Some(Kind::Send(send)) if send.kind == StepKind::Pivot);
        pivot && token.pending.is_some() && turn.instance.is_within(token.frame, part)
    };
    let asked = |frame: &Frame| match &frame.kind {
        FrameKind::Query(token) => pivot(token),
        _ => false,
    };
    turn.instance.tokens.iter().any(pivot) || turn.instance.frames.iter().any(asked)
}
