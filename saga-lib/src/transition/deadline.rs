//! Deadline: the bound on the whole saga, its warning, and service levels of steps.
//!
//! A deadline is a request from nobody: before the pivot it turns back, at the pivot it takes effect only if that is refused, after it
//! there is nothing it could do but tell.
//!
//! Absent on purpose: time limits of steps and blocks (see [`super::attempt`] and [`super::wait`]).

use serde_json::json;

use crate::effect::Note;
use crate::instance::{IncidentKind, ROOT, Status};
use crate::ir::Directive;

use super::turn::{Halt, Turn};
use super::{parked, unwind};

/// Sets the saga's deadline when it begins.
pub(super) fn begin(turn: &mut Turn<'_>) {
    let Some(deadline) = &turn.definition.deadline else {
        return;
    };
    let after = |ms: i64| turn.now.saturating_add(ms);
    turn.instance.deadline_ms = Some(after(deadline.after_ms));
    turn.instance.warning_ms = deadline.warn_ms.map(after);
}

/// Tells what is late, and acts on the deadline.
pub(super) fn rungs(turn: &mut Turn<'_>) -> Result<(), Halt> {
    service_levels(turn)?;
    let is_due = |due: Option<i64>| due.is_some_and(|due| due <= turn.now);
    let (warned, passed) = (
        is_due(turn.instance.warning_ms),
        is_due(turn.instance.deadline_ms),
    );
    if warned {
        turn.instance.warning_ms = None;
        turn.note(Note::DeadlineNear);
    }
    if passed {
        turn.instance.deadline_ms = None;
        turn.note(Note::DeadlinePassed);
        return act(turn);
    }
    Ok(())
}

fn act(turn: &mut Turn<'_>) -> Result<(), Halt> {
    if turn.instance.status != Status::Running {
        return Ok(());
    }
    let then = turn.definition.deadline.as_ref().map(|d| d.then);
    if then == Some(Directive::Park) {
        let detail = "the deadline passed".to_owned();
        parked::park(turn, IncidentKind::Declared, None, detail);
        return Ok(());
    }
    if turn.instance.past_pivot {
        turn.moment("deadline without effect: past the pivot".to_owned());
        return Ok(());
    }
    if unwind::is_pivot_pending(turn, ROOT) {
        turn.instance.cancel = Some("the deadline passed".to_owned());
        return Ok(());
    }
    turn.instance.error = Some(json!({
        "step": null,
        "outcome": "deadline",
        "code": null,
        "reason": "the deadline passed",
        "attempts": 0,
    }));
    unwind::all(turn, "the deadline")
}

fn service_levels(turn: &mut Turn<'_>) -> Result<(), Halt> {
    let now = turn.now;
    let is_due = |due: &mut Option<i64>| due.take_if(|due| *due <= now).is_some();
    let mut late = Vec::new();
    for token in &mut turn.instance.tokens {
        if is_due(&mut token.sla_ms) {
            late.push(token.node);
        }
    }
    for frame in &mut turn.instance.frames {
        if is_due(&mut frame.sla_ms) {
            late.push(frame.node);
        }
    }
    for ix in late {
        let step = turn.node(ix)?.step.clone();
        turn.note(Note::ServiceLevelMissed { step });
    }
    Ok(())
}
