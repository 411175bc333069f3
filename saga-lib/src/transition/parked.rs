//! Parking: an instance that waits for an operator, the queue it keeps meanwhile, and going on.
//!
//! A transition that cannot be made is undone and its input stands at the head of the queue, so going on means applying it again.
//! Signals and timers have no place in the middle of the queue: signals act at once, due times are evaluated when the instance goes on.
//!
//! Absent on purpose: which incident needs what to be resolved (see [`super::signal`]).

use crate::effect::{Effect, Note};
use crate::input::{Input, Kind, Reply};
use crate::instance::{Incident, IncidentKind, ObligationState, Status, Token};

use super::answer::{self, Place, Verdict};
use super::turn::{Halt, Turn};
use super::{
    Applied, Reason, attempt, awaited, catch, compensate, early, finish, run, signal, start,
};

/// Inputs that a parked instance keeps.
pub const QUEUE_MAX: usize = 100;
/// Bytes of JSON that it keeps, beside the input that parked it.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024;

/// Begins the part of an incident's detail that tells of a retry in vain.
const RETRY_FAILED: &str = " (retry failed: ";

/// Parks the instance. What it awaits stays as it is; its timer does not.
pub(super) fn park(turn: &mut Turn<'_>, kind: IncidentKind, step: Option<&str>, detail: String) {
    let from = turn.instance.direction();
    let detail = match publish_parked(turn) {
        Ok(()) => detail,
        Err(halt) => format!("{detail} (finally.parked left out: {})", halt.detail),
    };
    turn.instance.status = Status::Parked;
    turn.instance.incident = Some(Incident {
        kind,
        from,
        step: step.map(str::to_owned),
        detail: detail.clone(),
        since_ms: turn.now,
    });
    turn.note(Note::Parked { kind, detail });
}

/// Parks an instance whose transition was undone, with the input at the head of its queue.
pub(super) fn hold(turn: &mut Turn<'_>, input: &Input, halt: Halt) {
    // An act on a suspended instance failed: the incident is more urgent than the pause.
    if let Some(status) = turn.instance.suspended.take() {
        turn.instance.status = status;
    }
    if turn.instance.status == Status::Parked && !answers_incident(turn, input) {
        return retry_failed(turn, input, &halt);
    }
    if let Some(input) = queueable(turn, input) {
        turn.instance.queue.insert(0, input);
    }
    park(turn, halt.kind, halt.step.as_deref(), halt.detail);
}

/// Applies a reply to a parked instance, if it resolves the incident; else it is kept.
pub(super) fn reply(turn: &mut Turn<'_>, input: &Input, reply: &Reply) -> Result<Applied, Halt> {
    if resolves(turn, reply)? {
        // Through the queue: should its transition be impossible, that is the new incident, and the answer is not lost.
        turn.instance.queue.insert(0, input.clone());
        resume(turn);
        go_on(turn)?;
        return Ok(Applied::Changed);
    }
    let obligations = &turn.instance.obligations;
    Ok(match answer::place(turn.definition, turn.instance, reply) {
        Place::Unknown => answer::orphan(turn, reply),
        Place::Answered => Applied::Ignored(Reason::Duplicate),
        Place::GivenUp => answer::given_up(turn, &reply.command.path),
        Place::Token(at) if awaits_answer(turn) && is_asked(turn, at) => {
            answer::given_up(turn, &reply.command.path)
        }
        Place::Forward(at) if !obligations[at].unknown => Applied::Ignored(Reason::Duplicate),
        Place::Back(at) if obligations[at].state == ObligationState::Refused => {
            Applied::Ignored(Reason::Duplicate)
        }
        Place::Token(_) | Place::Held(_) | Place::Forward(_) | Place::Back(_) => {
            enqueue(turn, input)
        }
    })
}

/// Keeps a reply to a suspended instance, if there is anything to keep it for.
pub(super) fn postpone(turn: &mut Turn<'_>, input: &Input, reply: &Reply) -> Applied {
    match answer::place(turn.definition, turn.instance, reply) {
        Place::Unknown => answer::orphan(turn, reply),
        Place::Answered => Applied::Ignored(Reason::Duplicate),
        _ => enqueue(turn, input),
    }
}

