//! Scenario files: `<name>.test.yaml` beside a definition.
//!
//! ```yaml
//! definition: order.yaml
//! scenarios:
//!   - name: stock is sold out
//!     start: { id: ORD-1, total: 10 }
//!     replies:
//!       stock: { outcome: refused, code: SOLD_OUT }
//!       payment: [failed, silent, ok]
//!     expect:
//!       status: compensated
//!       commands: [credit, stock, credit!c]
//! ```
//!
//! A reply is an outcome's name or `{ outcome, with, code, reason, after, twice, then }`; `then` is what the participant says about the
//! same attempt later, and counts its `after` from the command, too. A list gives one reply per attempt, and its last one stands for all
//! that follow. `silent` is no reply. A command that is not mentioned is answered `ok` after a millisecond.
//!
//! Absent on purpose: partial matches of the list of commands. What is sent, in its order, is what a saga is.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::world::Answer;
use crate::definition::{self, Diagnostic};
use crate::input::Act;
use crate::instance::Status;

/// Why a file is no scenario file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no YAML.
    #[error("not readable as YAML")]
    Yaml(Vec<Diagnostic>),
    /// A key or value is not what it must be.
    #[error("{place}: {problem}")]
    Shape {
        /// Where: the scenario.
        place: String,
        /// What is wrong.
        problem: String,
    },
}

/// A file.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// The definition's file, seen from this one.
    pub definition: String,
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it shows.
    pub name: String,
    /// The trigger's payload.
    pub start: Value,
    /// The trigger's type; that of the first start, if it is not said.
    pub r#type: Option<String>,
    /// Answers by command, e.g. `credit`, `ship[0]`, `credit!c`.
    pub replies: BTreeMap<String, Vec<Answer>>,
    /// Awaited events: when after the start (ms), topic, type, payload.
    pub events: Vec<Event>,
    /// Acts of operators: when after the start (ms), and what.
    pub acts: Vec<(i64, Act)>,
    /// How it must end.
    pub expect: Expect,
}

/// An awaited event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// After the start, ms; below 0 it comes before the trigger.
    pub after_ms: i64,
    /// Business topic.
    pub topic: String,
    /// Its type.
    pub r#type: Option<String>,
    /// Its payload.
    pub payload: Value,
}

/// How a scenario must end; what is not said may be anything.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Status.
    pub status: Option<Status>,
    /// Name under which a `stop` ended it.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Why it is parked.
    #[serde(default)]
    pub incident: Option<String>,
    /// Every command in its order; one that is sent again is listed again.
    #[serde(default)]
    pub commands: Option<Vec<String>>,
    /// Types of published events in their order.
    #[serde(default)]
    pub published: Option<Vec<String>>,
    /// Milestones in their order.
    #[serde(default)]
    pub milestones: Option<Vec<String>>,
    /// Bodies of commands (the last attempt's).
    #[serde(default)]
    pub bodies: BTreeMap<String, Value>,
}

/// Reads a scenario file. `file_name` is only shown.
///
/// # Errors
/// See [`Error`]; each names the place.
pub fn parse(file_name: &str, source: &str) -> Result<File, Error> {
    let data = definition::data(file_name, source).map_err(Error::Yaml)?;
    let file: Written = typed("the file", data)?;
    let numbered = file.scenarios.into_iter().enumerate();
    let scenarios = numbered.map(|(index, scenario)| one(index, scenario));
    Ok(File {
        definition: file.definition,
        scenarios: scenarios.collect::<Result<_, _>>()?,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    definition: String,
    scenarios: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenScenario {
    name: String,
    start: Value,
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    replies: BTreeMap<String, Value>,
    #[serde(default)]
    events: Vec<WrittenEvent>,
    #[serde(default)]
    acts: Vec<WrittenAct>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEvent {
    after: String,
    topic: String,
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    with: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAct {
    after: String,
    act: Act,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAnswer {
    outcome: String,
    #[serde(default)]
    with: Value,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    twice: bool,
    #[serde(default)]
    then: Option<Value>,
}

fn typed<T: serde::de::DeserializeOwned>(place: &str, value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| shape(place, &error.to_string()))
}

fn shape(place: &str, problem: &str) -> Error {
    Error::Shape {
        place: place.to_owned(),
        problem: problem.to_owned(),
    }
}

fn one(index: usize, value: Value) -> Result<Scenario, Error> {
    let name = value.get("name").and_then(Value::as_str).unwrap_or("?");
    let place = format!("scenario {} `{name}`", index + 1);
    let written: WrittenScenario = typed(&place, value)?;
    let mut replies = BTreeMap::new();
    for (command, value) in written.replies {
        let place = format!("{place}, reply to `{command}`");
        replies.insert(command, answers(&place, value)?);
    }
    let mut events = Vec::new();
    for event in written.events {
        events.push(Event {
            after_ms: after(&place, &event.after)?,
            topic: event.topic,
            r#type: event.r#type,
            payload: event.with,
        });
    }
    let mut acts = Vec::new();
    for act in written.acts {
        acts.push((after(&place, &act.after)?, act.act));
    }
    Ok(Scenario {
        name: written.name,
        start: written.start,
        r#type: written.r#type,
        replies,
        events,
        acts,
        expect: written.expect,
    })
}

fn answers(place: &str, value: Value) -> Result<Vec<Answer>, Error> {
    match value {
        Value::Array(list) if list.is_empty() => Err(shape(place, "an empty list")),
        Value::Array(list) => list.into_iter().map(|v| answer(place, v)).collect(),
        value => Ok(vec![answer(place, value)?]),
    }
}

fn answer(place: &str, value: Value) -> Result<Answer, Error> {
    if let Value::String(outcome) = value {
        return Ok(Answer::named(&outcome));
    }
    let written: WrittenAnswer = typed(place, value)?;
    let after_ms = match &written.after {
        Some(text) => after(place, text)?,
        None => 1,
    };
    Ok(Answer {
        payload: written.with,
        code: written.code,
        reason: written.reason,
        after_ms,
        twice: written.twice,
        then: match written.then {
            Some(value) => Some(Box::new(answer(place, value)?)),
            None => None,
        },
        ..Answer::named(&written.outcome)
    })
}

/// A duration; a minus before it means: before the trigger.
fn after(place: &str, text: &str) -> Result<i64, Error> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let ms = definition::duration_ms(digits).map(|ms| sign * ms);
    ms.ok_or_else(|| shape(place, &format!("`{text}` is no duration, e.g. 30s")))
}
