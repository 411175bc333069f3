//! Signals: what an operator asks of one instance.
//!
//! A signal is applied once (by its id) or rejected with a reason; a rejected one changes nothing and may be sent again.
//!
//! Absent on purpose: permission (the admin API's business).

use crate::effect::Note;
use crate::input::{Act, Event, Input, Kind, Signal};
use crate::instance::{Incident, IncidentKind, ObligationState, ROOT, Status};
use crate::ir;
use crate::mutant::{Mutant, planted};

use super::outcome::Failure;
use super::turn::{Halt, Turn};
use super::{
    Applied, Reason, attempt, catch, command, compensate, early, finish, outcome, parked, timeline,
    unwind,
};

mod decide;

/// Ids of applied signals that are remembered.
pub(super) const SIGNALS_MAX: usize = 16;

/// Applies a signal.
pub(super) fn apply(turn: &mut Turn<'_>, signal: &Signal) -> Result<Applied, Halt> {
    if turn.instance.signals.contains(&signal.id) && !planted(Mutant::D3SignalCountsTwice) {
        return Ok(Applied::Ignored(Reason::Duplicate));
    }
    let revision = turn.instance.revision;
    if let Some(expected) = signal.if_revision.filter(|expected| *expected != revision) {
        return rejected(&format!("the revision is {revision}, not {expected}"));
    }
    let applied = act(turn, &signal.act)?;
    if applied == Applied::Changed {
        remember(turn, &signal.id);
    }
    Ok(applied)
}

/// Does what the signal asks for.
pub(super) fn act(turn: &mut Turn<'_>, act: &Act) -> Result<Applied, Halt> {
    match act {
        Act::Terminate { reason } => return terminate(turn, reason),
        Act::Suspend => return suspend(turn),
        Act::Resume => return resume(turn),
        Act::Cancel { .. } | Act::Retry | Act::RetryWith { .. } | Act::Skip { .. } => {}
    }
    if turn.instance.status == Status::Suspended {
        return rejected("it is suspended: resume it first");
    }
    match act {
        Act::Cancel { reason } => cancel(turn, reason.as_deref().unwrap_or("")),
        Act::RetryWith { input } => decide::retry_with(turn, input),
        Act::Skip { outcome, output } => decide::skip(turn, outcome.as_deref(), output),
        _ => retry(turn),
    }
}

/// Remembers that this signal was applied.
pub(super) fn remember(turn: &mut Turn<'_>, id: &str) {
    let signals = &mut turn.instance.signals;
    signals.push(id.to_owned());
    let surplus = signals.len().saturating_sub(SIGNALS_MAX);
    signals.drain(..surplus);
}

fn rejected(why: &str) -> Result<Applied, Halt> {
    Ok(Applied::Rejected(why.to_owned()))
}

fn cancel(turn: &mut Turn<'_>, reason: &str) -> Result<Applied, Halt> {
    let direction = turn.instance.direction();
    if direction == Status::Compensating {
        return rejected("it is compensating already");
    }
    if direction.is_final() {
        return rejected(&format!("it is {}", direction.word()));
    }
    if turn.instance.past_pivot && !planted(Mutant::C6CancelAfterPivot) {
        return rejected("it is past the pivot and only goes forward");
    }
    if turn.instance.cancel.is_some() {
        return Ok(Applied::Ignored(Reason::Duplicate));
    }
    let incident = turn.instance.incident.as_ref();
    if incident.is_some_and(|incident| incident.kind == IncidentKind::CompensationRefused) {
        // Turning back would wait behind this compensation for ever, with nobody to ask for it.
        return rejected("a compensation was refused: retry it first");
    }
    turn.instance.cancel =
        Some(reason.to_owned()).filter(|_| !planted(Mutant::C6CancelIsForgotten));
    turn.moment("cancel recorded".to_owned());
    match turn.instance.incident.clone() {
        Some(incident) if turn.instance.status == Status::Parked => {
            cancel_parked(turn, &incident)?;
        }
        _ => cancel_running(turn)?,
    }
    Ok(Applied::Changed)
}

/// What is in flight is awaited, so that no compensation overtakes its own command. Only the pivot's answer may forbid the way back.
fn cancel_running(turn: &mut Turn<'_>) -> Result<(), Halt> {
    if unwind::is_pivot_pending(turn, ROOT) {
        return Ok(());
    }
    compensate::turn_back_cancelled(turn, "")
}

fn cancel_parked(turn: &mut Turn<'_>, incident: &Incident) -> Result<(), Halt> {
    if incident.kind == IncidentKind::UnknownPivot {
        // Recorded: it takes effect if the pivot turns out to be refused.
        return Ok(());
    }
    if !turn.instance.begun() {
        return cancel_unbegun(turn);
    }
    let asked = parked::asked(turn).filter(|_| !incident.kind.undone());
    if asked.is_some() && unwind::is_pivot_pending(turn, ROOT) {
        // Recorded as well: if the pivot succeeds, this step still has to be decided.
        return Ok(());
    }
    parked::resume(turn);
    if let Some(at) = asked {
        // Its ladder ended: nobody waits for its answer any more.
        let token = turn.instance.tokens.remove(at);
        let given_up = token.pending.is_some();
        if given_up {
            let failure = Failure::named("cancel");
            outcome::give_up(turn, &token, &failure, ObligationState::Open)?;
        }
    }
    cancel_running(turn)?;
    parked::go_on(turn)
}

