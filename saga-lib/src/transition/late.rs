//! Late replies: a forward answer that comes after its step was decided or given up.
//!
//! A late success opens the obligation of that execution only: while its compensation is pending nothing more is sent, after a confirmed
//! one the next execution of the compensation is. That is harmless at a participant that keeps one state per forward id. A late refusal
//! closes an obligation for which nothing was sent. Both stay visible.
//!
//! A late success is recorded even where nothing is sent for it: otherwise its duplicate, read after the confirmation, would send a
//! second compensation for the same fact.
//!
//! Absent on purpose: late answers to compensating commands (they are duplicates).

use crate::effect::Note;
use crate::input::Reply;
use crate::instance::{ObligationState, Status, StepStatus};

use super::answer::{self, Verdict};
use super::turn::{Halt, Turn};
use super::{Applied, Reason, compensate};

/// Applies a forward reply whose execution stands in the compensation log at `at`.
pub(super) fn apply(turn: &mut Turn<'_>, at: usize, reply: &Reply) -> Result<Applied, Halt> {
    let obligation = &turn.instance.obligations[at];
    let (node, send) = turn.send_at(obligation.node)?;
    if !obligation.unknown {
        return Ok(Applied::Ignored(Reason::Duplicate));
    }
    let state = obligation.state;
    let unsent = matches!(state, ObligationState::Open | ObligationState::Watched);
    match answer::verdict(send, &reply.outcome) {
        Verdict::Success => success(turn, at, &node.step, state)?,
        Verdict::Refusal if unsent => refusal(turn, at, &node.step)?,
        _ => return Ok(answer::given_up(turn, &node.step)),
    }
    Ok(Applied::Changed)
}

fn success(turn: &mut Turn<'_>, at: usize, step: &str, state: ObligationState) -> Result<(), Halt> {
    note(turn, step);
    turn.instance.obligations[at].unknown = false;
    match (state, turn.instance.status) {
        (ObligationState::Watched, Status::Compensating) => {
            turn.instance.obligations[at].state = ObligationState::Open;
            Ok(())
        }
        (ObligationState::Watched, _) => compensate::start(turn, at),
        (ObligationState::Confirmed, status) => reopen(turn, at, step, status),
        _ => Ok(()),
    }
}

/// The effect came after its compensation was confirmed: it is compensated once more.
fn reopen(turn: &mut Turn<'_>, at: usize, step: &str, status: Status) -> Result<(), Halt> {
    turn.instance.obligations[at].compensation += 1;
    match status {
        Status::Compensated => {
            turn.instance.obligations[at].state = ObligationState::Open;
            compensate::turn_back(turn, step)
        }
        Status::Compensating => {
            turn.instance.obligations[at].state = ObligationState::Open;
            compensate::next(turn)
        }
        _ => compensate::start(turn, at),
    }
}

/// The step has no effect after all: nothing is owed.
fn refusal(turn: &mut Turn<'_>, at: usize, step: &str) -> Result<(), Halt> {
    note(turn, step);
    turn.instance.obligations.remove(at);
    turn.step_is(step, StepStatus::Refused);
    if turn.instance.status == Status::Compensating {
        return compensate::next(turn);
    }
    Ok(())
}

fn note(turn: &mut Turn<'_>, step: &str) {
    turn.note(Note::LateReply {
        step: step.to_owned(),
    });
}
