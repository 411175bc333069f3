//! One state of the exploration: the instance, what participants know, and what is under way.
//!
//! Inputs go through the production transition function. Where that asks for an unknown it fails, is undone, and is tried again with
//! every value of the unknown; so conditions are decided where they are evaluated, and only there.
//!
//! Absent on purpose: which inputs come next (see [`super::moves`]).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::effect::{Command, Effect, Note};
use crate::id::CommandId;
use crate::input::{Input, Kind, Reply};
use crate::instance::{FrameKind, IncidentKind, Instance, Status, Token, Wake};
use crate::ir::StepKind;
use crate::transition::{self, Applied};

use super::books::Books;
use super::judge;
use super::model::{Model, UNKNOWN, value_at};

/// A command that a participant has not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Letter {
    pub(super) id: CommandId,
    pub(super) step: String,
    pub(super) attempt: u32,
}

/// One state.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) instance: Instance,
    pub(super) now_ms: i64,
    pub(super) books: Books,
    /// In the order in which they were sent.
    pub(super) letters: Vec<Letter>,
    /// Events given so far.
    pub(super) events: u32,
    pub(super) cancelled: bool,
    /// Did the trigger come?
    pub(super) started: bool,
    /// Was the end said?
    pub(super) finished: bool,
}

/// Most combinations of unknowns that are tried in one transition: each doubles them.
const TRIES_MAX: u32 = 2_000;

/// The values that unknowns had in a transition.
pub(super) type Choices = BTreeMap<String, Value>;

/// What an input led to.
#[derive(Debug, Clone)]
pub(super) struct Next {
    pub(super) state: State,
    pub(super) choices: Choices,
    pub(super) applied: Applied,
    /// The law that was broken on the way.
    pub(super) broken: Option<String>,
    /// Commands sent.
    pub(super) sent: Vec<Letter>,
}

impl State {
    /// Nothing has happened to `instance`.
    pub(super) fn new(instance: Instance) -> Self {
        Self {
            instance,
            now_ms: super::START_MS,
            books: Books::default(),
            letters: Vec::new(),
            events: 0,
            cancelled: false,
            started: false,
            finished: false,
        }
    }

    /// Everything that an input may lead to; `decided` unknowns have their values already.
    pub(super) fn feed(&self, model: &Model, kind: &Kind, decided: &Choices) -> Vec<Next> {
        let mut open = vec![decided.clone()];
        let mut found = Vec::new();
        for tries in 0.. {
            let Some(choices) = open.pop() else { break };
            if tries == TRIES_MAX {
                model.cut.set(true);
                break;
            }
            match self.apply(model, kind, choices) {
                Ok(next) => found.push(next),
                Err((name, choices)) => {
                    let values = model.unknowns.get(&name).map(|u| u.values.as_slice());
                    for value in values.unwrap_or_default().iter().rev() {
                        let mut more = choices.clone();
                        more.insert(name.clone(), value.clone());
                        open.push(more);
                    }
                }
            }
        }
        found
    }

    /// Applies an input; an error names the unknown that it needs.
    fn apply(
        &self,
        model: &Model,
        kind: &Kind,
        choices: Choices,
    ) -> Result<Next, (String, Choices)> {
        let mut state = self.clone();
        let named = choices
            .iter()
            .map(|(name, value)| (name.clone(), value_at(value, self.now_ms)));
        state.instance.data.extend(named);
        let input = Input {
            id: "input".to_owned(),
            time_ms: self.now_ms,
            kind: kind.clone(),
        };
        let mut effects = Vec::new();
        let mut instance = Some(state.instance);
        let applied = transition::apply(&model.definition, &mut instance, &input, &mut effects);
        if let Some(name) = effects.iter().find_map(|e| missing(model, e)) {
            return Err((name, choices));
        }
        // Only the end of its retention removes an instance, and that is never reached.
        state.instance = instance.unwrap_or_else(|| self.instance.clone());
        // Only people read it, and every state would carry it along.
        state.instance.timeline.clear();
        state
            .instance
            .data
            .retain(|name, _| !name.starts_with(UNKNOWN));
        let mut next = Next {
            state,
            choices,
            applied,
            broken: None,
            sent: Vec::new(),
        };
        next.broken = next.note(model, &effects);
        Ok(next)
    }

    /// Does anything still wait for the answer to this forward command, so that the step is not given up?
    pub(super) fn awaits(&self, model: &Model, id: &CommandId) -> bool {
        let instance = &self.instance;
        let is_it = |token: &Token| {
            let command = instance.command_of(&model.definition, token);
            token.pending.is_some() && command.as_ref() == Some(id)
        };
        let held = |kind: &FrameKind| match kind {
            FrameKind::Catch(caught) => caught.held.as_ref().is_some_and(is_it),
            FrameKind::Query(token) => is_it(token),
            _ => false,
        };
        instance.tokens.iter().any(is_it) || instance.frames.iter().any(|f| held(&f.kind))
    }

    /// When the instance wakes by itself.
    pub(super) fn due(&self) -> Option<i64> {
        match self.instance.wake {
            Wake::At(at) => Some(at),
            Wake::Never | Wake::Expire(_) => None,
        }
    }

