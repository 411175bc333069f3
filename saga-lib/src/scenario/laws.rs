//! Laws that hold for every definition, tried on one that a scenario shows to complete.
//!
//! | law | tried by |
//! |---|---|
//! | it completes | the scenario as it is |
//! | an input that comes twice changes nothing | every input twice |
//! | nothing is lost between two inputs | the instance goes through its document after each one |
//! | a failure leads to an end | each command refused, failed, silent, and silent with a late success |
//! | a compensation that is confirmed twice is one | every answer to a compensation twice |
//! | compensated means: no effect stands | a ledger of model participants |
//! | what is past the pivot is never compensated | kinds of the steps whose compensation was sent |
//! | each (command id, attempt) is sent once | all commands sent |
//!
//! Absent on purpose: the commit protocol, and order between topics.

use std::collections::{BTreeMap, BTreeSet};

use super::file::Scenario;
use super::play::{Script, key, name};
use super::world::{Answer, Stop, World};
use crate::effect::{Command, Effect, Note};
use crate::instance::{IncidentKind, Status};
use crate::ir::{Compensation, Definition, Kind, Node, StepKind};

/// When a late success comes: after every ladder of a definition.
const LATE_MS: i64 = 40 * 86_400_000;

/// A law that does not hold, in a sentence with the place.
pub type Broken = String;

/// Tries every law on a definition whose `scenario` completes.
///
/// # Errors
/// The scenario's trigger has no key.
pub fn check(definition: &Definition, scenario: &Scenario) -> Result<Vec<Broken>, String> {
    let key = key(definition, scenario)?;
    let laws = Laws {
        definition,
        scenario,
        key,
    };
    let mut broken = Vec::new();
    let base = laws.run(&Trouble::default());
    if base.status != Some(Status::Completed) {
        broken.push(format!("it does not complete: {}", base.story()));
    }
    broken.extend(base.broken.iter().cloned());
    for (what, trouble) in [
        (
            "every input twice",
            Trouble {
                twice: true,
                ..Trouble::default()
            },
        ),
        (
            "through the document",
            Trouble {
                crashes: true,
                ..Trouble::default()
            },
        ),
    ] {
        let run = laws.run(&trouble);
        if run.commands != base.commands || run.status != base.status {
            broken.push(format!(
                "{what}: {} instead of {}",
                run.story(),
                base.story()
            ));
        }
    }
    for command in base.forward() {
        laws.failures(&command, &mut broken);
    }
    Ok(broken)
}

/// What goes wrong in a run.
#[derive(Debug, Clone, Default)]
struct Trouble {
    /// The command it happens to.
    command: String,
    /// What its participant answers instead.
    how: How,
    /// Every input comes twice.
    twice: bool,
    /// Answers to compensations come twice.
    confirmed_twice: bool,
    /// The instance goes through its document after every input.
    crashes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum How {
    #[default]
    Not,
    Refused,
    Failed,
    Silent,
    /// Silent, and its effect is told when nobody waits any more.
    Late,
}

/// What a participant knows of one forward command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Effect,
    Compensated,
    Refused,
}

struct Laws<'a> {
    definition: &'a Definition,
    scenario: &'a Scenario,
    key: String,
}

/// How a run ended.
struct Run {
    status: Option<Status>,
    incident: Option<IncidentKind>,
    commands: Vec<(String, u32)>,
    broken: Vec<Broken>,
}

impl Run {
    fn story(&self) -> String {
        let status = self.status.map_or("not started", Status::word);
        let commands: Vec<&str> = self.commands.iter().map(|(c, _)| c.as_str()).collect();
        format!("{status} after [{}]", commands.join(", "))
    }

    fn forward(&self) -> BTreeSet<String> {
        let forward = self.commands.iter().filter(|(c, _)| !c.contains("!c"));
        forward.map(|(c, _)| c.clone()).collect()
    }
}

