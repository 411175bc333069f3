//! The world of a scenario: what is under way, in the order of virtual time.
//!
//! Absent on purpose: chance. Things that happen at the same millisecond happen in the order in which they were put there.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use crate::effect::{Command, Effect};
use crate::input::{Act, Awaited, Event, Input, Kind, Reply, Signal};
use crate::instance::{Instance, Status, Wake};
use crate::ir::Definition;
use crate::transition;

use super::file::Scenario;

/// Virtual time of a trigger: 2023-11-14T22:13:20Z.
pub const START_MS: i64 = 1_700_000_000_000;

/// Inputs of one scenario at most: more is a saga that never rests.
const INPUTS_MAX: usize = 20_000;

/// What a participant answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Outcome's name; `silent` is no answer.
    pub outcome: String,
    /// Body.
    pub payload: Value,
    /// Code of a refusal or failure.
    pub code: Option<String>,
    /// Reason of a refusal or failure.
    pub reason: Option<String>,
    /// How long it takes, ms.
    pub after_ms: i64,
    /// Does it come twice?
    pub twice: bool,
    /// What the participant says about the same attempt later.
    pub then: Option<Box<Answer>>,
}

impl Answer {
    /// An outcome without a body, after a millisecond.
    pub fn named(outcome: &str) -> Self {
        Self {
            outcome: outcome.to_owned(),
            payload: Value::Object(serde_json::Map::new()),
            code: None,
            reason: None,
            after_ms: 1,
            twice: false,
            then: None,
        }
    }
}

/// Why nothing happens any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The instance rests: finished, parked, or nobody answers.
    Rest,
    /// More inputs than any saga should need.
    Livelock,
}

/// One instance, its time, and everything under way to it.
#[derive(Debug, Clone)]
pub struct World<'d> {
    /// What it runs.
    pub definition: &'d Definition,
    /// The instance.
    pub instance: Option<Instance>,
    /// Virtual time, ms.
    pub now: i64,
    /// Effects of all inputs, in order.
    pub effects: Vec<Effect>,
    /// Commands that nobody has looked at yet.
    pub commands: VecDeque<Command>,
    under_way: BTreeMap<(i64, u64), Kind>,
    sequence: u64,
    inputs: usize,
    /// Is every input applied twice?
    pub twice: bool,
    /// Does the instance go through its document after every input, as it would by a crash?
    pub crashes: bool,
}

impl<'d> World<'d> {
    /// Nothing has happened.
    pub fn new(definition: &'d Definition) -> Self {
        Self {
            definition,
            instance: None,
            now: START_MS,
            effects: Vec::new(),
            commands: VecDeque::new(),
            under_way: BTreeMap::new(),
            sequence: 0,
            inputs: 0,
            twice: false,
            crashes: false,
        }
    }

