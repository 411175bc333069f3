//! Early events: those that came before anything waited for them.
//!
//! An instance keeps a few; if there is none yet, a document is made that does nothing but keep them, and the trigger takes it over.
//! What stays unmatched goes to the orphans with a reason, never nowhere.
//!
//! Absent on purpose: matching (see [`super::awaited`]).

use crate::effect::{Effect, Note};
use crate::id;
use crate::input::{Awaited, Event};
use crate::instance::{Early, Instance, Status, Wake};
use crate::ir::Definition;
use crate::mutant::{Mutant, planted};

use super::turn::Turn;
use super::{Applied, Reason, awaited, start};

/// Events that an instance keeps.
pub const EARLY_MAX: usize = 16;
/// Bytes of JSON that it keeps.
pub const EARLY_BYTES_MAX: usize = 64 * 1024;
/// How long it keeps them, ms.
pub const EARLY_TTL_MS: i64 = 3_600_000;

/// A document for events whose saga has not begun.
pub(super) fn document(
    definition: &Definition,
    event: &Awaited,
    now_ms: i64,
) -> Result<Instance, id::Error> {
    let id = id::SagaId::new(&definition.name, &event.key)?;
    let trigger = Event {
        bind: String::new(),
        key: event.key.clone(),
        r#type: None,
        trigger: String::new(),
        payload: serde_json::Value::Null,
    };
    let reference = start::reference(definition);
    let mut instance = Instance::unstarted(id, reference, &trigger, now_ms);
    instance.status = Status::Early;
    Ok(instance)
}

/// Keeps an event; what nobody will want, or what is too much, is an orphan.
pub(super) fn keep(turn: &mut Turn<'_>, id: &str, event: &Awaited) -> Applied {
    let refuse = |turn: &mut Turn<'_>, reason: String| {
        turn.effects.push(Effect::Orphan {
            reason,
            early: None,
        });
        Applied::Ignored(Reason::Orphan)
    };
    if !awaited::is_expected(turn.definition, event) {
        let reason = format!("nothing in {} awaits it", turn.instance.definition);
        return refuse(turn, reason);
    }
    let kept: usize = turn.instance.early.iter().map(|e| bytes(&e.event)).sum();
    if turn.instance.early.len() >= EARLY_MAX || kept + bytes(event) > EARLY_BYTES_MAX {
        let reason = format!("{} keeps too many early events", turn.instance.id);
        return refuse(turn, reason);
    }
    turn.instance.early.push(Early {
        event: event.clone(),
        id: id.to_owned(),
        at_ms: turn.now,
    });
    turn.note(Note::Queued);
    Applied::Changed
}

/// Lets go of events that were kept for too long; true if there were any.
pub(super) fn sweep(turn: &mut Turn<'_>) -> bool {
    let oldest = turn.now.saturating_sub(EARLY_TTL_MS);
    let kept = std::mem::take(&mut turn.instance.early);
    let (old, rest): (Vec<_>, _) = kept.into_iter().partition(|early| early.at_ms <= oldest);
    turn.instance.early = rest;
    let any = !old.is_empty();
    release(turn, old, "nothing waited for it in time");
    any
}

/// Lets go of every event.
pub(super) fn orphaned(turn: &mut Turn<'_>, reason: &str) {
    let kept = std::mem::take(&mut turn.instance.early);
    release(turn, kept, reason);
}

/// When a document that only keeps events may be removed.
pub(super) fn expiry(instance: &Instance) -> Wake {
    let newest = instance.early.iter().map(|early| early.at_ms).max();
    newest.map_or(Wake::Never, |at| {
        Wake::Expire(at.saturating_add(EARLY_TTL_MS))
    })
}

/// An event that was kept, and that nothing will take.
pub(super) fn orphan(id: &str, event: &Awaited, at_ms: i64) -> Effect {
    let early = Early {
        event: event.clone(),
        id: id.to_owned(),
        at_ms,
    };
    Effect::Orphan {
        reason: "the saga waits for nothing any more".to_owned(),
        early: Some(Box::new(early)),
    }
}

fn release(turn: &mut Turn<'_>, events: Vec<Early>, reason: &str) {
    if planted(Mutant::D6EventIsDropped) {
        return;
    }
    for early in events {
        turn.effects.push(Effect::Orphan {
            reason: reason.to_owned(),
            early: Some(Box::new(early)),
        });
    }
}

fn bytes(event: &Awaited) -> usize {
    serde_json::to_string(event).map_or(EARLY_BYTES_MAX, |text| text.len())
}
