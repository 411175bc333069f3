//! One instance in full.
//!
//! Absent on purpose: facts older than the bounded timeline (they stand in the history topic), and payloads of commands.

use std::collections::BTreeMap;

use connectors::log::Log;
use connectors::store::Store;
use saga_lib::id::SagaId;
use saga_lib::instance::{Incident, Instance, ObligationState, Status, StepStatus, Wake};
use saga_lib::ir::Definition;
use schemas::lane::lane_of_saga;
use schemas::{state, time};
use serde::Serialize;
use serde_json::Value;

use super::{Error, Installation};

/// One instance.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// Saga id.
    pub id: String,
    /// Raw business key.
    pub key: String,
    /// `name@version#hash`.
    pub definition: String,
    /// Lane.
    pub lane: u32,
    /// Status.
    pub status: Status,
    /// Does it owe compensation that is not confirmed?
    pub compensation_incomplete: bool,
    /// Is the pivot confirmed? Then it only goes forward.
    pub past_pivot: bool,
    /// Why it turned back, or wants to.
    pub cancel: Option<String>,
    /// Number of changes.
    pub revision: u64,
    /// Started.
    pub started: String,
    /// Time of the last change.
    pub updated: String,
    /// Finished.
    pub finished: Option<String>,
    /// When something happens next by itself.
    pub next: Option<String>,
    /// The open incident.
    pub incident: Option<ShownIncident>,
    /// Steps and their statuses.
    pub steps: BTreeMap<String, StepStatus>,
    /// Commands whose answer or next attempt is awaited.
    pub pending: Vec<ShownCommand>,
    /// Executions that have, or may have, an effect that is compensated if the instance turns back, or is due, or was.
    pub obligations: Vec<ShownObligation>,
    /// Inputs that wait until it is resumed.
    pub queued: usize,
    /// Its data.
    pub data: BTreeMap<String, Value>,
    /// The last transitions, oldest first.
    pub timeline: Vec<ShownMoment>,
}

/// The open incident.
#[derive(Debug, Clone, Serialize)]
pub struct ShownIncident {
    /// Kind.
    pub kind: &'static str,
    /// Status it returns to.
    pub from: Status,
    /// Step.
    pub step: Option<String>,
    /// For people.
    pub detail: String,
    /// Since when.
    pub since: String,
}

/// A command in flight.
#[derive(Debug, Clone, Serialize)]
pub struct ShownCommand {
    /// Command id.
    pub id: String,
    /// Attempts made.
    pub attempts: u32,
    /// When it is sent again or given up.
    pub due: String,
}

/// What one execution owes.
#[derive(Debug, Clone, Serialize)]
pub struct ShownObligation {
    /// Step.
    pub step: String,
    /// The forward command.
    pub command: String,
    /// Execution number.
    pub execution: u32,
    /// Must it be compensated now? (Or only if the instance turns back, or is it confirmed.)
    pub due: bool,
    /// Is its effect only possible, not known?
    pub unknown: bool,
    /// Where its compensation stands.
    pub state: ObligationState,
}

/// One line of the timeline.
#[derive(Debug, Clone, Serialize)]
pub struct ShownMoment {
    /// When.
    pub at: String,
    /// Since the start, ms.
    pub after_ms: i64,
    /// What.
    pub what: String,
}

/// Shows an instance.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Unreadable`], and those of log and store.
pub fn show<L: Log, S: Store>(
    store: &mut S,
    log: &mut L,
    installation: &Installation,
    id: &SagaId,
) -> Result<Shown, Error> {
    let lane = lane_of_saga(id, installation.lanes);
    let Some(document) = store.document(lane, id.as_str())? else {
        return Err(Error::NotFound(format!(
            "no instance `{id}`: it never began, or finished longer ago than its definition's `retain`"
        )));
    };
    let instance =
        state::decode(&document).map_err(|e| Error::Unreadable(format!("`{id}`: {e}")))?;
    let definitions = installation.definitions(log)?;
    let definition = definitions.by_reference(&instance.definition);
    Ok(shown(&instance, definition.as_deref(), lane))
}

fn shown(instance: &Instance, definition: Option<&Definition>, lane: u32) -> Shown {
    Shown {
        id: instance.id.to_string(),
        key: instance.key.clone(),
        definition: instance.definition.clone(),
        lane,
        status: instance.status,
        compensation_incomplete: instance.compensation_incomplete(),
        past_pivot: instance.past_pivot,
        cancel: instance.cancel.clone(),
        revision: instance.revision,
        started: time::rfc3339(instance.started_ms),
        updated: time::rfc3339(instance.updated_ms),
        finished: instance.finished_ms.map(time::rfc3339),
        next: next(instance),
        incident: instance.incident.as_ref().map(incident),
        steps: instance.steps.clone(),
        pending: definition.map_or_else(Vec::new, |d| pending(instance, d)),
        obligations: obligations(instance, definition),
        queued: instance.queue.len(),
        data: instance.data.clone(),
        timeline: timeline(instance),
    }
}

fn next(instance: &Instance) -> Option<String> {
    match instance.wake {
        Wake::At(ms) | Wake::Expire(ms) => Some(time::rfc3339(ms)),
        Wake::Never => None,
    }
}

fn incident(incident: &Incident) -> ShownIncident {
    ShownIncident {
        kind: incident.kind.word(),
        from: incident.from,
        step: incident.step.clone(),
        detail: incident.detail.clone(),
        since: time::rfc3339(incident.since_ms),
    }
}

fn pending(instance: &Instance, definition: &Definition) -> Vec<ShownCommand> {
    let commands = instance.pending_commands(definition).into_iter();
    commands
        .map(|(id, attempts, due_ms)| ShownCommand {
            id: id.to_string(),
            attempts,
            due: time::rfc3339(due_ms),
        })
        .collect()
}

fn obligations(instance: &Instance, definition: Option<&Definition>) -> Vec<ShownObligation> {
    let step = |node| {
        let known = definition.and_then(|d| d.node(node));
        known.map_or_else(|| format!("node {node}"), |n| n.step.clone())
    };
    let open = instance.open_obligations();
    let command = |obligation| {
        let id = definition.and_then(|d| instance.command_behind(d, obligation));
        id.map(|id| id.to_string()).unwrap_or_default()
    };
    let all = instance.obligations.iter();
    all.map(|obligation| ShownObligation {
        step: step(obligation.node),
        command: command(obligation),
        execution: obligation.execution,
        due: open.iter().any(|o| std::ptr::eq(*o, obligation)),
        unknown: obligation.unknown,
        state: obligation.state,
    })
    .collect()
}

fn timeline(instance: &Instance) -> Vec<ShownMoment> {
    let moments = instance.timeline.iter();
    moments
        .map(|moment| ShownMoment {
            at: time::rfc3339(moment.at_ms),
            after_ms: moment.at_ms - instance.started_ms,
            what: moment.what.clone(),
        })
        .collect()
}