impl Laws<'_> {
    fn failures(&self, command: &str, broken: &mut Vec<Broken>) {
        for how in [How::Refused, How::Failed, How::Silent, How::Late] {
            let trouble = Trouble {
                command: command.to_owned(),
                how,
                ..Trouble::default()
            };
            let run = self.run(&trouble);
            let tell = |sentence: String| format!("{command} {how:?}: {sentence}");
            broken.extend(run.broken.iter().cloned().map(tell));
            if !is_end(&run) {
                broken.push(tell(format!("no end: {}, {:?}", run.story(), run.incident)));
            }
            let twice = self.run(&Trouble {
                confirmed_twice: true,
                ..trouble
            });
            if twice.commands != run.commands || twice.status != run.status {
                let told = format!("confirmed twice it is {}", twice.story());
                broken.push(tell(format!("{told} instead of {}", run.story())));
            }
        }
    }

    fn run(&self, trouble: &Trouble) -> Run {
        let mut world = World::new(self.definition);
        world.twice = trouble.twice;
        world.crashes = trouble.crashes;
        world.stage(self.scenario, &self.key);
        let mut books: BTreeMap<String, Known> = BTreeMap::new();
        let mut script = Script::new(&self.scenario.replies);
        let stop = world.run(|command| self.answer(command, trouble, &mut books, &mut script));
        self.judge(&world, stop, &books)
    }

    /// The participant's rule: one state per forward id; what it answers is what it knows.
    fn answer(
        &self,
        command: &Command,
        trouble: &Trouble,
        books: &mut BTreeMap<String, Known>,
        script: &mut Script,
    ) -> Answer {
        let forward = name(&command.id.forward_id());
        if command.id.compensation.is_some() {
            if books.get(&forward) != Some(&Known::Refused) {
                books.insert(forward, Known::Compensated);
            }
            let mut confirmed = Answer::named(&self.confirms(command));
            confirmed.twice = trouble.confirmed_twice;
            return confirmed;
        }
        let refusal = self.refusal(command);
        if let Some(asked) = self.asked_about(command) {
            return match books.get(&asked) {
                Some(Known::Effect) => self.success(command, script),
                _ => Answer::named(&refusal),
            };
        }
        match books.get(&forward) {
            Some(Known::Compensated) => return Answer::named(&refusal),
            Some(Known::Refused) => return Answer::named(&refusal),
            Some(Known::Effect) | None => {}
        }
        // A step that is retried for ever needs somebody who answers in the end.
        let patient = self
            .send(command)
            .is_some_and(|send| send.retry.max.is_none());
        let troubled = trouble.command == forward && !(patient && command.attempt > 3);
        match trouble.how {
            How::Refused if troubled => {
                books.insert(forward, Known::Refused);
                Answer::named(&refusal)
            }
            How::Failed if troubled => Answer::named("failed"),
            How::Silent if troubled => Answer::named("silent"),
            How::Late if troubled => {
                // Its effect exists from the first attempt on; only the answer is late.
                books.insert(forward, Known::Effect);
                Answer {
                    after_ms: LATE_MS,
                    ..self.success(command, script)
                }
            }
            _ => {
                books.insert(forward, Known::Effect);
                self.success(command, script)
            }
        }
    }

    /// The pivot that a question is about.
    fn asked_about(&self, command: &Command) -> Option<String> {
        let asks = |node: &&Node| match &node.kind {
            Kind::Send(send) => {
                let query = send.query.and_then(|ix| self.definition.node(ix));
                query.is_some_and(|query| query.step == command.step)
            }
            _ => false,
        };
        let asked = self.definition.nodes.iter().find(asks)?;
        Some(asked.step.clone())
    }

    /// What the scenario says, or the first success.
    fn success(&self, command: &Command, script: &mut Script) -> Answer {
        if let Some(answer) = script.answer(&command.id) {
            return answer;
        }
        let first = self
            .send(command)
            .and_then(|send| send.success.first().cloned());
        Answer::named(&first.unwrap_or_else(|| "ok".to_owned()))
    }

    fn send(&self, command: &Command) -> Option<&crate::ir::Send> {
        match &self.node(&command.step)?.kind {
            Kind::Send(send) => Some(send),
            _ => None,
        }
    }

    fn node(&self, step: &str) -> Option<&Node> {
        self.definition.nodes.iter().find(|node| node.step == step)
    }

    fn refusal(&self, command: &Command) -> String {
        let first = self
            .send(command)
            .and_then(|send| send.refusal.first().cloned());
        first.unwrap_or_else(|| "refused".to_owned())
    }

    fn confirms(&self, command: &Command) -> String {
        let first = match self.send(command).map(|send| &send.compensation) {
            Some(Compensation::Command(counter)) => counter.success.first().cloned(),
            _ => None,
        };
        first.unwrap_or_else(|| "ok".to_owned())
    }

    fn judge(&self, world: &World<'_>, stop: Stop, books: &BTreeMap<String, Known>) -> Run {
        let mut broken = Vec::new();
        if stop == Stop::Livelock {
            broken.push("it goes on and on".to_owned());
        }
        let commands: Vec<(String, u32)> = world
            .effects
            .iter()
            .filter_map(|e| match e {
                Effect::Command(c) => Some((name(&c.id), c.attempt)),
                _ => None,
            })
            .collect();
        let different: BTreeSet<_> = commands.iter().collect();
        if different.len() != commands.len() {
            broken.push("a (command id, attempt) was sent twice".to_owned());
        }
        self.judge_direction(world, &mut broken);
        let instance = world.instance.as_ref();
        if world.status() == Some(Status::Compensated) {
            broken.extend(self.standing(books));
        }
        let owes = instance.is_some_and(|i| i.compensation_incomplete());
        if owes && world.status().is_some_and(Status::is_final) {
            broken.push("it ended and still owes a compensation".to_owned());
        }
        Run {
            status: world.status(),
            incident: instance.and_then(|i| i.incident.as_ref()).map(|i| i.kind),
            commands,
            broken,
        }
    }

    /// What is past the pivot is never compensated, and nothing turns back there.
    fn judge_direction(&self, world: &World<'_>, broken: &mut Vec<Broken>) {
        let past = |step: &str| {
            let kind = self.node(step).map(|node| &node.kind);
            matches!(kind, Some(Kind::Send(send)) if send.kind == StepKind::Retriable)
        };
        let mut passed = false;
        for effect in &world.effects {
            match effect {
                Effect::Command(c) if c.id.compensation.is_some() && past(&c.step) => {
                    broken.push(format!("{} is past the pivot and was compensated", c.step));
                }
                Effect::Note(Note::StepFinished { step, outcome, .. })
                    if outcome == "succeeded" =>
                {
                    let kind = self.node(step).map(|node| &node.kind);
                    let pivot = matches!(kind, Some(Kind::Send(s)) if s.kind == StepKind::Pivot);
                    passed |= pivot;
                }
                Effect::Note(Note::CompensationStarted { cause }) if passed => {
                    broken.push(format!("it turned back past the pivot because of {cause}"));
                }
                _ => {}
            }
        }
    }

    /// Effects that stand although they can be compensated.
    fn standing(&self, books: &BTreeMap<String, Known>) -> Vec<Broken> {
        let undoable = |command: &str| {
            let step = command.split(['[', '.', '#']).next().unwrap_or(command);
            let kind = self.node(step).map(|node| &node.kind);
            matches!(
                kind,
                Some(Kind::Send(send)) if matches!(send.compensation, Compensation::Command(_))
            )
        };
        let standing = books
            .iter()
            .filter(|(command, known)| **known == Known::Effect && undoable(command));
        standing
            .map(|(command, _)| format!("it is compensated, but {command} has its effect"))
            .collect()
    }
}

/// Completed, compensated, or parked for a cause that a person can settle.
fn is_end(run: &Run) -> bool {
    match run.status {
        Some(Status::Completed | Status::Compensated) => true,
        Some(Status::Parked) => matches!(
            run.incident,
            Some(
                IncidentKind::UnknownPivot
                    | IncidentKind::RetriesExhausted
                    | IncidentKind::Declared
            )
        ),
        _ => false,
    }
}
