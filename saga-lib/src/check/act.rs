//! Letting a move happen: what a participant does, and the inputs that follow from it.
//!
//! Absent on purpose: which moves there are (see [`super::moves`]).

use serde_json::Value;

use crate::id::CommandId;
use crate::input::{Act, Awaited, Kind, Signal};
use crate::ir::{self, Compensation};
use crate::scenario;

use super::books::{Books, Entry, Known, Manner};
use super::model::Model;
use super::moves::{How, Move, entry, limits};
use super::world::{Choices, Letter, Next, State, is_parked, reply};

/// A move that failed to be one.
const NOTHING: Vec<Next> = Vec::new();

/// Lets a move happen; unknowns that it decides are tried with every value, but for those in `decided`.
pub(super) fn make(model: &Model, state: &State, what: &Move, decided: &Choices) -> Vec<Next> {
    match what {
        Move::Start => start(model, state, decided),
        Move::Answer { at, how } => answer(model, state, (*at, how), decided),
        Move::Race { at, how } => race(model, state, (*at, how), decided),
        Move::Event { step, name } => event(model, state, (step, name), decided),
        Move::Timer { limit } => timer(model, state, *limit, decided),
        Move::Late { name, success } => late(model, state, (name, *success), decided),
        Move::Again { id } => repeat(model, state, id, decided),
        Move::Cancel => cancel(model, state, decided),
    }
}

fn entry_mut<'b>(state: &'b mut State, id: &CommandId) -> Option<&'b mut Entry> {
    let name = scenario::name(&id.forward_id());
    state.books.entries.get_mut(&name)
}

fn start(model: &Model, state: &State, decided: &Choices) -> Vec<Next> {
    let Some(start) = model.definition.starts.first() else {
        return NOTHING;
    };
    let kind = Kind::Event(crate::input::Event {
        bind: start.bind.clone(),
        key: state.instance.key.clone(),
        r#type: start.r#type.clone(),
        trigger: state.instance.trigger.clone(),
        payload: Value::Null,
    });
    let mut state = state.clone();
    state.started = true;
    state.feed(model, &kind, decided)
}

fn answer(model: &Model, state: &State, (at, how): (usize, &How), decided: &Choices) -> Vec<Next> {
    let Some((mut state, letter)) = taken(state, at) else {
        return NOTHING;
    };
    let Some(outcome) = treat(model, &mut state, &letter, how) else {
        return vec![unchanged(state)];
    };
    read(model, state, &letter, &outcome, decided)
}

/// The letter leaves the pile.
fn taken(state: &State, at: usize) -> Option<(State, Letter)> {
    let mut state = state.clone();
    let letter = (at < state.letters.len()).then(|| state.letters.remove(at))?;
    Some((state, letter))
}

fn unchanged(state: State) -> Next {
    Next {
        state,
        choices: Choices::new(),
        applied: crate::transition::Applied::Changed,
        broken: None,
        sent: Vec::new(),
    }
}

/// The participant acts; the outcome that it answers.
fn treat(model: &Model, state: &mut State, letter: &Letter, how: &How) -> Option<String> {
    let asked = model.asking.get(&letter.step).cloned();
    let entry = entry_mut(state, &letter.id)?;
    if let Some(number) = letter.id.compensation {
        return treat_back(entry, number, how);
    }
    let outcome = match how {
        How::Success(name) => {
            entry.known = Known::Effect;
            Some(name.clone())
        }
        How::Refusal(name) => {
            if entry.known != Known::Compensated {
                entry.known = Known::Refused;
            }
            Some(name.clone())
        }
        How::Fail(until) => {
            in_doubt(entry, Manner::Failing(*until));
            Some("failed".to_owned())
        }
        How::Silence(until) => {
            in_doubt(entry, Manner::Silent(*until));
            None
        }
    };
    if let Some(pivot) = asked {
        settle(&mut state.books, &pivot, how);
    }
    outcome
}

fn in_doubt(entry: &mut Entry, manner: Manner) {
    entry.manner = manner;
    entry.doubtful = true;
    if entry.known == Known::Nothing {
        entry.known = Known::Maybe;
    }
}

fn treat_back(entry: &mut Entry, number: u32, how: &How) -> Option<String> {
    let back = entry.back.get_mut(&number)?;
    match how {
        How::Success(name) => {
            if entry.known != Known::Refused {
                entry.known = Known::Compensated;
            }
            Some(name.clone())
        }
        How::Refusal(name) => Some(name.clone()),
        How::Fail(until) => {
            back.manner = Manner::Failing(*until);
            Some("failed".to_owned())
        }
        How::Silence(until) => {
            back.manner = Manner::Silent(*until);
            None
        }
    }
}

/// Who is asked about a pivot makes sure that its answer stays true.
fn settle(books: &mut Books, pivot: &str, how: &How) {
    let now = match how {
        How::Success(_) => Known::Effect,
        How::Refusal(_) => Known::Refused,
        How::Fail(_) | How::Silence(_) => return,
    };
    let entries = books.entries.values_mut();
    for entry in entries.filter(|entry| entry.step == pivot && entry.known == Known::Maybe) {
        entry.known = now;
        entry.succeeded |= now == Known::Effect;
    }
}