    fn trigger(&mut self, r#type: Option<&str>, key: &str, payload: &Value) {
        let mut starts = self.definition.starts.iter();
        let named = starts
            .clone()
            .find(|s| r#type.is_some() && s.r#type.as_deref() == r#type);
        let Some(start) = named.or_else(|| starts.next()) else {
            return;
        };
        let event = Event {
            bind: start.bind.clone(),
            key: key.to_owned(),
            r#type: r#type.map(str::to_owned).or_else(|| start.r#type.clone()),
            trigger: "trigger-1".to_owned(),
            payload: payload.clone(),
        };
        self.put(START_MS, Kind::Event(event));
    }

    /// Puts the trigger of a scenario and the events that it awaits on their way. `key` is the saga's.
    pub fn stage(&mut self, scenario: &Scenario, key: &str) {
        self.trigger(scenario.r#type.as_deref(), key, &scenario.start);
        for (number, event) in scenario.events.iter().enumerate() {
            let awaited = Awaited {
                key: key.to_owned(),
                topic: event.topic.clone(),
                r#type: event.r#type.clone(),
                event: format!("event-{number}"),
                payload: event.payload.clone(),
            };
            self.put(START_MS + event.after_ms, Kind::Awaited(awaited));
        }
    }

    /// Puts an operator's act on its way.
    pub fn act(&mut self, at_ms: i64, act: Act) {
        let id = format!("signal-{}", self.sequence);
        let signal = Signal {
            id,
            actor: "scenario".to_owned(),
            if_revision: None,
            act,
        };
        self.put(at_ms, Kind::Signal(signal));
    }

    /// Puts the answer to a command on its way.
    pub fn answer(&mut self, command: &Command, answer: &Answer) {
        if let Some(then) = &answer.then {
            self.answer(command, then);
        }
        if answer.outcome == "silent" {
            return;
        }
        let reply = Reply {
            command: command.id.clone(),
            outcome: answer.outcome.clone(),
            r#type: None,
            attempt: Some(command.attempt),
            payload: answer.payload.clone(),
            code: answer.code.clone(),
            reason: answer.reason.clone(),
        };
        let at = self.now.saturating_add(answer.after_ms.max(0));
        if answer.twice {
            self.put(at, Kind::Reply(reply.clone()));
        }
        self.put(at, Kind::Reply(reply));
    }

    /// Lets the next thing happen: what is under way, or the instance's timer. False: nothing will.
    pub fn step(&mut self) -> bool {
        let next = self.under_way.keys().next().copied();
        let due = self.instance.as_ref().and_then(due);
        match (next, due) {
            (Some(at), due) if due.is_none_or(|(due, _)| at.0 <= due) => {
                if let Some(kind) = self.under_way.remove(&at) {
                    self.now = self.now.max(at.0);
                    self.feed(kind);
                }
                true
            }
            (_, Some((due, arm))) => {
                self.now = self.now.max(due);
                self.feed(Kind::TimerFired { arm });
                true
            }
            _ => false,
        }
    }

    /// Lets everything happen; `answers` says what participants answer to each command.
    pub fn run(&mut self, mut answers: impl FnMut(&Command) -> Answer) -> Stop {
        for _ in 0..INPUTS_MAX {
            while let Some(command) = self.commands.pop_front() {
                let answer = answers(&command);
                self.answer(&command, &answer);
            }
            if !self.step() {
                return Stop::Rest;
            }
        }
        Stop::Livelock
    }

    /// Status of the instance.
    pub fn status(&self) -> Option<Status> {
        self.instance.as_ref().map(|instance| instance.status)
    }

    fn put(&mut self, at_ms: i64, kind: Kind) {
        self.sequence += 1;
        self.under_way.insert((at_ms, self.sequence), kind);
    }

    fn feed(&mut self, kind: Kind) {
        let input = Input {
            id: format!("input-{}", self.inputs + 1),
            time_ms: self.now,
            kind,
        };
        self.apply(&input);
        if self.twice {
            self.apply(&input);
        }
        if self.crashes {
            self.crash();
        }
    }

    /// What cannot be read back is lost, so that whoever looks at the end sees it.
    fn crash(&mut self) {
        let text = serde_json::to_string(&self.instance).ok();
        let read = text.and_then(|text| serde_json::from_str(&text).ok());
        self.instance = read.flatten();
    }

    fn apply(&mut self, input: &Input) {
        let from = self.effects.len();
        self.inputs += 1;
        // What became of it shows in the effects and in the instance.
        transition::apply(
            self.definition,
            &mut self.instance,
            input,
            &mut self.effects,
        );
        let sent = self.effects[from..].iter().filter_map(|e| match e {
            Effect::Command(command) => Some(command.clone()),
            _ => None,
        });
        self.commands.extend(sent);
    }
}

/// The wake-up of an instance. Its removal is no part of a scenario.
fn due(instance: &Instance) -> Option<(i64, u64)> {
    match instance.wake {
        Wake::At(at) => Some((at, instance.arm)),
        Wake::Never | Wake::Expire(_) => None,
    }
}