/// The trigger itself could not be applied: nothing was done, so there is nothing to compensate.
fn cancel_unbegun(turn: &mut Turn<'_>) -> Result<(), Halt> {
    let queue = std::mem::take(&mut turn.instance.queue);
    let trigger = queue.iter().find_map(|input| match &input.kind {
        Kind::Event(event) => Some(event),
        _ => None,
    });
    if let Some(Event { bind, payload, .. }) = trigger {
        let data = &mut turn.instance.data;
        data.insert(bind.clone(), payload.clone());
    }
    release(turn, &queue);
    parked::resume(turn);
    compensate::turn_back_cancelled(turn, "")
}

fn retry(turn: &mut Turn<'_>) -> Result<Applied, Halt> {
    match (turn.instance.status, turn.instance.incident.clone()) {
        (Status::Parked, Some(incident)) => retry_parked(turn, incident.kind),
        _ => resend_pending(turn),
    }
}

/// Sends again now what waits for its answer or its next attempt.
fn resend_pending(turn: &mut Turn<'_>) -> Result<Applied, Halt> {
    let tokens = turn.instance.tokens.iter().filter(|t| t.pending.is_some());
    let back = turn.instance.obligations.iter();
    if tokens.count() + back.filter(|o| o.pending.is_some()).count() == 0 {
        return rejected(&format!(
            "it is {} and no command is pending",
            turn.instance.status.word()
        ));
    }
    for at in 0..turn.instance.tokens.len() {
        // Others wait for an event or a time.
        if turn.instance.tokens[at].pending.is_some() {
            command::resend(turn, at)?;
        }
    }
    for at in 0..turn.instance.obligations.len() {
        command::resend_compensation(turn, at)?;
    }
    Ok(Applied::Changed)
}

fn retry_parked(turn: &mut Turn<'_>, kind: IncidentKind) -> Result<Applied, Halt> {
    let asked = parked::asked(turn);
    parked::resume(turn);
    match kind {
        IncidentKind::UnknownPivot | IncidentKind::RetriesExhausted | IncidentKind::Declared => {
            retry_step(turn, asked)?;
        }
        IncidentKind::CompensationRefused => retry_compensation(turn)?,
        // The input that could not be applied stands at the head of the queue.
        _ => {}
    }
    parked::go_on(turn)?;
    Ok(Applied::Changed)
}

/// An unknown outcome keeps its command id and gets a fresh ladder; after a refusal a new execution begins.
fn retry_step(turn: &mut Turn<'_>, asked: Option<usize>) -> Result<(), Halt> {
    let Some(at) = asked else { return Ok(()) };
    let token = turn.instance.tokens[at].clone();
    if token.pending.is_some() {
        attempt::fresh_ladder(turn, at)?;
        return command::resend(turn, at);
    }
    turn.instance.tokens.remove(at);
    let node = turn.node(token.node)?;
    if matches!(node.kind, ir::Kind::Send(_)) {
        return command::execute(turn, token.frame, token.node, token.execution + 1, None);
    }
    catch::renew(turn, token.node)?;
    turn.go(token.frame, Some(token.node));
    Ok(())
}

fn retry_compensation(turn: &mut Turn<'_>) -> Result<(), Halt> {
    decide::refused(turn).map_or(Ok(()), |at| compensate::again(turn, at))
}

fn suspend(turn: &mut Turn<'_>) -> Result<Applied, Halt> {
    match turn.instance.status {
        Status::Suspended => return Ok(Applied::Ignored(Reason::Duplicate)),
        status if status.is_final() => return rejected(&format!("it is {}", status.word())),
        status => turn.instance.suspended = Some(status),
    }
    turn.instance.status = Status::Suspended;
    turn.note(Note::Suspended);
    Ok(Applied::Changed)
}

fn resume(turn: &mut Turn<'_>) -> Result<Applied, Halt> {
    let Some(status) = turn.instance.suspended.take() else {
        return rejected(&format!("it is {}", turn.instance.status.word()));
    };
    turn.instance.status = status;
    turn.note(Note::Resumed);
    if status != Status::Parked {
        parked::go_on(turn)?;
    }
    Ok(Applied::Changed)
}

/// A terminated instance says what it owes until an operator declares that settled, by the same act.
fn terminate(turn: &mut Turn<'_>, reason: &str) -> Result<Applied, Halt> {
    match turn.instance.status {
        Status::Terminated if turn.instance.compensation_incomplete() => {
            decide::settle_all(turn)?;
        }
        status if status.is_final() => return rejected(&format!("it is {}", status.word())),
        _ => {
            turn.moment(format!("terminated: {}", timeline::short(reason)));
            let queue = std::mem::take(&mut turn.instance.queue);
            release(turn, &queue);
            finish::terminate(turn)?;
        }
    }
    Ok(Applied::Changed)
}

/// Events that were kept and that nothing will take go to the orphans.
fn release(turn: &mut Turn<'_>, queue: &[Input]) {
    for input in queue {
        if let Kind::Awaited(event) = &input.kind {
            let orphan = early::orphan(&input.id, event, input.time_ms);
            turn.effects.push(orphan);
        }
    }
}
