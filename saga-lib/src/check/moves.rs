//! What can happen next, and what it costs.
//!
//! Free is what happens when everybody is well: commands are answered in the order in which they were sent, before any timer; awaited
//! events come in time; a question about a pivot is answered as it is. Everything else is a fault and costs one each.
//!
//! Absent on purpose: acts of operators other than a cancel, and losing records, which Kafka does not do.

use std::collections::BTreeMap;

use crate::id::CommandId;
use crate::instance::Status;
use crate::ir::{self, Compensation, Node, Send};
use crate::scenario;
use crate::transition::FAILURES_BEFORE_INCIDENT;

use super::books::{Back, Books, Entry, Known, Manner};
use super::model::Model;
use super::world::{Letter, State, is_parked};

/// What a participant does with an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// Answers with a success of this name; for a compensation: confirms.
    Success(String),
    /// Answers with a refusal of this name.
    Refusal(String),
    /// Answers `failed` to all attempts up to this one.
    Fail(u32),
    /// Does not answer any attempt up to this one.
    Silence(u32),
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Move {
    /// The trigger comes.
    Start,
    /// The participant takes letter `at`.
    Answer { at: usize, how: How },
    /// The same, and the timer that comes due at that moment is read behind it.
    Race { at: usize, how: How },
    /// The event that a step awaits comes, as this alternative.
    Event { step: String, name: String },
    /// Nothing happens until the timer fires, or, if it fires late, until the limit of this number.
    Timer { limit: Option<usize> },
    /// What was given up is answered after all.
    Late { name: String, success: bool },
    /// An answer that was read comes again.
    Again { id: CommandId },
    /// Somebody cancels the saga.
    Cancel,
}

/// Everything that can happen in a state, with its cost.
pub(super) fn all(model: &Model, state: &State) -> Vec<(Move, u32)> {
    if !state.started {
        return vec![(Move::Start, 0)];
    }
    let mut moves = Vec::new();
    for (at, letter) in state.letters.iter().enumerate() {
        let order = u32::from(at > 0);
        for (how, cost) in hows(model, &state.books, letter) {
            if at == 0 && state.due().is_some() && !matches!(how, How::Silence(_)) {
                let how = how.clone();
                moves.push((Move::Race { at, how }, cost + 1));
            }
            moves.push((Move::Answer { at, how }, cost + order));
        }
    }
    let awaited = events(model, state);
    let quiet = state.letters.is_empty();
    let early = u32::from(!quiet);
    let late = u32::from(!quiet || !awaited.is_empty());
    moves.extend(awaited.into_iter().map(|event| (event, early)));
    moves.extend(timers(state, late));
    moves.extend(late_answers(model, state).map(|late| (late, 1)));
    moves.extend(again(&state.books).map(|again| (again, 1)));
    let cancels = matches!(state.instance.status, Status::Running | Status::Parked);
    if cancels && !state.cancelled {
        moves.push((Move::Cancel, 1));
    }
    moves
}

/// What the participant of a letter may do, with its cost.
fn hows(model: &Model, books: &Books, letter: &Letter) -> Vec<(How, u32)> {
    let Some((node, send)) = model.send(&letter.step) else {
        return Vec::new();
    };
    let Some(entry) = entry(books, &letter.id) else {
        return Vec::new();
    };
    if let Some(number) = letter.id.compensation {
        let back = entry.back.get(&number);
        return back.map_or_else(Vec::new, |back| hows_back(send, back, letter.attempt));
    }
    if let Manner::Failing(until) = entry.manner
        && letter.attempt <= until
    {
        return vec![(How::Fail(until), 0)];
    }
    let refusals = different(node, &send.refusal, &["any"]);
    let no = |name: Option<&String>| How::Refusal(name.map_or("refused", |n| n).to_owned());
    let successes = different(node, &send.success, &[]);
    let said = match model.asking.get(&letter.step) {
        Some(pivot) => asked(books, pivot),
        None => entry.known,
    };
    let asks = u32::from(!model.asking.contains_key(&letter.step));
    let mut hows = Vec::new();
    if !matches!(said, Known::Refused | Known::Compensated) {
        hows.extend(successes.iter().map(|n| (How::Success((*n).clone()), 0)));
    }
    match said {
        Known::Effect => return hows.into_iter().take(1).collect(),
        Known::Refused | Known::Compensated => return vec![(no(refusals.first().copied()), 0)],
        Known::Nothing | Known::Maybe => {}
    }
    let said_no = refusals.iter().map(|name| (no(Some(name)), asks));
    hows.extend(said_no);
    hows.extend(troubles(node, send).into_iter().map(|how| (how, 1)));
    hows
}

fn hows_back(send: &Send, back: &Back, attempt: u32) -> Vec<(How, u32)> {
    let Compensation::Command(counter) = &send.compensation else {
        return Vec::new();
    };
    if let Manner::Failing(until) = back.manner
        && attempt <= until
    {
        return vec![(How::Fail(until), 0)];
    }
    let yes = counter.success.first().map_or("ok", |name| name);
    let mut hows = vec![(How::Success(yes.to_owned()), 0)];
    let no = counter.refusal.first();
    hows.extend(no.map(|name| (How::Refusal(name.clone()), 1)));
    if attempt == 1 {
        hows.push((How::Fail(FAILURES_BEFORE_INCIDENT), 1));
        hows.push((How::Silence(1), 1));
    }
    hows
}

