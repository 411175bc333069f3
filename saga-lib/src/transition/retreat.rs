//! Retreat: a second provider after an unknown outcome of the first.
//!
//! The first provider may have done its work, so its execution is compensated, and only when that is confirmed the second is asked.
//! A step without an effect, or with nothing to compensate, needs no such wait.
//!
//! Absent on purpose: a refusal, after which the second provider is asked at once (see [`super::outcome`]).

use serde_json::Value;

use crate::instance::{FrameKind, ObligationState, Token};
use crate::ir::{Compensation, Send, StepKind};

use super::outcome::{self, Failure};
use super::turn::{Halt, Turn};
use super::{body, unwind};

/// Can the step go over to its second provider although the outcome of the first is unknown?
pub(super) fn is_possible(send: &Send) -> bool {
    let free = send.kind == StepKind::ReadOnly
        || matches!(send.compensation, Compensation::Nothing { .. });
    let undoable = matches!(send.compensation, Compensation::Command(_));
    send.fallback.is_some() && (free || undoable)
}

/// Goes over to the second provider of a step whose outcome is unknown.
pub(super) fn begin(turn: &mut Turn<'_>, token: &Token, failure: &Failure) -> Result<(), Halt> {
    let (_, send) = turn.send_at(token.node)?;
    if !matches!(send.compensation, Compensation::Command(_)) {
        outcome::give_up(turn, token, failure, ObligationState::Open)?;
        turn.go(token.frame, send.fallback);
        return Ok(());
    }
    let id = body::open(turn, token.frame, token.node, FrameKind::Retreat);
    unwind::begin(turn, id, "compensated", Value::Null)?;
    let inside = Token {
        frame: id,
        ..token.clone()
    };
    outcome::give_up(turn, &inside, failure, ObligationState::Open)
}
