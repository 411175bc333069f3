//! A model of participants under random schedules: refusals, failures, silence, loss, duplicates, reordering, late replies, operators.
//!
//! After the chaos everybody is well and answers. Then each saga ends completed with every effect, or compensated with none, or it is
//! parked for a listed cause, and an operator's retries bring it to one of the two ends.

use std::collections::{BTreeMap, BTreeSet};

use super::definitions::{booking, catching, compensatable, definition, order, step, with};
use super::dialogue::{Dialogue, given, reply_to};
use crate::effect::Command;
use crate::input::{Act, Input, Kind, KindName, Reply};
use crate::instance::{IncidentKind, Status, StepStatus};
use crate::ir::{Definition, Directive, StepKind};
use crate::transition::Applied;

const SCHEDULES: u64 = 3_000;
const CHAOS_STEPS: u64 = 40;

/// What a participant remembers of one forward id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ledger {
    Refused,
    Effect,
    Compensated,
}

struct World {
    dialogue: Dialogue,
    ledger: BTreeMap<String, Ledger>,
    commands: Vec<Command>,
    replies: Vec<Reply>,
    /// First compensations in the order they were sent, as node numbers.
    back: Vec<usize>,
    /// Can a step be given up and gone past?
    lenient: bool,
    /// Is every input fed twice?
    twice: bool,
    /// Do participants forget a compensation that came before its command? Then late successes happen; answers come in order.
    forgetful: bool,
    /// Are outputs refused now and then, so that a whole transition is undone?
    refuses: bool,
    /// Forward commands whose success was read.
    proved: BTreeSet<String>,
    random: Random,
}

pub struct Random {
    pub seed: u64,
    pub drawn: u64,
}

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.drawn += 1;
        xxhash_rust::xxh3::xxh3_64_with_seed(&self.drawn.to_le_bytes(), self.seed) % n
    }
}

