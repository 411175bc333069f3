//! One run: who goes next, what happens to instances, and two phases: with faults, then healed until everything is at rest.
//!
//! Absent on purpose: what must hold in the end (see `oracle`).

use orchestrator::clock;
use saga_lib::input::Act;
use saga_lib::instance::Status;
use saga_lib::lane::{Effect, LaneState, Now};

use super::chance::{Chance, Limits, Luck};
use super::client::Client;
use super::fault::{Fault, KINDS};
use super::follower::Follower;
use super::node::{Node, Turn};
use super::oracle;
use super::services::Services;
use super::world::World;

/// Steps after which a healed world must be at rest.
const HEALED_STEPS: u32 = 20_000;

/// What a run showed.
#[derive(Debug)]
pub struct Outcome {
    /// What is wrong, if anything is.
    pub wrong: Option<String>,
    /// How often each kind of fault struck.
    pub struck: [u32; KINDS],
    /// Steps taken.
    pub steps: u32,
    /// Sagas that were asked for.
    pub sagas: usize,
    /// A hash over everything that happened.
    pub trace: u64,
    /// What happened, if it was to be told.
    pub story: Vec<String>,
}

impl Outcome {
    /// A run that ended with a panic.
    pub(super) fn panicked(text: String) -> Self {
        Self {
            wrong: Some(format!("panic: {text}")),
            struck: [0; KINDS],
            steps: 0,
            sagas: 0,
            trace: 0,
            story: Vec::new(),
        }
    }
}

struct Run {
    world: World,
    nodes: Vec<Node>,
    services: Services,
    client: Client,
    steps: u32,
    looked_ms: i64,
    journal: Follower,
}

/// Runs a seed.
pub fn run(seed: u64, limits: Limits, story: bool) -> Outcome {
    let mut run = Run::new(seed, limits, story);
    run.with_faults();
    run.healed();
    let mut state = run.world.state();
    if state.wrong.is_none()
        && let Err(wrong) = oracle::judge(&state, &run.services, &run.client)
    {
        state.broken(wrong);
    }
    Outcome {
        wrong: state.wrong.clone(),
        struck: state.luck.struck,
        steps: run.steps,
        sagas: run.client.triggered.len(),
        trace: state.trace,
        story: state.story(),
    }
}

impl Run {
    fn new(seed: u64, limits: Limits, story: bool) -> Self {
        let mut chance = Chance::new(seed, 0);
        let lanes = 1 + chance.below(3) as u32;
        let nodes = 1 + chance.below(3);
        let most = 1 + chance.below(8);
        let world = World::new(chance, Luck::new(seed, limits), lanes, story);
        let mut state = world.state();
        // A long one lets what a dead instance left open stand in everybody's way.
        state.broker.transaction_ms = [1500, 10_000][state.chance.below(2)];
        Client::prepare(&mut state);
        let now = state.now_ms;
        clock::simulated::set(now);
        drop(state);
        Self {
            nodes: (0..nodes).map(|at| Node::new(at, now)).collect(),
            world,
            services: Services::new(seed),
            client: Client::new(most),
            steps: 0,
            looked_ms: 0,
            journal: Follower::default(),
        }
    }

    fn with_faults(&mut self) {
        let steps = 100 + self.world.state().chance.below(400) as u32;
        self.client.arrive(&mut self.world.state());
        while self.steps < steps && !self.is_wrong() {
            self.happen();
            self.misfortune();
            self.step();
        }
    }

    fn healed(&mut self) {
        self.world.state().heal();
        let begun = self.steps;
        while !self.is_wrong() && (!self.steps.is_multiple_of(16) || !self.is_at_rest()) {
            self.step();
            if self.steps > begun + HEALED_STEPS {
                let why = self.unrest();
                self.world
                    .state()
                    .broken(format!("does not come to rest: {why}"));
            }
        }
    }

    fn is_wrong(&self) -> bool {
        self.world.state().wrong.is_some()
    }

