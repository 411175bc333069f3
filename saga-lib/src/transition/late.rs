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
use crate::instance::{ObligationState, ROOT, Status, StepStatus};
use crate::mutant::{Mutant, planted};

use super::answer::{self, Verdict};
use super::turn::{Halt, Turn};
use super::{Applied, Reason, unwind};

/// Applies a forward reply whose execution stands in the compensation log at `at`.
pub(super) fn apply(turn: &mut Turn<'_>, at: usize, reply: &Reply) -> Result<Applied, Halt> {
    let obligation = &turn.instance.obligations[at];
    let (node, send) = turn.send_at(obligation.node)?;
    if !obligation.unknown {
        return Ok(Applied::Ignored(Reason::Duplicate));
    }
    let state = obligation.state;
    let unsent = matches!(
        state,
        ObligationState::Open | ObligationState::Watched | ObligationState::Due
    ) || planted(Mutant::RefusalClosesCompensation);
    match answer::judged(turn, (node, ROOT), send, reply)? {
        Verdict::Success if planted(Mutant::D5SuccessIsDropped) => {
            return Ok(answer::given_up(turn, &node.step));
        }
        Verdict::Success => success(turn, at, &node.step, state)?,
        Verdict::Refusal if unsent && !planted(Mutant::D5RefusalLeavesItOpen) => {
            refusal(turn, at, &node.step)?;
        }
        _ => return Ok(answer::given_up(turn, &node.step)),
    }
    Ok(Applied::Changed)
}

fn success(turn: &mut Turn<'_>, at: usize, step: &str, state: ObligationState) -> Result<(), Halt> {
    note(turn, step);
    turn.instance.obligations[at].unknown = false;
    match state {
        ObligationState::Watched => turn.instance.obligations[at].state = ObligationState::Due,
        ObligationState::Confirmed if planted(Mutant::LateSuccessIgnored) => {}
        ObligationState::Confirmed => return reopen(turn, at, step),
        _ => {}
    }
    Ok(())
}

/// The effect came after its compensation was confirmed: it is compensated once more.
fn reopen(turn: &mut Turn<'_>, at: usize, step: &str) -> Result<(), Halt> {
    let obligation = &mut turn.instance.obligations[at];
    obligation.compensation += 1;
    obligation.state = ObligationState::Due;
    if turn.instance.status == Status::Compensated {
        return unwind::all(turn, step);
    }
    Ok(())
}

/// The step has no effect after all: nothing is owed.
fn refusal(turn: &mut Turn<'_>, at: usize, step: &str) -> Result<(), Halt> {
    note(turn, step);
    turn.instance.obligations.remove(at);
    turn.step_is(step, StepStatus::Refused);
    Ok(())
}

fn note(turn: &mut Turn<'_>, step: &str) {
    if planted(Mutant::D5IsNotTold) {
        return;
    }
    turn.note(Note::LateReply {
        step: step.to_owned(),
    });
}
