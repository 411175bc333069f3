//! Queries: asking a participant what became of a pivot whose outcome is unknown.
//!
//! The question is a read-only command of its own. `ok` says that the pivot has its effect, a refusal that it has none; everything else
//! leaves the outcome unknown, and the instance parks: neither direction is safe.
//!
//! Absent on purpose: asking for other steps. Those are compensated, whatever happened.

use crate::input::Reply;
use crate::instance::{Frame, FrameId, FrameKind, IncidentKind, Token};

use super::outcome::{self, Failure};
use super::turn::{Halt, Turn};
use super::{body, catch};

/// Asks for the outcome of a pivot, or parks if there is nobody to ask.
pub(super) fn ask(turn: &mut Turn<'_>, token: Token, failure: &Failure) -> Result<(), Halt> {
    let (_, send) = turn.send_at(token.node)?;
    let Some(query) = send.query else {
        return outcome::hold(turn, token, failure, IncidentKind::UnknownPivot);
    };
    let (frame, ix) = (token.frame, token.node);
    // It may have been asked before: every question is a command of its own.
    catch::raise_floors(turn, query)?;
    let id = body::open(turn, frame, ix, FrameKind::Query(Box::new(token)));
    turn.go(id, Some(query));
    Ok(())
}

/// The frame of the question that this token asks, if it asks one.
pub(super) fn asked_by(turn: &Turn<'_>, token: &Token) -> Option<FrameId> {
    let frame = turn.instance.frame(token.frame)?;
    matches!(frame.kind, FrameKind::Query(_)).then_some(frame.id)
}

/// The question is answered: its frame is closed, and the pivot's token stands where it stood before.
pub(super) fn closed(turn: &mut Turn<'_>, id: FrameId) -> Option<usize> {
    let asks = |frame: &Frame| matches!(frame.kind, FrameKind::Query(_));
    if !turn.instance.frame(id).is_some_and(asks) {
        return None;
    }
    let FrameKind::Query(token) = body::close(turn, id)?.kind else {
        return None;
    };
    turn.instance.tokens.retain(|token| token.frame != id);
    turn.instance.tokens.push(*token);
    Some(turn.instance.tokens.len() - 1)
}

/// The pivot has its effect, or has none.
pub(super) fn decided(
    turn: &mut Turn<'_>,
    id: FrameId,
    reply: &Reply,
    effect: bool,
) -> Result<(), Halt> {
    let Some(at) = closed(turn, id) else {
        return Ok(());
    };
    let (_, send) = turn.send_at(turn.instance.tokens[at].node)?;
    let names = if effect { &send.success } else { &send.refusal };
    let reply = Reply {
        outcome: names.first().cloned().unwrap_or_default(),
        ..reply.clone()
    };
    if effect {
        outcome::succeeded(turn, at, &reply)
    } else {
        outcome::refused(turn, at, &reply)
    }
}

/// Nobody could say.
pub(super) fn unanswered(turn: &mut Turn<'_>, id: FrameId, failure: &Failure) -> Result<(), Halt> {
    let Some(at) = closed(turn, id) else {
        return Ok(());
    };
    let token = turn.instance.tokens.remove(at);
    outcome::hold(turn, token, failure, IncidentKind::UnknownPivot)
}
