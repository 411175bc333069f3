//! Starting: the trigger becomes an instance.
//!
//! Absent on purpose: filters and keys (ingress evaluated them before it wrote the inbox record).

use crate::effect::{Effect, Note};
use crate::id::{self, SagaId};
use crate::input::Event;
use crate::instance::{Instance, ROOT, Status};
use crate::ir::{Definition, Duplicates, Start};

use super::turn::{Halt, Turn};
use super::{Applied, Reason, deadline};

/// The id of the instance that `event` starts or started.
pub(super) fn saga_id(definition: &Definition, event: &Event) -> Result<SagaId, id::Error> {
    match start_of(definition, event).map(|start| start.duplicates) {
        Some(Duplicates::New) => SagaId::occurrence(&definition.name, &event.key, &event.trigger),
        _ => SagaId::new(&definition.name, &event.key),
    }
}

/// A new instance for `event`, which is not applied yet.
pub(super) fn unstarted(
    definition: &Definition,
    event: &Event,
    now_ms: i64,
) -> Result<Instance, id::Error> {
    let id = saga_id(definition, event)?;
    Ok(Instance::unstarted(
        id,
        reference(definition),
        event,
        now_ms,
    ))
}

/// Applies the trigger: data, variables, then the program from its beginning.
pub(super) fn begin(turn: &mut Turn<'_>, event: &Event) -> Result<Applied, Halt> {
    let data = &mut turn.instance.data;
    data.insert(event.bind.clone(), event.payload.clone());
    let definition = turn.definition;
    if turn.instance.status == Status::Early {
        adopt(turn, event);
    }
    deadline::begin(turn);
    for variable in &definition.data {
        let value = turn.evaluate((&variable.name, ROOT), &variable.init, &[])?;
        turn.instance.data.insert(variable.name.clone(), value);
    }
    turn.note(Note::Started);
    turn.go(ROOT, (!definition.nodes.is_empty()).then_some(0));
    Ok(Applied::Changed)
}

/// The trigger takes over a document that was made for events that came before it.
fn adopt(turn: &mut Turn<'_>, event: &Event) {
    let instance = &mut *turn.instance;
    instance.status = Status::Running;
    instance.definition = reference(turn.definition);
    instance.trigger = event.trigger.clone();
    instance.started_ms = turn.now;
}

/// `name@version#hash`.
pub(super) fn reference(definition: &Definition) -> String {
    format!(
        "{}@{}#{}",
        definition.name,
        definition.version,
        definition.hash()
    )
}

/// A second event for an instance that exists, its tombstone included.
pub(super) fn again(turn: &mut Turn<'_>, event: &Event) -> Applied {
    let start = start_of(turn.definition, event);
    if start.is_some_and(|start| start.duplicates == Duplicates::Reject) {
        turn.effects.push(Effect::DeadLetter {
            class: "duplicate".to_owned(),
            message: format!("{} exists", turn.instance.id),
        });
    }
    Applied::Ignored(Reason::Duplicate)
}

/// Two starts may bind the same name; the type tells them apart.
fn start_of<'a>(definition: &'a Definition, event: &Event) -> Option<&'a Start> {
    let bound = || definition.starts.iter().filter(|s| s.bind == event.bind);
    let exact = bound().find(|s| s.r#type.is_some() && s.r#type == event.r#type);
    exact
        .or_else(|| bound().find(|s| s.r#type.is_none()))
        .or_else(|| bound().next())
}