/// The answer is read.
fn read(
    model: &Model,
    mut state: State,
    letter: &Letter,
    outcome: &str,
    decided: &Choices,
) -> Vec<Next> {
    let awaits = state.awaits(model, &letter.id);
    note_read(model, &mut state, letter, (outcome, awaits));
    let mut nexts = state.feed(model, &reply(&letter.id, outcome, letter.attempt), decided);
    for next in &mut nexts {
        // What a parked instance keeps it has not understood.
        let kept =
            is_parked(&next.state) && next.state.instance.queue.len() > state.instance.queue.len();
        if let Some(entry) = entry_mut(&mut next.state, &letter.id).filter(|_| kept) {
            entry.refused = false;
        }
    }
    nexts
}

fn note_read(model: &Model, state: &mut State, letter: &Letter, (outcome, awaits): (&str, bool)) {
    let Some((_, send)) = model.send(&letter.step) else {
        return;
    };
    let Some(entry) = entry_mut(state, &letter.id) else {
        return;
    };
    let said = Some((outcome.to_owned(), letter.attempt));
    let Some(number) = letter.id.compensation else {
        entry.read = said;
        let success = send.success.iter().any(|name| name == outcome);
        let refusal = send.refusal.iter().any(|name| name == outcome);
        entry.refused |= refusal && !success;
        entry.succeeded |= success && awaits;
        entry.late |= success && !awaits && !entry.succeeded;
        if success || refusal || letter.attempt == entry.attempt {
            entry.awaited_ms = None;
        }
        return;
    };
    if let (Some(back), Compensation::Command(counter)) =
        (entry.back.get_mut(&number), &send.compensation)
    {
        back.read = said;
        back.confirmed |= counter.success.iter().any(|name| name == outcome);
        back.refused |= counter.refusal.iter().any(|name| name == outcome);
    }
}

fn race(model: &Model, state: &State, (at, how): (usize, &How), decided: &Choices) -> Vec<Next> {
    let Some(due) = state.due() else {
        return NOTHING;
    };
    let arm = state.instance.arm;
    let mut then = state.clone();
    then.now_ms = then.now_ms.max(due);
    let mut found = Vec::new();
    for first in answer(model, &then, (at, how), decided) {
        if first.broken.is_some() {
            found.push(first);
            continue;
        }
        let choices = first.choices.clone();
        let seconds = first.state.feed(model, &Kind::TimerFired { arm }, &choices);
        found.extend(seconds.into_iter().map(|second| Next {
            sent: [first.sent.clone(), second.sent.clone()].concat(),
            ..second
        }));
    }
    found
}

fn event(model: &Model, state: &State, (step, name): (&str, &str), decided: &Choices) -> Vec<Next> {
    let node = model.definition.nodes.iter().find(|node| node.step == step);
    let Some(ir::Kind::Wait(wait)) = node.map(|node| &node.kind) else {
        return NOTHING;
    };
    let Some(alternative) = wait.events.iter().find(|a| a.name == name) else {
        return NOTHING;
    };
    let mut state = state.clone();
    state.events += 1;
    let kind = Kind::Awaited(Awaited {
        key: state.instance.key.clone(),
        topic: alternative.topic.clone(),
        r#type: alternative.r#type.clone(),
        event: format!("event-{}", state.events),
        payload: Value::Null,
    });
    state.feed(model, &kind, decided)
}

fn timer(model: &Model, state: &State, limit: Option<usize>, decided: &Choices) -> Vec<Next> {
    let limits = limits(state);
    let at = match limit {
        None => state.due(),
        Some(limit) => limits.get(limit).copied(),
    };
    let Some(at) = at else {
        return NOTHING;
    };
    let mut state = state.clone();
    state.now_ms = state.now_ms.max(at);
    let arm = state.instance.arm;
    state.feed(model, &Kind::TimerFired { arm }, decided)
}

fn late(
    model: &Model,
    state: &State,
    (name, success): (&str, bool),
    decided: &Choices,
) -> Vec<Next> {
    let mut state = state.clone();
    let Some(entry) = state.books.entries.get_mut(name) else {
        return NOTHING;
    };
    let Some((_, send)) = model.send(&entry.step) else {
        return NOTHING;
    };
    let names = if success {
        &send.success
    } else {
        &send.refusal
    };
    let Some(outcome) = names.first() else {
        return NOTHING;
    };
    entry.known = if success {
        Known::Effect
    } else {
        Known::Refused
    };
    let letter = Letter {
        id: entry.id.clone(),
        step: entry.step.clone(),
        attempt: entry.attempt,
    };
    read(model, state, &letter, outcome, decided)
}

/// A copy of an answer changes nothing, whenever it comes.
fn repeat(model: &Model, state: &State, id: &CommandId, decided: &Choices) -> Vec<Next> {
    let said = entry(&state.books, id).and_then(|entry| match id.compensation {
        None => entry.read.clone(),
        Some(number) => entry.back.get(&number)?.read.clone(),
    });
    let Some((outcome, attempt)) = said else {
        return NOTHING;
    };
    state.feed(model, &reply(id, &outcome, attempt), decided)
}

fn cancel(model: &Model, state: &State, decided: &Choices) -> Vec<Next> {
    let mut state = state.clone();
    state.cancelled = true;
    let kind = Kind::Signal(Signal {
        id: "cancel".to_owned(),
        actor: "check".to_owned(),
        if_revision: None,
        act: Act::Cancel { reason: None },
    });
    state.feed(model, &kind, decided)
}
