//! Awaited events: which wait takes one.
//!
//! An event goes on with every wait that wants it; if there is none, it is kept (see [`super::early`]). The same event (by identity)
//! counts once.
//!
//! Absent on purpose: correlation. Ingress read the saga key from the event.

use crate::effect::Effect;
use crate::input::Awaited;
use crate::instance::Token;
use crate::ir::{Await, Definition, Kind};

use super::turn::{Halt, Turn};
use super::{Applied, Reason, early, wait};

/// Identities of events that are remembered.
const EVENTS_MAX: usize = 32;

/// Applies an event to an instance that goes forward, or has not begun.
pub(super) fn arrived(turn: &mut Turn<'_>, id: &str, event: &Awaited) -> Result<Applied, Halt> {
    let kept = &turn.instance.early;
    if turn.instance.events.contains(&event.event)
        || kept.iter().any(|early| early.event.event == event.event)
    {
        return Ok(Applied::Ignored(Reason::Duplicate));
    }
    let swept = early::sweep(turn);
    if offer(turn, event)? {
        remember(turn, &event.event);
        return Ok(Applied::Changed);
    }
    match early::keep(turn, id, event) {
        // What was let go must not be kept after all.
        Applied::Ignored(_) if swept => Ok(Applied::Changed),
        applied => Ok(applied),
    }
}

/// An event for an instance that waits for nothing any more.
pub(super) fn unwanted(turn: &mut Turn<'_>, event: &Awaited) -> Applied {
    if turn.instance.events.contains(&event.event) {
        return Applied::Ignored(Reason::Duplicate);
    }
    turn.effects.push(Effect::Orphan {
        reason: format!("{} is {}", turn.instance.id, turn.instance.status.word()),
        early: None,
    });
    Applied::Ignored(Reason::Orphan)
}

/// Lets the wait of token `at` take an event that came before it.
pub(super) fn take_early(turn: &mut Turn<'_>, at: usize) -> Result<bool, Halt> {
    early::sweep(turn);
    for kept in 0..turn.instance.early.len() {
        let event = turn.instance.early[kept].event.clone();
        if let Some(name) = taken(turn, at, &event)? {
            turn.instance.early.remove(kept);
            remember(turn, &event.event);
            wait::ended(turn, at, &name, Some(&event.payload))?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Does any wait of the definition take events like this one?
pub(super) fn is_expected(definition: &Definition, event: &Awaited) -> bool {
    definition.awaits().any(|a| is_kind(a, event))
}

/// Offers the event to every wait; true if one took it.
fn offer(turn: &mut Turn<'_>, event: &Awaited) -> Result<bool, Halt> {
    let mut takers = Vec::new();
    for at in 0..turn.instance.tokens.len() {
        if let Some(name) = taken(turn, at, event)? {
            let token = &turn.instance.tokens[at];
            takers.push((token.node, token.frame, name));
        }
    }
    for (node, frame, name) in &takers {
        let same = |t: &Token| t.node == *node && t.frame == *frame;
        // An outcome of the one before may have ended this wait, too.
        if let Some(at) = turn.instance.tokens.iter().position(same) {
            wait::ended(turn, at, name, Some(&event.payload))?;
        }
    }
    Ok(!takers.is_empty())
}

/// The name of the alternative by which the wait of token `at` takes the event.
fn taken(turn: &Turn<'_>, at: usize, event: &Awaited) -> Result<Option<String>, Halt> {
    let token = &turn.instance.tokens[at];
    let node = turn.node(token.node)?;
    let Kind::Wait(waiting) = &node.kind else {
        return Ok(None);
    };
    for alternative in waiting.events.iter().filter(|a| is_kind(a, event)) {
        let place = (node.step.as_str(), token.frame);
        let wanted = match &alternative.filter {
            Some(filter) => turn.condition(place, filter, &[("event", &event.payload)])?,
            None => true,
        };
        if wanted {
            return Ok(Some(alternative.name.clone()));
        }
    }
    Ok(None)
}

fn is_kind(alternative: &Await, event: &Awaited) -> bool {
    let typed = alternative.r#type.is_none() || alternative.r#type == event.r#type;
    alternative.topic == event.topic && typed
}

fn remember(turn: &mut Turn<'_>, event: &str) {
    let events = &mut turn.instance.events;
    events.push(event.to_owned());
    let surplus = events.len().saturating_sub(EVENTS_MAX);
    events.drain(..surplus);
}
