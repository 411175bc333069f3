//! Random structured programs under random schedules.
//!
//! A seed gives a program (parallel, choice, block, loop, for_each, catch, fallback, await, pivot) and what participants, timers, the
//! network and operators do. Afterwards everybody is well. What must stand then is derived from the program's structure (see
//! [`super::oracle`]), never from the instance.

use std::collections::{BTreeMap, BTreeSet};

use super::dialogue::{Dialogue, given, reply_to};
use super::model::{Ledger, Random, answer_back, answer_forward};
use super::oracle::{Log, Oracle};
use super::program::{Part, program};
use super::random::{Generated, generate};
use crate::effect::Command;
use crate::input::{Act, Awaited, Input, Kind, Signal};
use crate::instance::{IncidentKind, Status, Wake};
use crate::ir::{Deadline, Directive, Kind as NodeKind};
use crate::transition::Applied;

const SEEDS: u64 = 2_000;

pub struct Chaos {
    pub dialogue: Dialogue,
    program: Generated,
    ledger: BTreeMap<String, Ledger>,
    log: Log,
    commands: Vec<Command>,
    replies: Vec<crate::input::Reply>,
    twice: bool,
    forgetful: bool,
    refuses: bool,
    random: Random,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut random = Random { seed, drawn: 0 };
        let generated = generate(&mut random);
        let mut definition = program(generated.parts.clone());
        definition.deadline = (seed % 6 == 5).then_some(Deadline {
            after_ms: 200_000,
            then: if seed.is_multiple_of(5) {
                Directive::Park
            } else {
                Directive::Compensate
            },
            warn_ms: Some(100_000),
        });
        let mut dialogue = given(definition);
        dialogue.thorough = seed.is_multiple_of(16);
        let payload = serde_json::json!({
            "id": "ORD-42", "total": 10, "yes": true, "no": false, "items": [1, 2, 3],
        });
        Self {
            log: Log::new(Oracle::new(&generated.parts)),
            dialogue: dialogue.event_with("T-1", payload),
            program: generated,
            ledger: BTreeMap::new(),
            commands: Vec::new(),
            replies: Vec::new(),
            twice: seed % 5 == 1,
            forgetful: seed % 5 == 2,
            refuses: seed % 7 == 3,
            random,
        }
    }

    fn chaos(&mut self) {
        let steps = 20 + self.random.below(60);
        for _ in 0..steps {
            self.collect();
            match self.random.below(24) {
                0..=8 => self.deliver_command(false),
                9..=16 => self.deliver_reply(),
                17..=19 => self.timer(),
                20 => self.signal(),
                21 | 22 => self.event(),
                _ => self.noise(),
            }
        }
    }

    fn collect(&mut self) {
        while let Some(command) = self.dialogue.commands.pop_front() {
            self.log.sent(&command, self.dialogue.here());
            self.commands.push(command);
        }
    }

    fn deliver_command(&mut self, healthy: bool) {
        if self.commands.is_empty() {
            return;
        }
        let at = self.random.below(self.commands.len() as u64) as usize;
        let command = if !healthy && self.random.below(6) == 0 {
            self.commands[at].clone()
        } else {
            self.commands.remove(at)
        };
        let mood = if healthy { 0 } else { self.random.below(14) };
        // Half of the moods is well, so that programs get somewhere.
        let mood = if self.random.below(2) == 0 { 0 } else { mood };
        if let Some(pivot) = self.log.asks(&command) {
            return self.say(&command, &pivot, mood);
        }
        let forward = command.id.forward_id().to_string();
        let known = self.ledger.get(&forward).copied();
        let (now, outcome) = match (command.id.compensation, self.forgetful) {
            (None, true) => answer_forward(known, mood.min(6)),
            (None, false) => answer_forward(known, mood),
            (Some(_), true) if known.is_none() => (None, answer_back(known, mood).1),
            (Some(_), _) => answer_back(known, mood),
        };
        if let Some(now) = now {
            self.ledger.insert(forward, now);
        }
        if let Some(outcome) = outcome {
            let mut reply = reply_to(command.id, outcome);
            reply.attempt = (self.random.below(2) == 0).then_some(command.attempt);
            self.replies.push(reply);
        }
    }

    /// Who says that there is no effect makes sure that none comes later.
    fn say(&mut self, command: &Command, pivot: &str, mood: u64) {
        let forward = format!("{}/{pivot}", command.id.saga);
        let outcome = match (self.ledger.get(&forward), mood) {
            (_, 9..) => return,
            (_, 7 | 8) => "failed",
            (Some(Ledger::Effect), _) => "ok",
            _ => {
                self.ledger.insert(forward, Ledger::Refused);
                "refused"
            }
        };
        self.replies.push(reply_to(command.id.clone(), outcome));
    }

    fn deliver_reply(&mut self) {
        if self.replies.is_empty() {
            return;
        }
        let (at, copy) = if self.forgetful {
            (0, false)
        } else {
            let at = self.random.below(self.replies.len() as u64) as usize;
            (at, self.random.below(5) == 0)
        };
        let reply = self.replies[at].clone();
        if !copy {
            self.replies.remove(at);
        }
        self.feed(Kind::Reply(reply));
    }

    fn timer(&mut self) {
        let (here, now) = (self.dialogue.here(), self.dialogue.now);
        let arm = here.arm;
        if let Wake::At(due) = here.wake {
            self.dialogue.now = now.max(due);
            self.feed(Kind::TimerFired { arm });
        }
    }

    fn signal(&mut self) {
        let act = match self.random.below(12) {
            0 => Act::Cancel { reason: None },
            1 | 2 => Act::Suspend,
            3..=5 => Act::Resume,
            6 if self.program.may_decide => {
                self.log.decided = true;
                Act::Skip {
                    outcome: None,
                    output: serde_json::Value::Null,
                }
            }
            _ => Act::Retry,
        };
        let id = format!("S{}", self.random.drawn);
        self.feed(signal(id, act));
    }

    fn event(&mut self) {
        let count = self.program.awaits.len() as u64;
        if count > 0 {
            let name = self.program.awaits[self.random.below(count) as usize].clone();
            let number = self.random.below(4);
            self.came(&name, number);
        }
    }

    /// Something waits for an event, and that comes.
    fn awaited(&mut self) -> bool {
        let here = self.dialogue.here();
        let mut steps = here.tokens.iter().filter(|token| token.pending.is_none());
        let Some(token) = steps.next() else {
            return false;
        };
        let name = self.dialogue.definition.nodes[token.node as usize]
            .step
            .clone();
        let number = self.random.drawn + 1000;
        self.random.below(1);
        self.came(&name, number);
        true
    }

    fn came(&mut self, name: &str, number: u64) {
        self.feed(Kind::Awaited(Awaited {
            key: "ORD-42".to_owned(),
            topic: "logistics".to_owned(),
            r#type: Some(format!("{name}_came")),
            event: format!("{name}-{number}"),
            payload: serde_json::json!({ "number": number }),
        }));
    }

    fn noise(&mut self) {
        let arm = self.dialogue.here().arm;
        let kind = match self.random.below(3) {
            0 => Kind::TimerFired { arm: arm + 1 },
            1 => Kind::Expire { arm },
            _ => {
                let id = crate::id::CommandId::parse("order/ORD-42/nobody").unwrap();
                Kind::Reply(reply_to(id, "ok"))
            }
        };
        self.dialogue.input(kind);
        assert_ne!(self.dialogue.applied, Applied::Changed);
    }

    fn feed(&mut self, kind: Kind) {
        let waits = matches!(
            self.dialogue.here().status,
            Status::Parked | Status::Suspended
        );
        if let Kind::Reply(reply) = &kind {
            self.log.fed(reply);
        }
        if !waits && self.refuses && self.random.below(25) == 0 {
            return self.dialogue.refuse_output(kind);
        }
        if std::env::var("CHAOS_STORY").is_ok() {
            println!("{:?} <- {kind:?}", self.dialogue.here().status);
        }
        self.dialogue.input(kind.clone());
        self.bounded();
        let sent = self.dialogue.commands.len();
        if self.twice && !waits {
            let again = Input {
                id: "again".to_owned(),
                time_ms: self.dialogue.now,
                kind,
            };
            self.dialogue.apply(&again);
            let here = self.dialogue.here().status;
            let kept = matches!(here, Status::Parked | Status::Suspended);
            let changed = self.dialogue.applied == Applied::Changed;
            assert!(!changed || kept, "twice: {again:?}");
            assert_eq!(self.dialogue.commands.len(), sent);
        }
    }

    fn bounded(&mut self) {
        self.log.noted(&self.dialogue.effects);
        let Some(here) = &self.dialogue.instance else {
            return;
        };
        assert!(here.queue.len() <= 101);
        assert!(here.early.len() <= 16 && here.events.len() <= 32);
        assert!(here.frames.len() <= 80, "{}", here.frames.len());
        assert!(here.tokens.len() <= 40);
        assert!(here.obligations.len() <= self.log.begun());
        let nodes = self.dialogue.definition.nodes.len();
        assert!(here.executions.len().max(here.floors.len()) <= nodes);
    }

    /// Everybody is well: commands are answered, replies arrive, timers fire.
    fn converge(&mut self) {
        for _ in 0..5_000 {
            self.collect();
            if !self.commands.is_empty() {
                self.deliver_command(true);
            } else if !self.replies.is_empty() {
                let reply = self.replies.remove(0);
                self.feed(Kind::Reply(reply));
            } else if matches!(self.dialogue.here().wake, Wake::At(_)) {
                // What is awaited comes before its time is over.
                if !self.awaited() {
                    self.timer();
                }
            } else {
                return;
            }
        }
        panic!("livelock: {:?}", self.dialogue.here());
    }

    fn operate(&mut self) {
        self.refuses = false;
        for _ in 0..60 {
            let here = self.dialogue.here();
            let act = match here.status {
                Status::Suspended => Act::Resume,
                Status::Parked => Act::Retry,
                _ => return,
            };
            if let Some(incident) = here.incident.as_ref().filter(|_| act == Act::Retry) {
                let listed = matches!(
                    incident.kind,
                    IncidentKind::UnknownPivot
                        | IncidentKind::RetriesExhausted
                        | IncidentKind::CompensationRefused
                        | IncidentKind::Declared
                        | IncidentKind::OutputRefused
                );
                assert!(listed, "{here:?}");
            }
            let id = format!("O{}", here.revision);
            self.dialogue.input(signal(id, act));
            self.bounded();
            assert_eq!(self.dialogue.applied, Applied::Changed);
            self.converge();
        }
        panic!("no way out: {:?}", self.dialogue.here());
    }

    fn check_end(&self) {
        let here = self.dialogue.here();
        let effects: BTreeSet<String> = self
            .ledger
            .iter()
            .filter(|(_, state)| **state == Ledger::Effect)
            .filter_map(|(id, _)| id.rsplit('/').next())
            .map(str::to_owned)
            .collect();
        assert!(!here.compensation_incomplete(), "{here:?}");
        let said = self.dialogue.events.iter().map(|event| &event.r#type);
        let ends = said.filter(|name| *name == "Done" || *name == "Cancelled");
        assert_eq!(ends.count(), 1, "the end is said once");
        let mut ids = BTreeSet::new();
        for event in &self.dialogue.events {
            assert!(ids.insert(&event.id), "published twice: {}", event.id);
        }
        if self.log.decided {
            return;
        }
        match here.status {
            Status::Completed => self.log.check_completed(&effects),
            Status::Compensated => self.log.check_compensated(&effects),
            _ => panic!("no end: {here:?}"),
        }
    }
}

