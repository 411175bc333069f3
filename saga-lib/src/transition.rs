//! The transition function: one input changes one instance and appends effects.
//!
//! [`handling`] is the one place that says which inputs which status takes; [`LEGAL`] is the same as a table, and a test compares them.
//! A transition that cannot be made is undone: the instance and the effects are as before, and the instance is parked with the input.
//!
//! Absent on purpose: clock, randomness, I/O. Time arrives in the input; ids, jitter and order derive from ids and the definition, so
//! the same inputs give the same bytes. Sizes are the caller's business too: it calls [`park`] where an output cannot be written.

mod answer;
mod attempt;
mod awaited;
mod body;
mod catch;
mod command;
mod compensate;
mod deadline;
mod early;
mod finish;
mod ladder;
mod late;
mod outcome;
mod parked;
mod query;
mod retreat;
mod run;
mod signal;
mod start;
mod target;
mod timeline;
mod turn;
mod unwind;
mod wait;

use std::collections::BTreeMap;

use crate::effect::Effect;
use crate::id::{self, SagaId};
use crate::input::{Event, Input, Kind, KindName};
use crate::instance::{IncidentKind, Instance, Status};
use crate::ir::{Definition, Finally, LAYOUT};

use turn::{Halt, Turn};

pub use compensate::FAILURES_BEFORE_INCIDENT;
pub use early::{EARLY_BYTES_MAX, EARLY_MAX, EARLY_TTL_MS};
pub use parked::{QUEUE_BYTES_MAX, QUEUE_MAX};
pub use target::{Resend, resend};

/// What became of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The instance changed (its revision rose by one), came into being or was removed.
    Changed,
    /// Duplicate, late or stale: a fact, revision unchanged.
    Ignored(Reason),
    /// A signal that the status forbids: a fact, revision unchanged.
    Rejected(String),
}

/// Inputs after which a running instance is parked. An operator's `retry` lets it apply as many again.
pub const HISTORY_MAX: u64 = 25_000;

/// Why an input had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// It came before.
    Duplicate,
    /// Its step is decided.
    Late,
    /// A timer that was re-armed.
    StaleTimer,
    /// A timer record whose time is before its due time; it is written again.
    EarlyTimer,
    /// Nothing waits for it.
    Orphan,
    /// The queue of the parked instance is full.
    QueueFull,
    /// The instance is finished.
    Finished,
}

/// What a status does with a kind of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Handling {
    /// The trigger came again: a fact, or a dead letter.
    Again,
    /// The trigger takes over what was kept for it.
    Begin,
    /// Applied to the command it answers.
    Answer,
    /// Due commands are sent again or given up.
    Rungs,
    /// An operator's act is done, or rejected with a reason.
    Act,
    /// An operator's act is rejected whatever it is.
    Refuse,
    /// Applied if it resolves the incident, else kept.
    Resolve,
    /// Kept until the instance goes on.
    Queue,
    /// An event goes on with what waits for it, or is kept until something does.
    Arrive,
    /// An event that nothing will wait for: an orphan.
    Unwanted,
    /// The instance is removed.
    Remove,
    /// A timer that the status does not wait for: a fact.
    Stale,
    /// Too late for an instance that an operator ended: a fact.
    Ended,
}

/// Every pair of status and input that may change an instance. All others are facts.
pub const LEGAL: &[(Status, KindName, Handling)] = &[
    (Status::Running, KindName::Awaited, Handling::Arrive),
    (Status::Running, KindName::Reply, Handling::Answer),
    (Status::Running, KindName::TimerFired, Handling::Rungs),
    (Status::Running, KindName::Signal, Handling::Act),
    (Status::Compensating, KindName::Reply, Handling::Answer),
    (Status::Compensating, KindName::TimerFired, Handling::Rungs),
    (Status::Compensating, KindName::Signal, Handling::Act),
    (Status::Parked, KindName::Awaited, Handling::Queue),
    (Status::Parked, KindName::Reply, Handling::Resolve),
    (Status::Parked, KindName::Signal, Handling::Act),
    (Status::Suspended, KindName::Awaited, Handling::Queue),
    (Status::Suspended, KindName::Reply, Handling::Queue),
    (Status::Suspended, KindName::Signal, Handling::Act),
    (Status::Completed, KindName::Reply, Handling::Answer),
    (Status::Completed, KindName::TimerFired, Handling::Rungs),
    (Status::Completed, KindName::Signal, Handling::Act),
    (Status::Completed, KindName::Expire, Handling::Remove),
    (Status::Compensated, KindName::Reply, Handling::Answer),
    (Status::Compensated, KindName::TimerFired, Handling::Rungs),
    (Status::Compensated, KindName::Signal, Handling::Act),
    (Status::Compensated, KindName::Expire, Handling::Remove),
    (Status::Terminated, KindName::Signal, Handling::Act),
    (Status::Terminated, KindName::Expire, Handling::Remove),
    (Status::Early, KindName::Event, Handling::Begin),
    (Status::Early, KindName::Awaited, Handling::Arrive),
    (Status::Early, KindName::Expire, Handling::Remove),
];