    /// What people do.
    fn happen(&mut self) {
        let state = &mut self.world.state();
        if state.chance.hits(300) {
            self.client.arrive(state);
        }
        if state.chance.hits(60) {
            self.client.operate(state);
        }
        if state.chance.hits(15) {
            self.client.upgrade(state);
        }
    }

    fn misfortune(&mut self) {
        let mut state = self.world.state();
        state.actor.clear();
        state.misfortune();
        if state.strikes(Fault::Leap) {
            state.now_ms += state.luck.ms(1000, 30_000);
        }
        let at = state.luck.below(self.nodes.len());
        let runs = self.nodes[at].running.is_some();
        let (crash, freeze) = (state.strikes(Fault::Crash), state.strikes(Fault::Freeze));
        let leave = state.strikes(Fault::Leave) && self.nodes[at].polls();
        let (down, still) = (state.luck.ms(50, 4000), state.luck.ms(100, 8000));
        let wake_ms = state.now_ms + if crash || leave { down } else { still };
        drop(state);
        if runs && leave {
            self.leave(at, wake_ms);
        } else if runs && crash {
            self.die(at, wake_ms);
        } else if runs && freeze {
            self.silence(at, true);
            self.nodes[at].wake_ms = wake_ms;
        }
    }

    /// Nothing is heard of an instance, or it is heard again.
    fn silence(&self, at: usize, silent: bool) {
        let member = self.nodes[at].running.as_ref();
        let Some((group, member)) = member.and_then(|running| running.log().member()) else {
            return;
        };
        let mut state = self.world.state();
        let since = silent.then_some(state.now_ms);
        if let Some(group) = state.broker.groups.get_mut(&group) {
            group.silent(member, since);
        }
    }

    fn die(&mut self, at: usize, wake_ms: i64) {
        self.world.state().tell(|| format!("instance {at} is dead"));
        self.silence(at, true);
        self.nodes[at] = Node::new(at, wake_ms);
    }

    /// A planned stop, between two polls.
    fn leave(&mut self, at: usize, wake_ms: i64) {
        let running = self.nodes[at].running.take();
        self.nodes[at] = Node::new(at, wake_ms);
        let member = running.and_then(|running| running.log().member());
        let mut state = self.world.state();
        state.tell(|| format!("instance {at} leaves"));
        if let Some((group, member)) = member
            && let Some(group) = state.broker.groups.get_mut(&group)
        {
            group.leave(member);
            state.broker.version += 1;
        }
    }

    // Time.

    /// One thing happens.
    fn step(&mut self) {
        self.steps += 1;
        let Some(at) = self.next() else { return };
        let now = self.world.state().now_ms;
        clock::simulated::set(now);
        self.world.state().actor = format!("host{at}");
        if self.nodes[at].running.is_none() {
            return self.start(at);
        }
        self.silence(at, false);
        match std::mem::replace(
            &mut self.nodes[at].turn,
            Turn::Answer(saga_lib::lane::Event::Opened),
        ) {
            Turn::Do(effect) => self.execute(at, effect),
            Turn::Answer(event) => self.answer(at, event, now),
        }
        self.world.state().actor.clear();
    }

    /// Whose turn it is; time passes until somebody is ready.
    fn next(&mut self) -> Option<usize> {
        loop {
            let mut state = self.world.state();
            state.come_late();
            self.services.work(&mut state);
            self.client.work(&mut state);
            let (now, version) = (state.now_ms, state.broker.version);
            let news =
                |n: &Node| n.polls() && n.running.as_ref().is_some_and(|r| r.log().seen != version);
            let ready = |n: &&Node| n.wake_ms <= now || news(n);
            let ready: Vec<_> = self.nodes.iter().filter(ready).map(|n| n.number).collect();
            if !ready.is_empty() {
                let at = state.chance.below(ready.len());
                return Some(ready[at]);
            }
            let nodes = self.nodes.iter().map(|n| n.wake_ms);
            let others = [
                state.next_event(),
                self.services.next_event(),
                self.client.next_event(),
            ];
            let next = nodes.chain(others.into_iter().flatten()).min()?;
            state.now_ms = next.max(now + 1);
        }
    }