/// A program in one line.
fn told(parts: &[Part]) -> String {
    let one = |part: &Part| {
        let what = match &part.node.kind {
            NodeKind::Send(send) => format!("{:?}x{:?}", send.kind, send.retry.max),
            NodeKind::Fork { join, .. } => format!("fork{join}"),
            NodeKind::Branch { arms, .. } => format!("if {}", arms[0].0.source()),
            NodeKind::Iterate(i) => format!(
                "iterate limit {} until {:?}",
                i.limit,
                i.until.as_ref().map(|e| e.source())
            ),
            NodeKind::Scope(scope) => format!("block {:?}", scope.timeout_ms),
            NodeKind::Wait(_) => "wait".to_owned(),
            NodeKind::End { .. } => "stop".to_owned(),
            _ => "other".to_owned(),
        };
        let mut text = format!("{}:{what}", part.node.step);
        for body in &part.bodies {
            text.push_str(&format!(" {{ {} }}", told(body)));
        }
        for (name, catch) in &part.node.catch {
            text.push_str(&format!(" catch {name}: {:?}", catch.then));
        }
        for (name, steps, then) in &part.caught {
            text.push_str(&format!(" catch {name}: do [{}] {then:?}", told(steps)));
        }
        for other in part.fallback.iter().chain(&part.query) {
            text.push_str(&format!(" or ({})", told(std::slice::from_ref(other))));
        }
        text
    };
    parts.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn signal(id: String, act: Act) -> Kind {
    Kind::Signal(Signal {
        id,
        actor: "anna".to_owned(),
        if_revision: None,
        act,
    })
}

pub fn run(seed: u64) -> Chaos {
    let mut world = Chaos::new(seed);
    world.chaos();
    world.converge();
    world.operate();
    world.check_end();
    world
}

fn sweep(seeds: impl Iterator<Item = u64>) -> BTreeMap<Status, u64> {
    let mut ends: BTreeMap<Status, u64> = BTreeMap::new();
    let mut failed = Vec::new();
    for seed in seeds {
        match std::panic::catch_unwind(|| run(seed).dialogue.here().status) {
            Ok(status) => *ends.entry(status).or_default() += 1,
            Err(_) => {
                let generated = generate(&mut Random { seed, drawn: 0 });
                println!("seed {seed}: {}", told(&generated.parts));
                failed.push(seed);
            }
        }
        assert!(failed.len() < 20, "seeds {failed:?}");
    }
    assert!(failed.is_empty(), "seeds {failed:?}");
    ends
}

/// `SKALD_SIM_SEEDS` sets the number of programs, `SKALD_SIM_FIRST` the first one; a failing one is told with its program.
#[test]
fn a1_p4_every_program_ends_with_the_effects_of_its_path_or_none() {
    let number = |name: &str, usual: u64| {
        let set = std::env::var(name).ok();
        set.map_or(usual, |text| text.parse().expect("a number"))
    };
    let (first, seeds) = (
        number("SKALD_SIM_FIRST", 0),
        number("SKALD_SIM_SEEDS", SEEDS),
    );
    let ends = sweep(first..first + seeds);
    println!("{ends:?}");
    if seeds >= SEEDS {
        assert!(ends.values().all(|count| *count > seeds / 20), "{ends:?}");
        assert_eq!(ends.len(), 2);
    }
}