/// What `status` does with an input of this kind.
pub fn handling(status: Status, kind: KindName) -> Handling {
    use Status::{
        Compensated, Compensating, Completed, Early, Parked, Running, Suspended, Terminated,
    };
    match (status, kind) {
        (Early, KindName::Event) => Handling::Begin,
        (_, KindName::Event) => Handling::Again,
        (Early, KindName::Signal) => Handling::Refuse,
        (_, KindName::Signal) => Handling::Act,
        (Running | Early, KindName::Awaited) => Handling::Arrive,
        (Parked | Suspended, KindName::Awaited) => Handling::Queue,
        (Compensating | Completed | Compensated | Terminated, KindName::Awaited) => {
            Handling::Unwanted
        }
        (Running | Compensating | Completed | Compensated, KindName::Reply) => Handling::Answer,
        (Parked, KindName::Reply) => Handling::Resolve,
        (Suspended, KindName::Reply) => Handling::Queue,
        (Terminated | Early, KindName::Reply) => Handling::Ended,
        (Running | Compensating | Completed | Compensated, KindName::TimerFired) => Handling::Rungs,
        (Parked | Suspended | Terminated | Early, KindName::TimerFired) => Handling::Stale,
        (Completed | Compensated | Terminated | Early, KindName::Expire) => Handling::Remove,
        (Running | Compensating | Parked | Suspended, KindName::Expire) => Handling::Stale,
    }
}

/// The id of the instance that `event` starts, or started before.
///
/// # Errors
/// An empty or too long business key.
pub fn saga_id(definition: &Definition, event: &Event) -> Result<SagaId, id::Error> {
    start::saga_id(definition, event)
}

/// Applies `input` to `instance` (`None`: none exists) and appends what is to be done outside.
///
/// A caller that keeps the hashes of its definitions saves one per start by bringing an [`Instance::unstarted`].
pub fn apply(
    definition: &Definition,
    instance: &mut Option<Instance>,
    input: &Input,
    effects: &mut Vec<Effect>,
) -> Applied {
    let Some(current) = instance.as_mut() else {
        return first(definition, instance, input, effects);
    };
    let applied = change(definition, current, input, effects);
    let removes = handling(current.status, input.kind.name()) == Handling::Remove;
    if removes && applied == Applied::Changed {
        *instance = None;
    }
    applied
}

/// Parks `instance` (as it was before `input`; created from the event if there was none) with the input at the head of its queue,
/// because what the transition wanted could not be done (`output_refused`, `panic`, `poison`, `unknown_definition`). A `retry` signal applies the input again.
///
/// An event needs the definition, or an [`Instance::unstarted`], for its id; without either it becomes a dead letter.
pub fn park(
    definition: Option<&Definition>,
    instance: &mut Option<Instance>,
    input: &Input,
    kind: IncidentKind,
    detail: &str,
    effects: &mut Vec<Effect>,
) -> Applied {
    if instance.is_none() {
        *instance = created(definition, input);
    }
    let Some(current) = instance.as_mut() else {
        effects.push(Effect::DeadLetter {
            class: kind.word().to_owned(),
            message: detail.to_owned(),
        });
        return Applied::Ignored(Reason::Orphan);
    };
    let unknown = unknown_definition();
    let halt = Halt {
        kind,
        step: None,
        detail: detail.to_owned(),
    };
    let definition = definition.unwrap_or(&unknown);
    hold(definition, current, input, halt, effects)
}

/// Applies an input where no instance exists: only an event changes that.
fn first(
    definition: &Definition,
    instance: &mut Option<Instance>,
    input: &Input,
    effects: &mut Vec<Effect>,
) -> Applied {
    match &input.kind {
        Kind::Event(event) => match start::unstarted(definition, event, input.time_ms) {
            Ok(new) => change(definition, instance.insert(new), input, effects),
            Err(error) => {
                effects.push(Effect::DeadLetter {
                    class: "key".to_owned(),
                    message: error.to_string(),
                });
                Applied::Ignored(Reason::Orphan)
            }
        },
        Kind::Awaited(event) => match early::document(definition, event, input.time_ms) {
            Ok(new) => {
                let applied = change(definition, instance.insert(new), input, effects);
                if applied != Applied::Changed {
                    *instance = None;
                }
                applied
            }
            Err(error) => {
                effects.push(Effect::DeadLetter {
                    class: "key".to_owned(),
                    message: error.to_string(),
                });
                Applied::Ignored(Reason::Orphan)
            }
        },
        Kind::Reply(reply) => {
            effects.push(Effect::Orphan {
                reason: format!("no instance {}", reply.command.saga),
                early: None,
            });
            Applied::Ignored(Reason::Orphan)
        }
        Kind::Signal(_) => Applied::Rejected("there is no such instance".to_owned()),
        Kind::TimerFired { .. } | Kind::Expire { .. } => Applied::Ignored(Reason::StaleTimer),
    }
}