    fn start(&mut self, at: usize) {
        let started = self.nodes[at].start(&self.world);
        let mut state = self.world.state();
        state.dying = None;
        let later = state.now_ms + state.chance.ms(50, 300);
        if let Err(error) = started {
            state.tell(|| format!("cannot start: {error}"));
            self.nodes[at].wake_ms = later;
        } else {
            state.tell(|| "starts".to_owned());
        }
    }

    fn execute(&mut self, at: usize, effect: Effect) {
        let mut state = self.world.state();
        state.tell(|| format!("{effect:?}"));
        if state.strikes(Fault::CrashInside) {
            state.dying = Some(state.luck.below(6) as u32);
        }
        drop(state);
        let node = &mut self.nodes[at];
        let event = node.running.as_mut().map(|running| running.execute(effect));
        let mut state = self.world.state();
        state.dying = None;
        // A call that took its time moved the clock of this thread.
        let after = clock::wall_ms() + state.chance.ms(0, 6);
        match event.flatten() {
            Some(event) => {
                state.tell(|| format!("    -> {event:?}"));
                node.turn = Turn::Answer(event);
                node.wake_ms = after;
            }
            None => {
                let wake_ms = state.now_ms + state.luck.ms(50, 4000);
                drop(state);
                self.die(at, wake_ms);
            }
        }
    }

    fn answer(&mut self, at: usize, event: saga_lib::lane::Event, now_ms: i64) {
        let now = Now {
            mono_ms: now_ms,
            wall_ms: now_ms,
        };
        let node = &mut self.nodes[at];
        let Some(effect) = node.running.as_mut().and_then(|r| r.answer(now, event)) else {
            return self.die(at, now_ms + 1000);
        };
        node.wake_ms = match effect {
            Effect::Poll { wait_ms } => now_ms + wait_ms as i64,
            _ => now_ms,
        };
        node.turn = Turn::Do(effect);
        self.stopped(at);
    }

    /// A lane may stop only where somebody must act, and here nobody must.
    fn stopped(&mut self, at: usize) {
        let states = self.nodes[at].running.as_ref().map(|r| r.states());
        for (lane, lane_state) in states.into_iter().flatten() {
            if let LaneState::Stopped(reason) = lane_state {
                let mut state = self.world.state();
                state.broken(format!("lane {lane} stopped: {reason}"));
            }
        }
    }

    // The end.

    /// Why it is not at rest, for people.
    fn unrest(&self) -> String {
        let states: Vec<_> = self
            .nodes
            .iter()
            .filter_map(|n| n.running.as_ref())
            .collect();
        let states: Vec<_> = states.iter().map(|running| running.states()).collect();
        let state = self.world.state();
        let open: Vec<_> = self.journal.open().collect();
        format!(
            "{states:?}, open: {open:?}, lanes rest: {}",
            oracle::lanes_rest(&state)
        )
    }

    /// Has everything ended? If not, operators help those that wait for them.
    fn is_at_rest(&mut self) -> bool {
        let ready = |n: &Node| {
            let states = n.running.as_ref().map(|running| running.states());
            states.is_some_and(|s| s.values().all(|state| *state == LaneState::Ready))
        };
        if !self.nodes.iter().all(ready) {
            return false;
        }
        let mut state = self.world.state();
        let others = [self.services.next_event(), self.client.next_event()];
        let all = others.into_iter().chain([state.next_event()]);
        if all.flatten().next().is_some() || !oracle::lanes_rest(&state) {
            return false;
        }
        self.journal.read_on(&state);
        let open: Vec<_> = self.journal.open().cloned().collect();
        if open.is_empty() && self.journal.ever.len() == self.client.triggered.len() {
            return true;
        }
        if state.now_ms - self.looked_ms > 5000 {
            self.looked_ms = state.now_ms;
            for instance in open {
                match instance.status {
                    Status::Parked => self.client.signal(&mut state, &instance.id, Act::Retry),
                    Status::Suspended => self.client.signal(&mut state, &instance.id, Act::Resume),
                    _ => {}
                }
            }
        }
        false
    }
}
