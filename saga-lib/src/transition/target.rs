//! Re-sends ahead: what the next wake-up of an instance does if it only sends commands again.
//!
//! Such a wake-up may wait when its target is overwhelmed: later, it does the same. Nothing else may wait, so the answer is `None` as
//! soon as anything else could be due with it, and it says until when the rest is not due.
//!
//! Absent on purpose: how long a re-send waits (the engine's budget), and first sends, which no timer begins.

use crate::instance::{Instance, Obligation, Token, Wake};
use crate::ir::{Compensation, Definition, Kind, Send};

use super::ladder::{self, Miss};

/// The next wake-up sends commands again and does nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resend<'a> {
    /// The command topic that gets them.
    pub target: &'a str,
    /// How many at most: several branches may wait for the same participant.
    pub commands: u32,
    /// From this time on the wake-up does something else as well, or instead: it must not wait any longer.
    pub until_ms: Option<i64>,
}

/// One thing that has its time.
struct Ahead<'a> {
    due_ms: i64,
    /// The target of a re-send; `None` is anything else.
    target: Option<&'a str>,
    /// When it is no re-send any more, though nothing else happened.
    end_ms: Option<i64>,
}

/// Does the next wake-up of `instance` lead to nothing but re-sends to one target?
pub fn resend<'a>(definition: &'a Definition, instance: &Instance) -> Option<Resend<'a>> {
    let Wake::At(wake) = instance.wake else {
        return None;
    };
    let ahead = ahead(definition, instance, wake);
    let first = ahead.iter().find(|one| one.due_ms <= wake);
    let target = first.and_then(|one| one.target)?;
    let (same, other): (Vec<_>, Vec<_>) = ahead.iter().partition(|one| one.target == Some(target));
    let ends = same.iter().filter_map(|one| one.end_ms);
    let until_ms = other.iter().map(|one| one.due_ms).chain(ends).min();
    if until_ms.is_some_and(|until| until <= wake) {
        return None;
    }
    Some(Resend {
        target,
        commands: u32::try_from(same.len()).unwrap_or(u32::MAX),
        until_ms,
    })
}

/// Everything that [`Instance::next_due_ms`] looks at.
fn ahead<'a>(definition: &'a Definition, instance: &Instance, wake: i64) -> Vec<Ahead<'a>> {
    let mut all = Vec::with_capacity(4);
    for token in &instance.tokens {
        all.extend(forward(definition, instance, token, wake));
        all.extend([token.due_ms, token.sla_ms].into_iter().filter_map(other));
    }
    for frame in &instance.frames {
        all.extend([frame.due_ms, frame.sla_ms].into_iter().filter_map(other));
    }
    let back = instance.obligations.iter();
    all.extend(back.filter_map(|obligation| backward(definition, obligation)));
    let saga = [instance.deadline_ms, instance.warning_ms];
    all.extend(saga.into_iter().filter_map(other));
    all
}

fn other<'a>(due_ms: Option<i64>) -> Option<Ahead<'a>> {
    due_ms.map(|due_ms| Ahead {
        due_ms,
        target: None,
        end_ms: None,
    })
}

/// A command in flight: the end of a back-off sends it again, a timeout does unless its ladder ends.
fn forward<'a>(
    definition: &'a Definition,
    instance: &Instance,
    token: &Token,
    wake: i64,
) -> Option<Ahead<'a>> {
    let pending = token.pending.as_ref()?;
    let due_ms = pending.due_ms;
    let Some(send) = send_of(definition, token.node) else {
        return other(Some(due_ms));
    };
    let target = Some(send.target.topic.as_str());
    if pending.backoff {
        return Some(Ahead {
            due_ms,
            target,
            end_ms: None,
        });
    }
    let id = instance.command_of(definition, token)?;
    let at = due_ms.max(wake);
    if ladder::next_attempt_ms(&send.retry, &id, pending, Miss::Timeout, at).is_none() {
        return other(Some(due_ms));
    }
    let within = send.retry.within_ms;
    Some(Ahead {
        due_ms,
        target,
        // Behind the last moment for an attempt the timeout ends the ladder.
        end_ms: within.map(|within| pending.first_ms.saturating_add(within).saturating_add(1)),
    })
}

/// A compensating command in flight: only the end of a back-off sends it again, a timeout is noted first.
fn backward<'a>(definition: &'a Definition, obligation: &Obligation) -> Option<Ahead<'a>> {
    let pending = obligation.pending.as_ref()?;
    let send = send_of(definition, obligation.node);
    let target = send.and_then(|send| match &send.compensation {
        Compensation::Command(counter) => Some(counter.target.topic.as_str()),
        _ => None,
    });
    Some(Ahead {
        due_ms: pending.due_ms,
        target: target.filter(|_| pending.backoff),
        end_ms: None,
    })
}

fn send_of(definition: &Definition, node: u32) -> Option<&Send> {
    match &definition.node(node)?.kind {
        Kind::Send(send) => Some(send),
        _ => None,
    }
}
