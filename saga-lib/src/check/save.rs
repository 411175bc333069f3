//! A counter-example as a scenario file that `skald test` plays.
//!
//! The story is played once more with a millisecond between inputs, so that every answer has a time of its own. Data are made up: the
//! trigger and the replies get a value wherever an expression reads one, and values that make conditions come out as in the story are
//! looked for. Where that fails the file is written all the same and says so.
//!
//! Absent on purpose: timers that are read late, or behind an answer of the same moment. A scenario has no delays of the engine.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::ir::Definition;
use crate::scenario::{self, Scenario};

use super::model::Model;
use super::moves::{How, Move};
use super::story::{CounterExample, replay, rest};
use super::synthesis;
use super::world::{Letter, Next, State};

/// Steps behind the end of a story, until nothing happens any more.
const REST_MAX: usize = 500;

/// A counter-example in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The file's text.
    pub text: String,
    /// Does the definition, with the data made up, send the commands of the story and end as in it?
    pub faithful: bool,
}

/// Writes a counter-example as a scenario of `definition`, which `file` names, seen from the new file.
pub fn save(definition: &Definition, file: &str, example: &CounterExample) -> Saved {
    let model = Model::new(definition);
    let mut played = replay(&model, &example.steps, 1);
    rest(&model, &mut played, REST_MAX);
    let (mut told, sent) = Told::of(&model, &played);
    told.payloads(&synthesis::replies(definition));
    let start = synthesis::trigger(definition, &model, &example.steps);
    let end = played.last().map(|(_, _, next)| &next.state.instance);
    let status = end.map_or("running", |instance| instance.status.word());
    let mut expect = json!({ "commands": sent });
    expect["status"] = json!(status);
    if let Some(incident) = end.and_then(|instance| instance.incident.as_ref()) {
        expect["incident"] = json!(incident.kind.word());
    }
    let one = json!({
        "name": example.law.replace('`', "'"),
        "start": start,
        "replies": told.replies(),
        "events": told.events,
        "acts": told.acts,
        "expect": expect,
    });
    let body = format!("definition: {}\nscenarios:\n  - {one}\n", json!(file));
    let faithful = plays(definition, &body);
    let text = format!("{}{body}", comment(example, faithful));
    Saved { text, faithful }
}

fn comment(example: &CounterExample, faithful: bool) -> String {
    let mut text = format!("# Found by `skald check`: {}.\n", example.law);
    for (number, line) in (1..).zip(&example.story) {
        text.push_str(&format!("# {number}. {line}\n"));
    }
    text.push_str("# `expect` says what happens today: write there what must happen instead.\n");
    if !faithful {
        text.push_str("# The data were made up and do not lead this way: put in what does.\n");
    }
    text
}

/// Does the scenario play as it says?
fn plays(definition: &Definition, text: &str) -> bool {
    let Ok(file) = scenario::parse("", text) else {
        return false;
    };
    let as_said = |scenario: &Scenario| {
        let play = scenario::play(definition, scenario);
        play.is_ok_and(|play| scenario::judge(&scenario.expect, &play).is_empty())
    };
    file.scenarios.iter().all(as_said)
}

/// What participants and others say in a story.
#[derive(Default)]
struct Told {
    /// By command and attempt: what was answered, and how long after it was sent (ms), in order.
    answers: BTreeMap<String, BTreeMap<u32, Vec<(i64, Value)>>>,
    /// When an attempt was sent, ms.
    sent: BTreeMap<(String, u32), i64>,
    events: Vec<Value>,
    acts: Vec<Value>,
}

impl Told {
    /// The story's answers, and its commands in order.
    fn of(model: &Model, played: &[(State, Move, Next)]) -> (Self, Vec<String>) {
        let mut told = Self::default();
        let mut names = Vec::new();
        for (state, what, next) in played {
            told.one(model, state, what, next.state.now_ms);
            for letter in &next.sent {
                let name = scenario::name(&letter.id);
                let at = (name.clone(), letter.attempt);
                told.sent.insert(at, next.state.now_ms);
                names.push(name);
            }
        }
        (told, names)
    }