/// Technical failures that make a difference: once, and until nobody asks again.
fn troubles(node: &Node, send: &Send) -> Vec<How> {
    // Who is asked for ever is answered in the end.
    let most = send.retry.max.unwrap_or(2).max(1);
    let mut hows = vec![How::Silence(most)];
    let same =
        |a: &str, b: &str| format!("{:?}", caught(node, a)) == format!("{:?}", caught(node, b));
    let alike = send.retry.after_failed == send.retry.after_timeout && same("failed", "timeout");
    if !alike {
        hows.push(How::Fail(most));
    }
    if most > 1 {
        hows.push(How::Fail(1));
    }
    hows
}

/// One name of those that lead to the same.
fn different<'n>(node: &Node, names: &'n [String], further: &[&str]) -> Vec<&'n String> {
    let mut seen: BTreeMap<String, &String> = BTreeMap::new();
    for name in names.iter().rev() {
        let entry = node.catch.get(name);
        let entry = entry.or_else(|| further.iter().find_map(|name| node.catch.get(*name)));
        seen.insert(format!("{entry:?}"), name);
    }
    let chosen: Vec<&String> = seen.into_values().collect();
    names.iter().filter(|name| chosen.contains(name)).collect()
}

fn caught<'n>(node: &'n Node, outcome: &str) -> Option<&'n ir::Catch> {
    node.catch.get(outcome).or_else(|| node.catch.get("any"))
}

/// What is known of the pivot that a question is about: of its last execution.
fn asked(books: &Books, pivot: &str) -> Known {
    let mut entries = books.entries.values().filter(|entry| entry.step == pivot);
    let doubted = entries.clone().find(|entry| entry.known == Known::Maybe);
    doubted
        .or(entries.next_back())
        .map_or(Known::Nothing, |entry| entry.known)
}

/// What is written down of a command, or of the one that it compensates.
pub(super) fn entry<'b>(books: &'b Books, id: &CommandId) -> Option<&'b Entry> {
    books.entries.get(&scenario::name(&id.forward_id()))
}

/// Events that steps await now.
fn events(model: &Model, state: &State) -> Vec<Move> {
    let mut found = Vec::new();
    if state.instance.status != Status::Running {
        return found;
    }
    let waiting = state.instance.tokens.iter().filter(|t| t.pending.is_none());
    for node in waiting.filter_map(|token| model.definition.node(token.node)) {
        if let ir::Kind::Wait(wait) = &node.kind {
            found.extend(wait.events.iter().map(|alternative| Move::Event {
                step: node.step.clone(),
                name: alternative.name.clone(),
            }));
        }
    }
    found
}

/// The next timer, and a pause until one of the later limits.
fn timers(state: &State, next: u32) -> Vec<(Move, u32)> {
    if state.due().is_none() {
        return Vec::new();
    }
    let late = (0..limits(state).len()).map(|limit| (Move::Timer { limit: Some(limit) }, 1));
    let first = (Move::Timer { limit: None }, next);
    [first].into_iter().chain(late).collect()
}

/// When the time of blocks and of the saga is over, where that is not what comes next.
pub(super) fn limits(state: &State) -> Vec<i64> {
    let frames = state.instance.frames.iter().map(|frame| frame.due_ms);
    let limits = frames.chain([state.instance.deadline_ms]).flatten();
    limits
        .filter(|at| state.due().is_some_and(|due| *at > due))
        .collect()
}

fn late_answers<'a>(model: &'a Model, state: &'a State) -> impl Iterator<Item = Move> + 'a {
    let given_up = |entry: &Entry| {
        let under_way = state.letters.iter().any(|letter| letter.id == entry.id);
        let asked = state.instance.tokens.iter().any(|token| {
            let command = state.instance.command_of(&model.definition, token);
            token.pending.is_some() && command.as_ref() == Some(&entry.id)
        });
        entry.doubtful && !entry.succeeded && !under_way && (!asked || is_parked(state))
    };
    let entries = state.books.entries.iter();
    entries
        .filter(move |(_, entry)| given_up(entry))
        .flat_map(|(name, entry)| {
            let confirmed = !entry.is_being_undone() && entry.back.values().any(|b| b.confirmed);
            let possible: &[bool] = match entry.known {
                Known::Maybe => &[true, false],
                // The command came behind its compensation, at a participant that does not keep the rule.
                Known::Compensated if confirmed && !entry.late => &[true],
                _ => &[],
            };
            possible.iter().map(|success| Move::Late {
                name: name.clone(),
                success: *success,
            })
        })
}

fn again(books: &Books) -> impl Iterator<Item = Move> {
    books.entries.values().flat_map(|entry| {
        let forward = entry.read.iter().map(|_| entry.id.clone());
        let back = entry.back.iter().filter(|(_, back)| back.read.is_some());
        let back = back.map(|(number, _)| entry.id.compensated_by(*number));
        forward.chain(back).map(|id| Move::Again { id })
    })
}
