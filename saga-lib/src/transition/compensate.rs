//! Compensation: the counter-commands of completed and unknown executions.
//!
//! Invariants: past the pivot nothing turns back; an obligation leaves the log only confirmed, refused by its step, or at the end of
//! retention.
//!
//! Absent on purpose: their order (see [`super::unwind`]), and a last attempt. A compensation that fails technically is tried for ever, with an open incident.

use serde_json::{Value, json};

use crate::effect::Note;
use crate::input::Reply;
use crate::instance::{
    Incident, IncidentKind, Instance, Obligation, ObligationState, ROOT, StepStatus,
};
use crate::mutant::{Mutant, planted};

use super::answer::{self, Verdict};
use super::turn::{Halt, Turn};
use super::{Applied, Reason, attempt, command, ladder, parked, unwind};

/// Failed attempts after which an incident opens.
pub const FAILURES_BEFORE_INCIDENT: u32 = 5;

/// Turns back because of the recorded cancel, now that `step` is decided.
pub(super) fn turn_back_cancelled(turn: &mut Turn<'_>, step: &str) -> Result<(), Halt> {
    let reason = turn.instance.cancel.take();
    turn.instance.error = Some(json!({
        "step": step,
        "outcome": "cancel",
        "code": null,
        "reason": reason,
        "attempts": 0,
    }));
    unwind::all(turn, "cancel")
}

/// From here the instance only goes forward: what is known to be done stays done, and a recorded cancel came too late.
pub(super) fn pass_pivot(turn: &mut Turn<'_>) {
    turn.instance.past_pivot = true;
    let_stand(turn);
    if turn.instance.cancel.take().is_some() {
        turn.moment("cancel without effect: past the pivot".to_owned());
    }
}

/// Past the pivot, drops what will never be compensated.
///
/// A step that was given up still owes: if a late success proves its effect, that execution is compensated. And so does what was done
/// in a part that is being undone, or in a branch that may come too late.
pub(super) fn let_stand(turn: &mut Turn<'_>) {
    if !turn.instance.past_pivot || planted(Mutant::C2OwedAfterPivot) {
        return;
    }
    let mut obligations = std::mem::take(&mut turn.instance.obligations);
    obligations
        .retain(|o| o.state != ObligationState::Open || unwind::is_owed_alone(turn, &o.lineage));
    turn.instance.obligations = obligations;
}

/// Begins the compensation of obligation `at`.
pub(super) fn start(turn: &mut Turn<'_>, at: usize) -> Result<(), Halt> {
    turn.instance.obligations[at].state = ObligationState::Compensating;
    let (node, _) = turn.send_at(turn.instance.obligations[at].node)?;
    if planted(Mutant::B3DataOfTheFailure) {
        let Instance {
            data, obligations, ..
        } = &mut *turn.instance;
        let body = obligations[at].payload.as_object_mut();
        for (name, value) in body.into_iter().flatten() {
            value.clone_from(data.get(name).unwrap_or(&value.clone()));
        }
    }
    turn.step_is(&node.step, StepStatus::Compensating);
    command::start_compensation(turn, at)
}

/// Applies the answer to the compensating command of obligation `at`.
pub(super) fn answered(turn: &mut Turn<'_>, at: usize, reply: &Reply) -> Result<Applied, Halt> {
    let state = turn.instance.obligations[at].state;
    match (verdict(turn, at, reply)?, state) {
        (Verdict::Success, _) => confirmed(turn, at)?,
        (Verdict::Refusal, _) if planted(Mutant::B4RefusalConfirms) => confirmed(turn, at)?,
        (_, ObligationState::Refused) => return Ok(Applied::Ignored(Reason::Duplicate)),
        (Verdict::Refusal, _) => refused(turn, at, reply)?,
        (Verdict::Technical, _) => return failed(turn, at, reply),
    }
    Ok(Applied::Changed)
}

/// What the answer to the compensating command of obligation `at` says.
pub(super) fn verdict(turn: &Turn<'_>, at: usize, reply: &Reply) -> Result<Verdict, Halt> {
    let (node, send) = turn.send_at(turn.instance.obligations[at].node)?;
    let counter = command::counter(node, send)?;
    let outcome = answer::named(turn, (&node.step, ROOT), &counter.into(), reply)?;
    Ok(answer::verdict(counter, &outcome))
}

/// Handles every compensating command whose time has come.
pub(super) fn rungs(turn: &mut Turn<'_>) -> Result<(), Halt> {
    for at in 0..turn.instance.obligations.len() {
        let pending = turn.instance.obligations[at].pending.as_ref();
        match pending.filter(|pending| pending.due_ms <= turn.now) {
            Some(pending) if pending.backoff => command::resend_compensation(turn, at)?,
            Some(_) => missed(turn, at, "timeout")?,
            None => {}
        }
    }
    Ok(())
}

/// Begins the compensation of a refused obligation again, as a new execution of the compensation.
pub(super) fn again(turn: &mut Turn<'_>, at: usize) -> Result<(), Halt> {
    turn.instance.obligations[at].compensation += 1;
    start(turn, at)
}