/// A definition for a seed, and whether it goes past steps that were given up.
fn program(seed: u64) -> (Definition, bool) {
    match seed % 4 {
        0 => (order(), false),
        1 => (booking(), false),
        2 => {
            let hasty = with(compensatable("stock"), |send| send.retry.max = Some(1));
            let payment = with(step("payment", StepKind::Pivot), |send| {
                send.retry.max = Some(1);
            });
            let ship = with(step("ship", StepKind::Retriable), |send| {
                send.retry.max = Some(1);
            });
            let nodes = vec![compensatable("credit"), hasty, payment, ship];
            (definition(nodes), false)
        }
        _ => {
            let credit = with(compensatable("credit"), |send| send.retry.max = Some(1));
            let credit = catching(credit, "any", Directive::Continue);
            let stock = catching(compensatable("stock"), "declined", Directive::Retry);
            let payment = step("payment", StepKind::Pivot);
            let ship = catching(step("ship", StepKind::Retriable), "any", Directive::Park);
            (definition(vec![credit, stock, payment, ship]), true)
        }
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let (definition, lenient) = program(seed);
        let mut dialogue = given(definition);
        // The costly laws on every 32nd schedule are enough: they hold for single inputs.
        dialogue.thorough = seed.is_multiple_of(32);
        Self {
            dialogue: dialogue.event(),
            ledger: BTreeMap::new(),
            commands: Vec::new(),
            replies: Vec::new(),
            back: Vec::new(),
            lenient,
            twice: seed / 4 % 4 == 1,
            forgetful: seed / 4 % 4 == 2,
            refuses: seed / 16 % 3 == 1,
            proved: BTreeSet::new(),
            random: Random { seed, drawn: 0 },
        }
    }

    fn chaos(&mut self) {
        for _ in 0..CHAOS_STEPS {
            self.collect();
            match self.random.below(20) {
                0..=7 => self.deliver_command(false),
                8..=14 => self.deliver_reply(),
                15..=17 => self.timer(),
                18 => self.signal(),
                _ => self.noise(),
            }
        }
    }

    fn collect(&mut self) {
        while let Some(command) = self.dialogue.commands.pop_front() {
            self.check_command(&command);
            self.commands.push(command);
        }
    }

    fn check_command(&mut self, command: &Command) {
        let Some(m) = command.id.compensation else {
            return;
        };
        let here = self.dialogue.here();
        if !self.lenient {
            assert!(!here.past_pivot, "compensated past the pivot: {here:?}");
            let busy = here.obligations.iter().filter(|o| o.pending.is_some());
            assert!(busy.count() <= 1, "two compensations at once: {here:?}");
        }
        if m == 1 && command.attempt == 1 && !self.lenient {
            let nodes = &self.dialogue.definition.nodes;
            let at = nodes.iter().position(|n| n.step == command.step).unwrap();
            assert!(self.back.last().is_none_or(|last| *last > at), "{here:?}");
            self.back.push(at);
        }
    }

    /// A participant takes a command; healthy ones answer, others may do anything that the protocol allows.
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
        let mood = if healthy { 0 } else { self.random.below(12) };
        let forward = command.id.forward_id().to_string();
        let known = self.ledger.get(&forward).copied();
        let (now, outcome) = match (command.id.compensation, self.forgetful) {
            // Nobody could know of an effect whose answer is lost after its compensation was confirmed.
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
        if let crate::instance::Wake::At(due) = here.wake {
            self.dialogue.now = now.max(due);
            self.feed(Kind::TimerFired { arm });
        }
    }

    fn signal(&mut self) {
        let act = match self.random.below(3) {
            0 => Act::Cancel { reason: None },
            _ => Act::Retry,
        };
        let id = format!("S{}", self.random.drawn);
        self.feed(Kind::Signal(crate::input::Signal {
            id,
            actor: "anna".to_owned(),
            if_revision: None,
            act,
        }));
    }

    /// Inputs that must not change anything.
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
        let parked = self.dialogue.here().status == Status::Parked;
        if let Kind::Reply(reply) = &kind
            && (reply.outcome.as_str(), reply.command.compensation) == ("ok", None)
        {
            self.proved.insert(reply.command.path.clone());
        }
        if !parked && self.refuses && self.random.below(25) == 0 {
            return self.dialogue.refuse_output(kind);
        }
        self.dialogue.input(kind.clone());
        let sent = self.dialogue.commands.len();
        // A parked instance keeps the copy too and sorts it out when it goes on.
        if self.twice && !parked {
            let again = Input {
                id: "again".to_owned(),
                time_ms: self.dialogue.now,
                kind,
            };
            self.dialogue.apply(&again);
            let parked = self.dialogue.here().status == Status::Parked;
            let changed = self.dialogue.applied == Applied::Changed;
            assert!(!changed || parked, "twice: {again:?}");
            assert_eq!(self.dialogue.commands.len(), sent);
        }
    }

    /// Everybody is well: commands are answered, replies arrive, timers fire.
    fn converge(&mut self) {
        for _ in 0..2_000 {
            self.collect();
            if !self.commands.is_empty() {
                self.deliver_command(true);
            } else if !self.replies.is_empty() {
                let reply = self.replies.remove(0);
                self.feed(Kind::Reply(reply));
            } else if matches!(self.dialogue.here().wake, crate::instance::Wake::At(_)) {
                self.timer();
            } else {
                return;
            }
        }
        panic!("livelock: {:?}", self.dialogue.here());
    }

    fn operate(&mut self) {
        self.refuses = false;
        for _ in 0..20 {
            let here = self.dialogue.here();
            if here.status != Status::Parked {
                return;
            }
            let kind = here.incident.as_ref().unwrap().kind;
            let listed = matches!(
                kind,
                IncidentKind::UnknownPivot
                    | IncidentKind::RetriesExhausted
                    | IncidentKind::CompensationRefused
                    | IncidentKind::Declared
                    | IncidentKind::OutputRefused
            );
            assert!(listed, "{here:?}");
            let id = format!("O{}", self.dialogue.here().revision);
            self.dialogue = std::mem::replace(&mut self.dialogue, given(order()))
                .signal(&id, None, Act::Retry)
                .expect_changed();
            self.converge();
        }
    }

    fn check_end(&self) {
        let here = self.dialogue.here();
        let effects: BTreeSet<&str> = self
            .ledger
            .iter()
            .filter(|(_, state)| **state == Ledger::Effect)
            .filter_map(|(id, _)| id.rsplit('/').next())
            .collect();
        match here.status {
            Status::Completed => self.check_completed(&effects),
            Status::Compensated => assert!(effects.is_empty(), "{effects:?} {here:?}"),
            _ => panic!("no end: {here:?}"),
        }
        assert!(!here.compensation_incomplete());
        let said = self.dialogue.events.iter().map(|event| &event.r#type);
        let ends = said.filter(|name| *name != "Stuck").count();
        assert_eq!(ends, 1, "the end is said once");
    }

    fn check_completed(&self, effects: &BTreeSet<&str>) {
        for node in &self.dialogue.definition.nodes {
            let executions = effects
                .iter()
                .filter(|id| id.split('#').next() == Some(node.step.as_str()))
                .count();
            let status = self.dialogue.here().steps.get(&node.step);
            if self.lenient && node.step == "credit" && status != Some(&StepStatus::Succeeded) {
                // A step that was given up may have an effect only as long as nobody proved it.
                let proved = self.proved.contains("credit");
                assert!(!proved || executions == 0, "{:?}", self.dialogue.here());
            } else {
                assert_eq!(executions, 1, "{}: {effects:?}", node.step);
            }
        }
    }
}

