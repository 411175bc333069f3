//! A counter-example as people read it: numbered steps, in the names of the definition.
//!
//! Absent on purpose: payloads, which the explorer does not know.

use crate::scenario;

use super::act;
use super::model::Model;
use super::moves::{self, How, Move};
use super::world::{Choices, Letter, Next, State};

/// A story that breaks a law.
#[derive(Debug, Clone, PartialEq)]
pub struct CounterExample {
    /// The law, as a sentence about what is wrong at the end of the story.
    pub law: String,
    /// What happens, one sentence each.
    pub story: Vec<String>,
    pub(super) steps: Vec<Step>,
}

/// One step of a way: what happened, and the values of the unknowns that it asked for.
pub(super) type Step = (Move, Choices);

/// The story of these steps.
pub(super) fn story(model: &Model, steps: Vec<Step>, law: String) -> CounterExample {
    let played = replay(model, &steps, 0);
    let told = played
        .iter()
        .map(|(state, what, next)| tell(model, state, what, next));
    CounterExample {
        law,
        story: told.collect(),
        steps,
    }
}

/// The states before and after each step. Every input but a timer comes `pace_ms` after the one before.
pub(super) fn replay(model: &Model, steps: &[Step], pace_ms: i64) -> Vec<(State, Move, Next)> {
    let mut played = Vec::new();
    let Some(mut state) = super::search::first(model) else {
        return played;
    };
    for (what, choices) in steps {
        if !matches!(what, Move::Start | Move::Timer { .. }) {
            state.now_ms += pace_ms;
        }
        let Some(next) = act::make(model, &state, what, choices).into_iter().next() else {
            break;
        };
        let after = next.state.clone();
        played.push((state, what.clone(), next));
        state = after;
    }
    played
}

/// Lets everything that is free happen behind a story, so that it comes to rest; at most `most` steps.
pub(super) fn rest(model: &Model, played: &mut Vec<(State, Move, Next)>, most: usize) {
    for _ in 0..most {
        let Some((_, _, last)) = played.last() else {
            return;
        };
        let mut state = last.state.clone();
        let free = moves::all(model, &state);
        let Some((what, _)) = free.into_iter().find(|(_, cost)| *cost == 0) else {
            return;
        };
        if !matches!(what, Move::Timer { .. }) {
            state.now_ms += 1;
        }
        let Some(next) = act::make(model, &state, &what, &Choices::new())
            .into_iter()
            .next()
        else {
            return;
        };
        played.push((state, what, next));
    }
}

fn tell(model: &Model, state: &State, what: &Move, next: &Next) -> String {
    let mut told = happened(state, what, next);
    for (name, value) in &next.choices {
        if let Some(unknown) = model.unknowns.get(name) {
            let value = match value {
                serde_json::Value::Bool(is) => is.to_string(),
                serde_json::Value::Array(list) => format!("a list of {}", list.len()),
                serde_json::Value::Number(number) if number.as_i64() == Some(0) => {
                    "a time that is over".to_owned()
                }
                _ => "a time ahead".to_owned(),
            };
            told.push_str(&format!(
                "; {}: `{}` is {value}",
                unknown.step, unknown.source
            ));
        }
    }
    if !next.sent.is_empty() {
        let sent: Vec<String> = next.sent.iter().map(named).collect();
        told.push_str(&format!("; sent: {}", sent.join(", ")));
    }
    let (before, after) = (state.instance.status, next.state.instance.status);
    if before != after {
        told.push_str(&format!("; it is {}", after.word()));
    }
    told
}

fn happened(state: &State, what: &Move, next: &Next) -> String {
    let letter = |at: usize| state.letters.get(at).map(named).unwrap_or_default();
    match what {
        Move::Start => "the trigger comes".to_owned(),
        Move::Answer { at: 0, how } => answered(&letter(0), how),
        Move::Answer { at, how } => format!("before the others, {}", answered(&letter(*at), how)),
        Move::Race { at, how } => format!(
            "at the very moment of the timer, which is read behind it, {}",
            answered(&letter(*at), how)
        ),
        Move::Event { step, name } if name == "ok" => format!("the event of `{step}` comes"),
        Move::Event { step, name } => format!("the event `{name}` of `{step}` comes"),
        Move::Timer { .. } => format!("time passes: {}", span(next.state.now_ms - state.now_ms)),
        Move::Late { name, success } => {
            let word = if *success { "success" } else { "refusal" };
            format!("`{name}` is answered after all: {word}")
        }
        Move::Again { id } => format!("the answer of `{}` comes again", scenario::name(id)),
        Move::Cancel => "somebody cancels the saga".to_owned(),
    }
}

/// A duration as the language writes it, rounded.
fn span(ms: i64) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ];
    let unit = units.iter().find(|(size, _)| ms >= 2 * size || ms == *size);
    unit.map_or_else(
        || format!("{ms}ms"),
        |(size, name)| format!("{}{name}", ms / size),
    )
}

fn answered(name: &str, how: &How) -> String {
    let until = |attempt: u32| match attempt {
        1 => String::new(),
        more => format!(" (and so on until attempt {more})"),
    };
    match how {
        How::Success(outcome) => format!("{name} is answered `{outcome}`"),
        How::Refusal(outcome) => format!("{name} is refused: `{outcome}`"),
        How::Fail(attempt) => format!("{name} fails{}", until(*attempt)),
        How::Silence(attempt) => format!("nobody answers {name}{}", until(*attempt)),
    }
}

fn named(letter: &Letter) -> String {
    let name = scenario::name(&letter.id);
    match letter.attempt {
        1 => format!("`{name}`"),
        more => format!("`{name}` (attempt {more})"),
    }
}