    fn one(&mut self, model: &Model, state: &State, what: &Move, now_ms: i64) {
        let after = format!("{}ms", now_ms - super::START_MS);
        match what {
            Move::Answer { at, how } | Move::Race { at, how } => {
                if let (Some(letter), Some(outcome)) = (state.letters.get(*at), outcome(how)) {
                    self.answered(letter, &outcome, now_ms);
                }
            }
            Move::Late { name, success } => self.late(model, state, (name, *success), now_ms),
            Move::Again { id } => {
                let entry = state.books.entries.get(&scenario::name(&id.forward_id()));
                let read = entry.and_then(|entry| match id.compensation {
                    None => entry.read.clone(),
                    Some(number) => entry.back.get(&number)?.read.clone(),
                });
                if let (Some(entry), Some((outcome, attempt))) = (entry, read) {
                    let letter = Letter {
                        id: id.clone(),
                        step: entry.step.clone(),
                        attempt,
                    };
                    self.answered(&letter, &outcome, now_ms);
                }
            }
            Move::Event { step, name } => {
                let node = model
                    .definition
                    .nodes
                    .iter()
                    .find(|node| node.step == *step);
                if let Some(crate::ir::Kind::Wait(wait)) = node.map(|node| &node.kind)
                    && let Some(found) = wait.events.iter().find(|a| a.name == *name)
                {
                    let r#type = model.awaited.get(&(step.clone(), name.clone()));
                    self.events.push(json!({
                        "after": after, "topic": found.topic, "type": r#type, "with": {},
                    }));
                }
            }
            Move::Cancel => self
                .acts
                .push(json!({ "after": after, "act": { "cancel": {} } })),
            Move::Start | Move::Timer { .. } => {}
        }
    }

    fn late(&mut self, model: &Model, state: &State, (name, success): (&str, bool), now_ms: i64) {
        let Some(entry) = state.books.entries.get(name) else {
            return;
        };
        let names = model.send(&entry.step).map(|(_, send)| match success {
            true => send.success.as_slice(),
            false => send.refusal.as_slice(),
        });
        if let Some(outcome) = names.and_then(<[String]>::first) {
            let letter = Letter {
                id: entry.id.clone(),
                step: entry.step.clone(),
                attempt: entry.attempt,
            };
            self.answered(&letter, outcome, now_ms);
        }
    }

    fn answered(&mut self, letter: &Letter, outcome: &str, now_ms: i64) {
        let name = scenario::name(&letter.id);
        let sent = self.sent.get(&(name.clone(), letter.attempt)).copied();
        let after = now_ms - sent.unwrap_or(now_ms);
        let attempts = self.answers.entry(name).or_default();
        let said = (
            after,
            json!({ "outcome": outcome, "after": format!("{after}ms") }),
        );
        attempts.entry(letter.attempt).or_default().push(said);
    }

    /// Gives every success the body that expressions read from it.
    fn payloads(&mut self, bodies: &BTreeMap<String, Value>) {
        for (name, attempts) in &mut self.answers {
            let step = name.split(['[', '.', '#', '!']).next().unwrap_or_default();
            let Some(body) = bodies.get(step).filter(|_| !name.contains("!c")) else {
                continue;
            };
            for (_, said) in attempts.values_mut().flatten() {
                said["with"] = body.clone();
            }
        }
    }

    /// One list per command: an answer for each attempt, `silent` where there is none.
    fn replies(&self) -> Value {
        let mut replies = Map::new();
        for (name, attempt) in self.sent.keys() {
            let said = self.answers.get(name).and_then(|all| all.get(attempt));
            let mut answer = json!("silent");
            for (_, later) in said.into_iter().flatten().rev() {
                let then = std::mem::replace(&mut answer, later.clone());
                if then != json!("silent") {
                    answer["then"] = then;
                }
            }
            let list = replies.entry(name.clone()).or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                list.push(answer);
            }
        }
        Value::Object(replies)
    }
}

fn outcome(how: &How) -> Option<String> {
    match how {
        How::Success(name) | How::Refusal(name) => Some(name.clone()),
        How::Fail(_) => Some("failed".to_owned()),
        How::Silence(_) => None,
    }
}