/// New state and answer of a participant for a forward command.
pub fn answer_forward(known: Option<Ledger>, mood: u64) -> (Option<Ledger>, Option<&'static str>) {
    match (known, mood) {
        (_, 10 | 11) => (known, None),
        (Some(Ledger::Effect), _) => (known, Some("ok")),
        (Some(Ledger::Refused | Ledger::Compensated), _) => (known, Some("refused")),
        (None, 0..=4) => (Some(Ledger::Effect), Some("ok")),
        (None, 5) => (Some(Ledger::Refused), Some("refused")),
        (None, 6) => (Some(Ledger::Refused), Some("declined")),
        (None, 7) => (Some(Ledger::Effect), Some("failed")),
        (None, 8) => (Some(Ledger::Effect), None),
        (None, _) => (None, Some("failed")),
    }
}

/// The same for a compensating command.
pub fn answer_back(known: Option<Ledger>, mood: u64) -> (Option<Ledger>, Option<&'static str>) {
    match (known, mood) {
        (_, 9..) => (known, None),
        (_, 8) => (known, Some("failed")),
        (_, 7) => (known, Some("refused")),
        (Some(Ledger::Refused), _) => (known, Some("ok")),
        (_, 6) => (Some(Ledger::Compensated), None),
        _ => (Some(Ledger::Compensated), Some("ok")),
    }
}

fn run(seed: u64) -> World {
    let mut world = World::new(seed);
    world.chaos();
    world.converge();
    world.operate();
    world.check_end();
    world
}

/// Pairs of status and input that a schedule visits.
pub fn visited(seed: u64) -> BTreeSet<(Status, KindName)> {
    run(seed).dialogue.visited
}

#[test]
fn a1_p4_every_schedule_ends_with_all_effects_or_none() {
    let mut ends: BTreeMap<Status, u64> = BTreeMap::new();
    for seed in 0..SCHEDULES {
        let outcome = std::panic::catch_unwind(|| run(seed).dialogue.here().status);
        match outcome {
            Ok(status) => *ends.entry(status).or_default() += 1,
            Err(_) => panic!("seed {seed}"),
        }
    }
    // The schedules are worth something only if both ends are common.
    assert!(
        ends.values().all(|count| *count > SCHEDULES / 20),
        "{ends:?}"
    );
    assert_eq!(ends.len(), 2);
}