/// Keeps an input for later.
pub(super) fn enqueue(turn: &mut Turn<'_>, input: &Input) -> Applied {
    let caused = usize::from(head_is_cause(turn));
    let kept: usize = turn.instance.queue.iter().skip(caused).map(bytes).sum();
    if turn.instance.queue.len() >= QUEUE_MAX || kept + bytes(input) > QUEUE_BYTES_MAX {
        turn.effects.push(Effect::DeadLetter {
            class: "queue_full".to_owned(),
            message: format!("{} is parked and its queue is full", turn.instance.id),
        });
        return Applied::Ignored(Reason::QueueFull);
    }
    turn.instance.queue.push(input.clone());
    turn.note(Note::Queued);
    Applied::Changed
}

/// Is this the token that the incident is about?
fn is_asked(turn: &Turn<'_>, at: usize) -> bool {
    asked(turn) == Some(at)
}

/// The token that the incident is about.
pub(super) fn asked(turn: &Turn<'_>) -> Option<usize> {
    let path = turn.instance.incident.as_ref()?.step.clone()?;
    let is_it = |token: &Token| {
        let node = turn.definition.node(token.node);
        let suffix = turn.instance.suffix(token.frame);
        node.is_some_and(|node| format!("{}{suffix}", node.step) == path)
    };
    turn.instance.tokens.iter().position(is_it)
}

/// Closes the incident and returns to the status before it.
pub(super) fn resume(turn: &mut Turn<'_>) {
    let Some(incident) = turn.instance.incident.take() else {
        return;
    };
    turn.instance.status = incident.from;
    if incident.from == Status::Running {
        turn.instance.error = None;
    }
    turn.note(Note::Resumed);
}

/// Applies what was kept, in order, then what came due meanwhile, once. Stops where the instance parks again.
pub(super) fn go_on(turn: &mut Turn<'_>) -> Result<(), Halt> {
    finish::conclude(turn)?;
    ask_next(turn);
    while is_going(turn) && !turn.instance.queue.is_empty() {
        let input = turn.instance.queue.remove(0);
        let (before, effects) = (turn.instance.clone(), turn.effects.len());
        if let Err(halt) = replay(turn, &input) {
            *turn.instance = before;
            turn.effects.truncate(effects);
            turn.agenda.clear();
            hold(turn, &input, halt);
        }
    }
    if is_going(turn) {
        attempt::rungs(turn)?;
        finish::conclude(turn)?;
    }
    Ok(())
}

fn is_going(turn: &Turn<'_>) -> bool {
    !matches!(turn.instance.status, Status::Parked | Status::Suspended)
}

/// Two branches may come to need an operator at the same time. The second one is asked about when the first is decided.
fn ask_next(turn: &mut Turn<'_>) {
    if turn.instance.status != Status::Running {
        return;
    }
    let mut tokens = turn.instance.tokens.iter();
    let Some(token) = tokens.find(|token| catch::is_standing(turn, token)) else {
        return;
    };
    let suffix = turn.instance.suffix(token.frame);
    let step = turn.definition.node(token.node).map(|node| &node.step);
    let path = format!("{}{suffix}", step.map_or("", String::as_str));
    let kind = if turn.instance.past_pivot {
        IncidentKind::RetriesExhausted
    } else {
        IncidentKind::Declared
    };
    let detail = format!("step {path}: waits for a decision, too");
    park(turn, kind, Some(&path), detail);
}

/// Does the head of the queue hold the input whose transition was undone?
pub(super) fn head_is_cause(turn: &Turn<'_>) -> bool {
    turn.instance
        .incident
        .as_ref()
        .is_some_and(|incident| incident.kind.undone())
}

fn replay(turn: &mut Turn<'_>, input: &Input) -> Result<(), Halt> {
    let mark = turn.effects.len();
    let applied = match &input.kind {
        Kind::Event(event) if !turn.instance.begun() => start::begin(turn, event)?,
        Kind::Reply(_) if turn.instance.status == Status::Terminated => Applied::Changed,
        Kind::Reply(reply) => answer::apply(turn, reply)?,
        Kind::Awaited(event) if turn.instance.direction() == Status::Running => {
            awaited::arrived(turn, &input.id, event)?
        }
        Kind::Awaited(event) => {
            turn.effects
                .push(early::orphan(&input.id, event, input.time_ms));
            return finish::conclude(turn);
        }
        Kind::Signal(signal) => signal::act(turn, &signal.act)?,
        Kind::Event(_) | Kind::TimerFired { .. } | Kind::Expire { .. } => Applied::Changed,
    };
    if let (Applied::Ignored(Reason::Orphan), Kind::Awaited(event)) = (&applied, &input.kind) {
        turn.effects.truncate(mark);
        turn.effects
            .push(early::orphan(&input.id, event, input.time_ms));
    } else if applied != Applied::Changed {
        // Such effects are about the record being read, and that is another one.
        turn.effects.truncate(mark);
    }
    finish::conclude(turn)
}

