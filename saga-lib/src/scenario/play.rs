//! Playing a scenario.
//!
//! Absent on purpose: judging it (see [`super::judge`]).

use std::collections::BTreeMap;

use serde_json::Value;

use super::file::Scenario;
use super::world::{Answer, START_MS, Stop, World};
use crate::effect::{Effect, Note};
use crate::expr::Scope;
use crate::id::CommandId;
use crate::instance::Instance;
use crate::ir::Definition;

/// A command that was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// Its id behind the saga's, e.g. `credit`, `ship[0]#2`, `credit!c`.
    pub name: String,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Body.
    pub body: Value,
}

/// What happened.
#[derive(Debug, Clone)]
pub struct Play {
    /// Commands in their order.
    pub commands: Vec<Sent>,
    /// Types of published events in their order.
    pub published: Vec<String>,
    /// Milestones in their order.
    pub milestones: Vec<String>,
    /// The instance as it was left; `None`, if none began.
    pub instance: Option<Instance>,
    /// Why it was left.
    pub stop: Stop,
    /// Virtual time it took, ms.
    pub took_ms: i64,
}

/// Plays a scenario to its end.
///
/// # Errors
/// The trigger has no business key, for people.
pub fn play(definition: &Definition, scenario: &Scenario) -> Result<Play, String> {
    let key = key(definition, scenario)?;
    let mut world = World::new(definition);
    world.stage(scenario, &key);
    for (after_ms, act) in &scenario.acts {
        world.act(START_MS + after_ms, act.clone());
    }
    let mut script = Script::new(&scenario.replies);
    let stop = world.run(|command| {
        script
            .answer(&command.id)
            .unwrap_or_else(|| Answer::named("ok"))
    });
    Ok(report(world, stop))
}

/// The business key of a scenario's trigger.
///
/// # Errors
/// The expression's fault, or what the key is instead of text, for people.
pub(super) fn key(definition: &Definition, scenario: &Scenario) -> Result<String, String> {
    let mut starts = definition.starts.iter();
    let wanted = |t: &Option<String>| scenario.r#type.is_none() || *t == scenario.r#type;
    let Some(start) = starts.find(|s| wanted(&s.r#type)) else {
        return Err("no `start` has this type".to_owned());
    };
    let scope = Scope::new().with(&start.bind, &scenario.start);
    match start.key.evaluate(&scope) {
        Ok(Value::String(text)) => Ok(text),
        Ok(Value::Number(number)) => Ok(number.to_string()),
        Ok(other) => Err(format!("the key of the trigger is {other}")),
        Err(fault) => Err(format!("the key of the trigger: {fault}")),
    }
}

/// A command's id behind the saga's.
pub fn name(id: &CommandId) -> String {
    let text = id.to_string();
    let saga = id.saga.as_str().len() + 1;
    text.get(saga..).unwrap_or_default().to_owned()
}

/// What participants answer, attempt after attempt.
#[derive(Debug, Clone)]
pub struct Script {
    replies: BTreeMap<String, Vec<Answer>>,
    given: BTreeMap<String, usize>,
}

impl Script {
    /// Nothing was answered yet. `replies` are those of a scenario.
    pub fn new(replies: &BTreeMap<String, Vec<Answer>>) -> Self {
        Self {
            replies: replies.clone(),
            given: BTreeMap::new(),
        }
    }

    /// The next answer to a command. The most precise entry counts: the command itself, else its path without the execution's number,
    /// else its step; `None`, if there is none.
    pub fn answer(&mut self, id: &CommandId) -> Option<Answer> {
        let back = if id.compensation.is_some() { "!c" } else { "" };
        let step = id.path.split(['[', '.']).next().unwrap_or_default();
        let names = [
            name(id),
            format!("{}{back}", id.path),
            format!("{step}{back}"),
        ];
        let key = names.into_iter().find(|k| self.replies.contains_key(k))?;
        let answers = &self.replies[&key];
        let given = self.given.entry(key).or_default();
        let at = (*given).min(answers.len() - 1);
        *given += 1;
        answers.get(at).cloned()
    }
}

fn report(world: World<'_>, stop: Stop) -> Play {
    let mut play = Play {
        commands: Vec::new(),
        published: Vec::new(),
        milestones: Vec::new(),
        instance: world.instance,
        stop,
        took_ms: world.now - START_MS,
    };
    for effect in world.effects {
        match effect {
            Effect::Command(command) => play.commands.push(Sent {
                name: name(&command.id),
                attempt: command.attempt,
                body: command.payload,
            }),
            Effect::Publish(event) => play.published.push(event.r#type),
            Effect::Note(Note::Milestone { name, .. }) => play.milestones.push(name),
            Effect::Note(_) | Effect::Orphan { .. } | Effect::DeadLetter { .. } => {}
        }
    }
    play
}