/// Applies an input to an instance; a transition that cannot be made is undone and parks it.
fn change(
    definition: &Definition,
    instance: &mut Instance,
    input: &Input,
    effects: &mut Vec<Effect>,
) -> Applied {
    let (before, mark) = (instance.clone(), effects.len());
    let mut turn = Turn::new(definition, instance, input, effects);
    match dispatch(&mut turn, input) {
        Ok(Applied::Changed) if is_too_long(&before, input) => {
            *instance = before;
            effects.truncate(mark);
            hold(definition, instance, input, too_long(), effects)
        }
        Ok(Applied::Changed) => {
            turn.seal();
            Applied::Changed
        }
        Ok(unchanged) => {
            *instance = before;
            unchanged
        }
        Err(halt) => {
            *instance = before;
            effects.truncate(mark);
            hold(definition, instance, input, halt, effects)
        }
    }
}

fn dispatch(turn: &mut Turn<'_>, input: &Input) -> Result<Applied, Halt> {
    let handling = handling(turn.instance.status, input.kind.name());
    let applied = match (handling, &input.kind) {
        (_, Kind::Event(event)) if !untouched(turn.instance) => start::again(turn, event),
        (_, Kind::Event(event)) => start::begin(turn, event)?,
        (Handling::Resolve, Kind::Reply(reply)) => parked::reply(turn, input, reply)?,
        (Handling::Queue, Kind::Reply(reply)) => parked::postpone(turn, input, reply),
        (Handling::Queue, Kind::Awaited(_)) => parked::enqueue(turn, input),
        (Handling::Arrive, Kind::Awaited(event)) => awaited::arrived(turn, &input.id, event)?,
        (_, Kind::Awaited(event)) => awaited::unwanted(turn, event),
        (Handling::Ended, Kind::Reply(reply)) => answer::given_up(turn, &reply.command.path),
        (_, Kind::Reply(reply)) => answer::apply(turn, reply)?,
        (Handling::Rungs, Kind::TimerFired { arm }) => attempt::fired(turn, *arm)?,
        (Handling::Remove, Kind::Expire { arm }) => return Ok(finish::expire(turn, *arm)),
        (_, Kind::TimerFired { .. } | Kind::Expire { .. }) => Applied::Ignored(Reason::StaleTimer),
        (Handling::Refuse, Kind::Signal(_)) => {
            Applied::Rejected("it has not begun: only early events are kept for it".to_owned())
        }
        (_, Kind::Signal(signal)) => signal::apply(turn, signal)?,
    };
    if applied == Applied::Changed {
        finish::conclude(turn)?;
    }
    Ok(applied)
}

/// Has the instance applied so many inputs that somebody should look before it goes on? Asked once per [`HISTORY_MAX`]: parking counts
/// as an input, too.
fn is_too_long(instance: &Instance, input: &Input) -> bool {
    let goes_on = matches!(instance.status, Status::Running | Status::Compensating);
    let full = instance.revision > 0 && instance.revision.is_multiple_of(HISTORY_MAX);
    goes_on && full && !matches!(input.kind, Kind::Signal(_))
}

fn too_long() -> Halt {
    let detail = format!(
        "{HISTORY_MAX} inputs were applied: it may go round in circles; `retry` lets it apply as many again"
    );
    Halt::program(None, detail)
}

/// Is this an instance to which nothing was applied, not even its trigger?
fn untouched(instance: &Instance) -> bool {
    let new = instance.revision == 0 && instance.status == Status::Running;
    new || instance.status == Status::Early
}

fn hold(
    definition: &Definition,
    instance: &mut Instance,
    input: &Input,
    halt: Halt,
    effects: &mut Vec<Effect>,
) -> Applied {
    let mut turn = Turn::new(definition, instance, input, effects);
    parked::hold(&mut turn, input, halt);
    turn.seal();
    Applied::Changed
}

fn created(definition: Option<&Definition>, input: &Input) -> Option<Instance> {
    match &input.kind {
        Kind::Event(event) => start::unstarted(definition?, event, input.time_ms).ok(),
        _ => None,
    }
}

/// Stands for a definition that this process does not know: it publishes nothing.
fn unknown_definition() -> Definition {
    Definition {
        layout: LAYOUT,
        name: String::new(),
        version: 0,
        starts: Vec::new(),
        data: Vec::new(),
        nodes: Vec::new(),
        finally: Finally::default(),
        retain_ms: 0,
        deadline: None,
        measure: BTreeMap::new(),
        avro: Vec::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