/// An instance that is parked already keeps its first incident; what was tried is told there.
fn retry_failed(turn: &mut Turn<'_>, input: &Input, halt: &Halt) {
    match &input.kind {
        Kind::Signal(signal) => signal::remember(turn, &signal.id),
        // All that such an input could do is to be kept, and that is what could not be done.
        Kind::Reply(_) | Kind::Awaited(_) => turn.effects.push(Effect::DeadLetter {
            class: halt.kind.word().to_owned(),
            message: halt.detail.clone(),
        }),
        _ => {}
    }
    if let Some(incident) = turn.instance.incident.as_mut() {
        let first = incident.detail.split(RETRY_FAILED).next().unwrap_or("");
        incident.detail = format!("{first}{RETRY_FAILED}{})", halt.detail);
    }
    turn.note(Note::Parked {
        kind: halt.kind,
        detail: halt.detail.clone(),
    });
}

/// The input as it is kept. A signal counts as taken: it is applied again, at whatever revision the instance has then.
fn queueable(turn: &mut Turn<'_>, input: &Input) -> Option<Input> {
    match &input.kind {
        Kind::TimerFired { .. } | Kind::Expire { .. } => None,
        Kind::Event(_) if turn.instance.begun() => None,
        Kind::Signal(signal) => {
            signal::remember(turn, &signal.id);
            Some(input.clone())
        }
        Kind::Event(_) | Kind::Awaited(_) | Kind::Reply(_) => Some(input.clone()),
    }
}

fn awaits_answer(turn: &Turn<'_>) -> bool {
    turn.instance.incident.as_ref().is_some_and(|incident| {
        matches!(
            incident.kind,
            IncidentKind::UnknownPivot | IncidentKind::RetriesExhausted | IncidentKind::Declared
        )
    })
}

/// Is this the one reply that resolves the incident of a parked instance?
fn resolves(turn: &Turn<'_>, reply: &Reply) -> Result<bool, Halt> {
    Ok(match answer::place(turn.definition, turn.instance, reply) {
        Place::Token(at) => awaits_answer(turn) && is_asked(turn, at) && decides(turn, at, reply)?,
        Place::Back(at) => confirms(turn, at, reply)?,
        _ => false,
    })
}

fn answers_incident(turn: &Turn<'_>, input: &Input) -> bool {
    match &input.kind {
        Kind::Reply(reply) => resolves(turn, reply).unwrap_or(false),
        _ => false,
    }
}

fn decides(turn: &Turn<'_>, at: usize, reply: &Reply) -> Result<bool, Halt> {
    let token = &turn.instance.tokens[at];
    let (node, send) = turn.send_at(token.node)?;
    let verdict = answer::judged(turn, (node, token.frame), send, reply)?;
    Ok(verdict != Verdict::Technical)
}

/// Does this reply confirm the compensation whose refusal parked the instance?
fn confirms(turn: &Turn<'_>, at: usize, reply: &Reply) -> Result<bool, Halt> {
    let parked_here = turn
        .instance
        .incident
        .as_ref()
        .is_some_and(|incident| incident.kind == IncidentKind::CompensationRefused);
    let refused = turn.instance.obligations[at].state == ObligationState::Refused;
    Ok(parked_here && refused && compensate::verdict(turn, at, reply)? == Verdict::Success)
}

fn publish_parked(turn: &mut Turn<'_>) -> Result<(), Halt> {
    let definition = turn.definition;
    let mark = turn.effects.len();
    let revision = turn.instance.revision + 1;
    for (index, event) in definition.finally.parked.iter().enumerate() {
        // The revision makes the ids of two incidents of one instance differ.
        let name = format!("finally.parked{}@{revision}", finish::ordinal(index));
        if let Err(halt) = run::publish_last(turn, &name, event) {
            turn.effects.truncate(mark);
            return Err(halt);
        }
    }
    Ok(())
}

fn bytes(input: &Input) -> usize {
    serde_json::to_string(input).map_or(QUEUE_BYTES_MAX, |text| text.len())
}
