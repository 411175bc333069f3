//! What must hold where nothing happens any more by itself.
//!
//! | end | what must hold |
//! |---|---|
//! | completed | every command that was needed has its effect; what was given up and done after all is undone |
//! | compensated | nothing that can be undone stands or may stand, no pivot and nothing behind it was done, every compensation is confirmed |
//! | parked | an unknown pivot, a refused compensation, attempts used up past the pivot, or the definition said `park` |
//! | anything else | somebody is waited for: a participant, a timer, an event |
//!
//! Absent on purpose: the instance's own account of its obligations.

use crate::instance::{IncidentKind, Status};
use crate::ir::{Compensation, Kind, Node, Send, StepKind};

use super::books::{Entry, Known};
use super::model::Model;
use super::world::State;

/// How a state without a free move ended.
///
/// # Errors
/// The law that it breaks.
pub(super) fn end(model: &Model, state: &State) -> Result<String, String> {
    let status = state.instance.status;
    match status {
        Status::Completed => completed(model, state)?,
        Status::Compensated => compensated(model, state)?,
        Status::Parked => return parked(model, state),
        _ if awaits_event(model, state) => return Ok("waiting for an event".to_owned()),
        _ => {
            return Err(format!(
                "deadlock: it is {}, and no command, timer or event is awaited",
                status.word()
            ));
        }
    }
    Ok(status.word().to_owned())
}

/// What must hold at the moment in which the end is said.
///
/// # Errors
/// The law that is broken.
pub(super) fn at_end(state: &State, status: Status) -> Result<(), String> {
    if status != Status::Compensated {
        return Ok(());
    }
    let mut entries = state.books.entries.iter();
    entries.try_for_each(|(name, entry)| confirmed(name, entry))
}

fn completed(model: &Model, state: &State) -> Result<(), String> {
    for (name, entry) in &state.books.entries {
        let Some((node, send)) = model.send(&entry.step) else {
            continue;
        };
        confirmed(name, entry)?;
        if entry.succeeded {
            stands(model, name, entry)?;
        } else {
            tolerated(model, (node, send), name, entry)?;
        }
    }
    for step in &model.always {
        let mut entries = state.books.entries.values();
        if !entries.any(|entry| entry.step == *step) {
            return Err(format!("it is completed, but `{step}` was never executed"));
        }
    }
    Ok(())
}

/// A command that succeeded on the path keeps its effect, unless its part of the program was left.
fn stands(model: &Model, name: &str, entry: &Entry) -> Result<(), String> {
    if entry.known == Known::Effect || model.alone.contains(&entry.step) {
        return Ok(());
    }
    Err(format!(
        "it is completed, but `{name}`, which succeeded, is undone"
    ))
}

/// A command without success on the path of a completed saga: somebody must have said that it may be missing.
fn tolerated(
    model: &Model,
    (node, send): (&Node, &Send),
    name: &str,
    entry: &Entry,
) -> Result<(), String> {
    let undoable = matches!(send.compensation, Compensation::Command(_));
    if entry.late && undoable && entry.known == Known::Effect {
        return Err(format!(
            "it is completed, but `{name}` was given up, succeeded after all and is not undone"
        ));
    }
    if send.kind == StepKind::Pivot && matches!(entry.known, Known::Maybe | Known::Nothing) {
        return Err(format!(
            "it is completed, but nobody knows whether its pivot `{name}` was done"
        ));
    }
    let asks = model.asking.contains_key(&entry.step);
    let caught = !node.catch.is_empty();
    if asks || caught || send.fallback.is_some() || model.alone.contains(&entry.step) {
        return Ok(());
    }
    Err(format!(
        "it is completed, but `{name}` was not done and nothing catches that"
    ))
}

fn compensated(model: &Model, state: &State) -> Result<(), String> {
    for (name, entry) in &state.books.entries {
        let Some((_, send)) = model.send(&entry.step) else {
            continue;
        };
        confirmed(name, entry)?;
        let undoable = matches!(send.compensation, Compensation::Command(_));
        let final_step = matches!(send.kind, StepKind::Pivot | StepKind::Retriable);
        match entry.known {
            Known::Effect if undoable || final_step => {
                return Err(format!("it is compensated, but `{name}` has its effect"));
            }
            Known::Maybe if undoable || final_step => {
                return Err(format!(
                    "it is compensated, but `{name}`, which nobody answered for, may have its effect"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn confirmed(name: &str, entry: &Entry) -> Result<(), String> {
    if entry.is_being_undone() {
        return Err(format!(
            "it ended before the compensation of `{name}` was confirmed"
        ));
    }
    Ok(())
}

fn parked(model: &Model, state: &State) -> Result<String, String> {
    let Some(incident) = &state.instance.incident else {
        return Err("it is parked without an incident".to_owned());
    };
    let kind_of = |entry: &Entry| model.send(&entry.step).map(|(_, send)| send.kind);
    let any = |is_it: &dyn Fn(&Entry) -> bool| state.books.entries.values().any(is_it);
    let allowed = match incident.kind {
        IncidentKind::UnknownPivot => {
            any(&|e| kind_of(e) == Some(StepKind::Pivot) && !e.succeeded && !e.refused)
        }
        IncidentKind::CompensationRefused => any(&|e| e.back.values().any(|b| b.refused)),
        IncidentKind::RetriesExhausted => any(&|e| match kind_of(e) {
            Some(StepKind::Pivot) => e.succeeded,
            kind => kind == Some(StepKind::Retriable),
        }),
        IncidentKind::Declared => model.parks,
        _ => false,
    };
    let word = incident.kind.word();
    if allowed {
        return Ok(format!("parked ({word})"));
    }
    Err(format!(
        "it is parked ({word}) without a cause that a definition or participant gave: {}",
        incident.detail
    ))
}

fn awaits_event(model: &Model, state: &State) -> bool {
    let mut waiting = state.instance.tokens.iter().filter(|t| t.pending.is_none());
    waiting.any(|token| {
        let node = model.definition.node(token.node).map(|node| &node.kind);
        matches!(node, Some(Kind::Wait(wait)) if !wait.events.is_empty())
    })
}