    /// A number that two states share if everything that can still happen is the same: times count from now on, and what only people
    /// read does not count.
    pub(super) fn key(&self) -> u128 {
        let said = (self.started, self.cancelled, self.finished);
        let rest = (&self.letters, self.events, said);
        let ahead = |at: &i64| *at > self.now_ms;
        let entries = self.books.entries.values();
        let awaited: Vec<Option<i64>> = entries
            .map(|entry| entry.awaited_ms.filter(ahead).map(|at| at - self.now_ms))
            .collect();
        let instance = timeless(&self.instance, self.now_ms);
        let text = serde_json::to_vec(&(instance, &self.books, awaited, rest)).unwrap_or_default();
        xxhash_rust::xxh3::xxh3_128(&text)
    }
}

impl Next {
    /// Takes down what a transition did; the first law that it breaks.
    fn note(&mut self, model: &Model, effects: &[Effect]) -> Option<String> {
        let mut broken = None;
        for effect in effects {
            let law = match effect {
                Effect::Command(command) => self.send(model, command),
                Effect::Note(Note::Finished { .. }) if self.state.finished => {
                    Err("the end is said twice".to_owned())
                }
                Effect::Note(Note::Finished { status }) => {
                    self.state.finished = true;
                    judge::at_end(&self.state, *status)
                }
                Effect::Note(Note::CompensationStarted { cause }) => self.turned_back(model, cause),
                _ => Ok(()),
            };
            broken = broken.or(law.err());
        }
        broken
    }

    fn send(&mut self, model: &Model, command: &Command) -> Result<(), String> {
        let state = &mut self.state;
        let letter = Letter {
            id: command.id.clone(),
            step: command.step.clone(),
            attempt: command.attempt,
        };
        self.sent.push(letter.clone());
        let (answered, law) = state.books.sent(model, command, state.now_ms);
        if answered {
            state.letters.push(letter);
        }
        law
    }

    fn turned_back(&self, model: &Model, cause: &str) -> Result<(), String> {
        let entries = self.state.books.entries.iter();
        let mut pivots = entries.filter(|(_, entry)| {
            let kind = model.send(&entry.step).map(|(_, send)| send.kind);
            entry.succeeded && kind == Some(StepKind::Pivot)
        });
        match pivots.next() {
            None => Ok(()),
            Some((name, _)) => Err(format!(
                "the saga turns back because of {cause}, although its pivot `{name}` succeeded"
            )),
        }
    }
}

/// The unknown that a transition lacked. No other expression of a model can fail.
fn missing(model: &Model, effect: &Effect) -> Option<String> {
    let Effect::Note(Note::Parked {
        kind: IncidentKind::ExpressionFault,
        detail,
    }) = effect
    else {
        return None;
    };
    let from = detail.find(UNKNOWN)?;
    let rest = &detail[from + UNKNOWN.len()..];
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let name = format!("{UNKNOWN}{}", &rest[..digits]);
    model.unknowns.contains_key(&name).then_some(name)
}

/// An answer.
pub(super) fn reply(id: &CommandId, outcome: &str, attempt: u32) -> Kind {
    Kind::Reply(Reply {
        command: id.clone(),
        outcome: outcome.to_owned(),
        r#type: None,
        attempt: Some(attempt),
        payload: Value::Null,
        code: None,
        reason: None,
    })
}

/// Is it parked, so that answers are kept and not applied?
pub(super) fn is_parked(state: &State) -> bool {
    state.instance.status == Status::Parked
}

fn timeless(instance: &Instance, now_ms: i64) -> Instance {
    let mut seen = Instance {
        revision: 0,
        arm: 0,
        wake: Wake::Never,
        started_ms: 0,
        updated_ms: 0,
        finished_ms: instance.finished_ms.map(|_| 0),
        error: None,
        data: BTreeMap::new(),
        timeline: Vec::new(),
        ..instance.clone()
    };
    if let Some(incident) = &mut seen.incident {
        incident.detail.clear();
        incident.since_ms = 0;
    }
    let shift = |at: &mut Option<i64>| *at = at.map(|at| at - now_ms);
    shift(&mut seen.deadline_ms);
    shift(&mut seen.warning_ms);
    for token in &mut seen.tokens {
        shift_token(token, now_ms);
    }
    for frame in &mut seen.frames {
        frame.data.clear();
        shift(&mut frame.due_ms);
        match &mut frame.kind {
            FrameKind::Catch(caught) => {
                let held = caught.held.iter_mut();
                held.for_each(|token| shift_token(token, now_ms));
            }
            FrameKind::Query(token) => shift_token(token, now_ms),
            _ => {}
        }
    }
    for obligation in &mut seen.obligations {
        if let Some(pending) = &mut obligation.pending {
            pending.due_ms -= now_ms;
            pending.first_ms -= now_ms;
        }
    }
    for input in &mut seen.queue {
        input.time_ms = 0;
    }
    seen
}

fn shift_token(token: &mut Token, now_ms: i64) {
    token.due_ms = token.due_ms.map(|at| at - now_ms);
    if let Some(pending) = &mut token.pending {
        pending.due_ms -= now_ms;
        pending.first_ms -= now_ms;
    }
}
