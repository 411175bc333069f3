//! Finishing: completed or compensated, the tombstone, and its end.
//!
//! A finished instance stays for `retain`: the window for late replies and duplicate triggers. It keeps only what they need.
//!
//! Absent on purpose: obligations that are still open. They keep an instance beyond `retain`, and `compensated` is not said before
//! every one is closed.

use crate::effect::{Effect, Note};
use crate::instance::{Instance, ObligationState, ROOT, Status, Wake};
use crate::ir::Publish;
use crate::mutant::{Mutant, planted};

use super::turn::{Halt, Turn};
use super::{Applied, Reason, early, outcome, run, unwind};

/// Runs the program as far as it goes, and finishes the instance if nothing is left to do in its direction.
pub(super) fn conclude(turn: &mut Turn<'_>) -> Result<(), Halt> {
    run::drive(turn)?;
    let definition = turn.definition;
    let finally = &definition.finally;
    match turn.instance.status {
        Status::Running if arrived(turn.instance) => {
            finish(turn, Status::Completed, &finally.completed)
        }
        Status::Compensating if undone(turn.instance) => {
            finish(turn, Status::Compensated, &finally.compensated)
        }
        _ => Ok(()),
    }
}

/// Is the retention of a finished instance over? Then the caller removes it.
pub(super) fn expire(turn: &mut Turn<'_>, arm: u64) -> Applied {
    let instance = &*turn.instance;
    match instance.wake {
        Wake::Expire(_) if arm != instance.arm => Applied::Ignored(Reason::StaleTimer),
        Wake::Expire(at) if turn.now < at => Applied::Ignored(Reason::EarlyTimer),
        Wake::Expire(_) if instance.status == Status::Early => {
            early::orphaned(turn, "nothing waited for it in time");
            Applied::Changed
        }
        Wake::Expire(_) if instance.open_obligations().is_empty() => {
            turn.effects.push(Effect::Note(Note::Expired));
            Applied::Changed
        }
        _ => Applied::Ignored(Reason::StaleTimer),
    }
}

/// No token is left, and nothing that was given up on the way is still owed.
fn arrived(instance: &Instance) -> bool {
    instance.begun()
        && instance.tokens.is_empty()
        && instance.frames.is_empty()
        && instance.open_obligations().is_empty()
}

fn undone(instance: &Instance) -> bool {
    let owed = !instance.open_obligations().is_empty();
    instance.tokens.is_empty() && (!owed || planted(Mutant::A3CompensatedWhileOwed))
}

fn finish(turn: &mut Turn<'_>, status: Status, last: &[Publish]) -> Result<(), Halt> {
    // After a late success an instance finishes once more; what was said at the first end is not said again.
    if turn.instance.finished_ms.is_none() {
        publish_all(turn, status, last)?;
        if status == Status::Completed {
            measure(turn)?;
        }
        turn.note(Note::Finished { status });
    } else {
        turn.moment(format!("{} again", status.word()));
    }
    turn.instance.status = status;
    turn.instance.finished_ms = Some(turn.now);
    turn.instance.cancel = None;
    early::orphaned(turn, "the saga ended");
    entomb(turn.instance);
    Ok(())
}

/// An operator ends the instance. What was in flight may have had its effect, so it is owed like what is known; nothing is sent for it.
pub(super) fn terminate(turn: &mut Turn<'_>) -> Result<(), Halt> {
    let again = turn.instance.finished_ms.is_some();
    turn.instance.status = Status::Terminated;
    turn.instance.incident = None;
    turn.instance.suspended = None;
    unwind::leave(turn, ROOT)?;
    for token in std::mem::take(&mut turn.instance.tokens) {
        outcome::forget(turn, &token, None)?;
    }
    let instance = &mut *turn.instance;
    for obligation in &mut instance.obligations {
        obligation.pending = None;
    }
    if planted(Mutant::C6TerminateForgets) {
        instance.obligations.clear();
    }
    instance.cancel = None;
    instance.deadline_ms = None;
    instance.warning_ms = None;
    instance.frames.clear();
    instance.finished_ms = Some(turn.now);
    early::orphaned(turn, "the saga was terminated");
    if again {
        turn.moment("terminated after its end".to_owned());
        return Ok(());
    }
    turn.note(Note::Finished {
        status: Status::Terminated,
    });
    Ok(())
}

fn measure(turn: &mut Turn<'_>) -> Result<(), Halt> {
    let definition = turn.definition;
    if definition.measure.is_empty() {
        return Ok(());
    }
    let values = turn.evaluate_all(("measure", ROOT), &definition.measure, &[])?;
    turn.note(Note::Measured { values });
    Ok(())
}

fn publish_all(turn: &mut Turn<'_>, status: Status, events: &[Publish]) -> Result<(), Halt> {
    for (index, event) in events.iter().enumerate() {
        let name = format!("finally.{}{}", status.word(), ordinal(index));
        run::publish_last(turn, &name, event)?;
    }
    Ok(())
}

/// Suffix of the id of the `index`-th event of a list: nothing for the first.
pub(super) fn ordinal(index: usize) -> String {
    match index {
        0 => String::new(),
        more => format!(".{}", more + 1),
    }
}

/// Drops what no late input needs: bodies of compensations stand in the obligations, and only unknown ones can be needed again.
fn entomb(instance: &mut Instance) {
    instance.data.clear();
    instance.tokens.clear();
    instance.frames.clear();
    instance.deadline_ms = None;
    instance.warning_ms = None;
    if planted(Mutant::NoTombstone) {
        instance.obligations.clear();
    }
    instance.obligations.retain(|o| {
        o.unknown || !matches!(o.state, ObligationState::Open | ObligationState::Confirmed)
    });
}
