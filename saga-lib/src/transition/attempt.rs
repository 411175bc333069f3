//! Attempts of a forward command: missed ones, due ones, fresh ladders.
//!
//! Timeout is not failure: the same id is sent again, and only when the ladder ends is the outcome unknown.
//!
//! Absent on purpose: attempts of compensating commands, which never end (see [`super::compensate`]).

use crate::input::Reply;
use crate::instance::{Pending, Status, Token, Wake};
use crate::mutant::{Mutant, planted};

use super::ladder::{self, Miss};
use super::outcome::{self, Failure};
use super::turn::{Halt, Turn};
use super::{Applied, Reason, command, compensate, deadline, wait};

/// The participant answered `failed` for token `at`.
pub(super) fn failed(turn: &mut Turn<'_>, at: usize, reply: &Reply) -> Result<Applied, Halt> {
    let Some(pending) = &turn.instance.tokens[at].pending else {
        return Ok(Applied::Ignored(Reason::Duplicate));
    };
    if repeated(pending, reply) {
        return Ok(Applied::Ignored(Reason::Duplicate));
    }
    missed(turn, at, Miss::Failed, Some(reply))?;
    Ok(Applied::Changed)
}

/// Is this the failure of an attempt that is over already?
pub(super) fn repeated(pending: &Pending, reply: &Reply) -> bool {
    if planted(Mutant::D3FailureCountsTwice) {
        return false;
    }
    pending.backoff
        || reply
            .attempt
            .is_some_and(|attempt| attempt < pending.attempt)
}

/// The instance's timer came due.
pub(super) fn fired(turn: &mut Turn<'_>, arm: u64) -> Result<Applied, Halt> {
    match turn.instance.wake {
        Wake::At(_) if arm != turn.instance.arm => Ok(Applied::Ignored(Reason::StaleTimer)),
        Wake::At(due) if turn.now < due => Ok(Applied::Ignored(Reason::EarlyTimer)),
        Wake::At(_) => {
            rungs(turn)?;
            Ok(Applied::Changed)
        }
        Wake::Never | Wake::Expire(_) => Ok(Applied::Ignored(Reason::StaleTimer)),
    }
}

/// Handles everything whose time has come.
pub(super) fn rungs(turn: &mut Turn<'_>) -> Result<(), Halt> {
    // What is handled is due later or gone, so this ends.
    while let Some(at) = turn
        .instance
        .tokens
        .iter()
        .position(|t| is_due(t, turn.now))
    {
        let backoff = turn.instance.tokens[at].pending.as_ref().map(|p| p.backoff);
        rung(turn, at, backoff == Some(true))?;
        if turn.instance.status == Status::Parked {
            // What else came due is evaluated when the instance goes on.
            return Ok(());
        }
    }
    compensate::rungs(turn)?;
    wait::rungs(turn)?;
    if turn.instance.status == Status::Parked {
        return Ok(());
    }
    deadline::rungs(turn)
}

/// Begins the ladder of token `at` anew, after a back-off.
pub(super) fn fresh_ladder(turn: &mut Turn<'_>, at: usize) -> Result<(), Halt> {
    let token = &turn.instance.tokens[at];
    let (_, send) = turn.send_at(token.node)?;
    let id = command::id(turn, token)?;
    let now = turn.now;
    if let Some(pending) = turn.instance.tokens[at].pending.as_mut() {
        pending.due_ms = now.saturating_add(ladder::backoff_ms(&send.retry, &id, pending));
        pending.backoff = true;
        pending.before = pending.attempt;
        pending.first_ms = now;
    }
    Ok(())
}

fn is_due(token: &Token, now: i64) -> bool {
    let pending = token.pending.as_ref();
    pending.is_some_and(|pending| pending.due_ms <= now)
}

fn rung(turn: &mut Turn<'_>, at: usize, backoff: bool) -> Result<(), Halt> {
    if backoff {
        command::resend(turn, at)
    } else {
        missed(turn, at, Miss::Timeout, None)
    }
}

fn missed(turn: &mut Turn<'_>, at: usize, miss: Miss, reply: Option<&Reply>) -> Result<(), Halt> {
    let token = turn.instance.tokens[at].clone();
    let (node, send) = turn.send_at(token.node)?;
    let Some(pending) = &token.pending else {
        return Ok(());
    };
    let id = command::id(turn, &token)?;
    match ladder::next_attempt_ms(&send.retry, &id, pending, miss, turn.now) {
        None => outcome::unknown(turn, at, &Failure::missed(miss, reply)),
        Some(due) if due <= turn.now => command::resend(turn, at),
        Some(due) => {
            back_off(turn, at, due);
            let attempt = pending.attempt;
            turn.moment(format!("{}: attempt {attempt} failed", node.step));
            Ok(())
        }
    }
}

fn back_off(turn: &mut Turn<'_>, at: usize, due_ms: i64) {
    if let Some(pending) = turn.instance.tokens[at].pending.as_mut() {
        pending.due_ms = due_ms;
        pending.backoff = true;
    }
}