fn confirmed(turn: &mut Turn<'_>, at: usize) -> Result<(), Halt> {
    let obligation = &mut turn.instance.obligations[at];
    obligation.state = ObligationState::Confirmed;
    obligation.pending = None;
    if !obligation.unknown {
        forget(obligation);
    }
    let ix = obligation.node;
    let (node, _) = turn.send_at(ix)?;
    if planted(Mutant::A2ConfirmedTakesResultBack) {
        turn.instance.data.remove(node.result());
    }
    turn.step_is(&node.step, StepStatus::Compensated);
    note_finished(turn, &node.step, "confirmed", None);
    close_incident(turn, &node.step);
    if turn.instance.status.is_final() {
        // The window for late replies begins anew.
        turn.instance.finished_ms = Some(turn.now);
    }
    Ok(())
}

/// Nothing is sent again for an effect that was known: what stays tells its duplicates. A saga may undo the same block many times.
fn forget(obligation: &mut Obligation) {
    obligation.payload = Value::Null;
    obligation.key = None;
    obligation.lineage.clear();
}

/// An operator says that what this obligation stands for is settled.
pub(super) fn settled(turn: &mut Turn<'_>, at: usize) -> Result<(), Halt> {
    turn.moment("settled by an operator".to_owned());
    confirmed(turn, at)
}

fn refused(turn: &mut Turn<'_>, at: usize, reply: &Reply) -> Result<(), Halt> {
    let obligation = &mut turn.instance.obligations[at];
    obligation.state = ObligationState::Refused;
    obligation.pending = None;
    let ix = obligation.node;
    let (node, _) = turn.send_at(ix)?;
    let cause = reply.reason.as_deref().or(reply.code.as_deref());
    note_finished(turn, &node.step, "refused", cause);
    let detail = format!(
        "step {}: compensation refused{}",
        node.step,
        cause.map_or_else(String::new, |cause| format!(": {cause}"))
    );
    parked::park(
        turn,
        IncidentKind::CompensationRefused,
        Some(&node.step),
        detail,
    );
    Ok(())
}

fn failed(turn: &mut Turn<'_>, at: usize, reply: &Reply) -> Result<Applied, Halt> {
    let pending = turn.instance.obligations[at].pending.as_ref();
    if pending.is_none_or(|pending| attempt::repeated(pending, reply)) {
        return Ok(Applied::Ignored(Reason::Duplicate));
    }
    missed(turn, at, reply.reason.as_deref().unwrap_or("failed"))?;
    Ok(Applied::Changed)
}

/// An attempt without a confirmation: the same command goes out again after a back-off, for ever.
fn missed(turn: &mut Turn<'_>, at: usize, cause: &str) -> Result<(), Halt> {
    let obligation = turn.instance.obligations[at].clone();
    let (node, send) = turn.send_at(obligation.node)?;
    let mut retry = &command::counter(node, send)?.retry;
    if planted(Mutant::B4PolicyOfTheStep) {
        retry = &send.retry;
    }
    let id = command::id_behind(turn, &obligation)?.compensated_by(obligation.compensation);
    let now = turn.now;
    let Some(pending) = turn.instance.obligations[at].pending.as_mut() else {
        return Ok(());
    };
    pending.due_ms = now.saturating_add(ladder::backoff_ms(retry, &id, pending));
    pending.backoff = true;
    let attempts = pending.attempt;
    note_finished(turn, &node.step, "failed", Some(cause));
    let silent = planted(Mutant::A3FailingIsSilent);
    if attempts >= FAILURES_BEFORE_INCIDENT && turn.instance.incident.is_none() && !silent {
        open_incident(turn, &node.step, attempts, cause);
    }
    Ok(())
}

/// Says aloud that a compensation keeps failing; the instance goes on trying.
fn open_incident(turn: &mut Turn<'_>, step: &str, attempts: u32, cause: &str) {
    let kind = IncidentKind::CompensationFailing;
    let detail = format!("step {step}: compensation failed {attempts} times: {cause}");
    turn.instance.incident = Some(Incident {
        kind,
        from: turn.instance.status,
        step: Some(step.to_owned()),
        detail: detail.clone(),
        since_ms: turn.now,
    });
    turn.note(Note::IncidentOpened { kind, detail });
}

fn close_incident(turn: &mut Turn<'_>, step: &str) {
    let failing = turn.instance.incident.as_ref().is_some_and(|incident| {
        incident.kind == IncidentKind::CompensationFailing && incident.step.as_deref() == Some(step)
    });
    if failing {
        turn.instance.incident = None;
        turn.note(Note::Resumed);
    }
}

fn note_finished(turn: &mut Turn<'_>, step: &str, outcome: &str, cause: Option<&str>) {
    let note = Note::CompensationFinished {
        step: step.to_owned(),
        outcome: outcome.to_owned(),
    };
    turn.note_with(note, cause);
}
