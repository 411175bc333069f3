//! The model world: workers, time, faults of whole parts, and the order in which everything happens.
//!
//! A run has two phases: with faults, then healed until everything is at rest. Between any two effects anything may happen.
//!
//! Absent on purpose: what a single effect does (see `act`), and what must hold (see `verdict`).

use std::collections::{BTreeMap, VecDeque};

use saga_lib::lane::{Effect, Event, Now};

use super::chance::{Chance, Faults};
use super::log::{Input, Log};
use super::node::{Node, Turn};
use super::store::{Script, Store};
use super::transact::PoisonAt;

/// A member that is silent for longer leaves the group, ms.
const SESSION_MS: i64 = 2000;
/// Steps after which a healed world must be at rest.
const HEALED_STEPS: usize = 20_000;

#[derive(Debug)]
pub struct World {
    pub chance: Chance,
    pub faults: Faults,
    pub now: i64,
    pub log: Log,
    pub store: Store,
    pub nodes: Vec<Node>,
    pub poison_at: PoisonAt,
    pub late_scripts: Vec<(i64, Script)>,
    pub late_ends: Vec<(i64, usize, u64, bool)>,
    /// Does this world have poison, refusals, removals? Rates.
    kinds: [u32; 3],
    store_out_until: i64,
    log_out_until: i64,
    /// What is wrong, first thing first.
    pub wrong: Option<String>,
    story: VecDeque<String>,
    story_lines: usize,
    pub steps: usize,
    /// How often each effect was asked for or told.
    pub visits: BTreeMap<String, u32>,
}

impl World {
    /// A world whose story keeps so many lines (0: none, which is faster).
    pub fn new(seed: u64, story_lines: usize) -> Self {
        let mut chance = Chance::new(seed);
        let faults = Faults::draw(&mut chance);
        let lanes = 1 + chance.below(3);
        let poison_at = [PoisonAt::Produce, PoisonAt::Offsets, PoisonAt::Commit][chance.below(3)];
        let kinds = [400, 1000, 3000].map(|rate| if chance.below(2) == 0 { rate } else { 0 });
        Self {
            faults,
            now: 1_000_000,
            log: Log::new(lanes, 2),
            store: Store::new(lanes),
            nodes: (0..2).map(Node::new).collect(),
            poison_at,
            late_scripts: Vec::new(),
            late_ends: Vec::new(),
            kinds,
            store_out_until: 0,
            log_out_until: 0,
            wrong: None,
            story: VecDeque::new(),
            story_lines,
            steps: 0,
            visits: BTreeMap::new(),
            chance,
        }
    }

    /// Both phases; what is wrong, if anything is.
    pub fn run(&mut self) -> Option<String> {
        let steps = 100 + self.chance.below(500);
        while self.steps < steps && self.wrong.is_none() {
            self.misfortune();
            self.step();
        }
        self.heal();
        while self.wrong.is_none() && !(self.steps.is_multiple_of(8) && self.at_rest()) {
            self.step();
            if self.steps > steps + HEALED_STEPS {
                let states: Vec<_> = self.nodes.iter().map(|n| n.machine.states()).collect();
                self.broken(format!("does not come to rest: {states:?}"));
            }
        }
        if self.wrong.is_none() {
            self.wrong = self.judge().err();
        }
        self.wrong.clone()
    }

    /// The last events, numbered.
    pub fn story(&self) -> String {
        let lines: Vec<_> = self.story.iter().map(String::as_str).collect();
        lines.join("\n")
    }

    pub fn broken(&mut self, what: String) {
        self.tell(|| format!("WRONG: {what}"));
        self.wrong.get_or_insert(what);
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.story_lines == 0 {
            return;
        }
        let (step, now) = (self.steps, self.now);
        self.story.push_back(format!("{step:5} {now} {}", line()));
        if self.story.len() > self.story_lines {
            self.story.pop_front();
        }
    }

    // Faults.

    pub fn store_out(&self) -> bool {
        self.now < self.store_out_until
    }

    pub fn log_out(&self) -> bool {
        self.now < self.log_out_until
    }

    pub fn log_fails(&mut self, rate: u32) -> bool {
        self.log_out() || self.chance.hits(rate)
    }

    /// What happens to whole parts of the world.
    fn misfortune(&mut self) {
        let faults = self.faults;
        if self.chance.hits(500) {
            self.arrive();
        }
        if self.chance.hits(300) {
            self.store.snapshot();
        }
        if self.chance.hits(faults.flush_all) {
            self.tell(|| "store loses everything".to_owned());
            self.store.flush_all();
        }
        if self.chance.hits(faults.store_back) && self.store.snapshots() > 0 {
            self.tell(|| "store goes back".to_owned());
            let oldest = self.chance.hits(3000);
            let to = if oldest {
                0
            } else {
                self.chance.below(self.store.snapshots())
            };
            self.store.go_back(to);
        }
        if self.chance.hits(faults.store_outage) {
            self.store_out_until = self.now + self.chance.ms(100, 4000);
        }
        if self.chance.hits(faults.log_outage) {
            self.tell(|| "log does not answer".to_owned());
            self.log_out_until = self.now + self.chance.ms(100, 4000);
        }
        if self.chance.hits(faults.compact) {
            let lane = u32::try_from(self.chance.below(self.log.inbox.len())).unwrap();
            self.tell(|| format!("journal {lane} is compacted"));
            self.log.compact(lane, self.now);
        }
        if self.chance.hits(faults.leap) {
            self.tell(|| "time leaps".to_owned());
            self.now += self.chance.ms(1000, 25_000);
        }
        self.misfortune_of_workers();
    }

    fn misfortune_of_workers(&mut self) {
        let faults = self.faults;
        let at = self.chance.below(self.nodes.len());
        if self.chance.hits(faults.rebalance) && !self.log.members.is_empty() {
            self.tell(|| "group moves lanes".to_owned());
            self.log.rotate();
            self.wake_pollers();
        }
        if self.chance.hits(faults.crash) && self.nodes[at].alive {
            self.crash(at);
        }
        if self.chance.hits(faults.freeze) && self.nodes[at].alive {
            let until = self.now + self.chance.ms(100, 8000);
            self.tell(|| format!("w{at} stands still until {until}"));
            self.nodes[at].wake_ms = until;
            self.nodes[at].evict_ms = Some(self.now + SESSION_MS);
        }
        if self.chance.hits(faults.rebuild) {
            let lane = u32::try_from(self.chance.below(self.log.inbox.len())).unwrap();
            if matches!(self.nodes[at].turn, Turn::Do(Effect::Poll { .. })) {
                self.tell(|| format!("w{at} is told to rebuild lane {lane}"));
                self.nodes[at].machine.rebuild(lane);
            }
        }
    }

    fn crash(&mut self, at: usize) {
        self.tell(|| format!("w{at} dies"));
        let wake_ms = self.now + self.chance.ms(50, 4000);
        let evict_ms = self.nodes[at].evict_ms.unwrap_or(self.now + SESSION_MS);
        self.nodes[at] = Node {
            wake_ms,
            evict_ms: Some(evict_ms),
            ..Node::new(at)
        };
    }

    /// A dead worker starts: producers first, then the group.
    fn restart(&mut self, at: usize) {
        if self.log.members.is_empty() && self.chance.hits(self.faults.expire) {
            self.tell(|| "group offsets expire".to_owned());
            self.log.expire();
        }
        if self.log_fails(self.faults.replace) {
            self.nodes[at].wake_ms = self.now + self.chance.ms(50, 500);
            return;
        }
        self.tell(|| format!("w{at} starts"));
        self.nodes[at].epoch = self.log.init(at, self.now);
        self.nodes[at].alive = true;
        self.nodes[at].evict_ms = None;
        self.log.join(at);
        self.wake_pollers();
    }

    fn arrive(&mut self) {
        let lane = self.chance.below(self.log.inbox.len());
        for _ in 0..=self.chance.below(4) {
            let input = Input {
                key: u8::try_from(self.chance.below(3)).unwrap(),
                poison: self.chance.hits(self.kinds[0]),
                refusals: if self.chance.hits(self.kinds[1]) {
                    1 + u32::try_from(self.chance.below(2)).unwrap()
                } else {
                    0
                },
                removes: self.chance.hits(self.kinds[2]),
            };
            self.log.inbox[lane].push(Some(input));
        }
        if self.chance.hits(2000) {
            self.log.inbox[lane].push(None);
        }
        self.wake_pollers();
    }

    fn heal(&mut self) {
        self.tell(|| "healed".to_owned());
        self.faults = Faults::default();
        (self.store_out_until, self.log_out_until) = (0, 0);
    }

    // Time.

    /// One thing happens.
    fn step(&mut self) {
        self.steps += 1;
        self.pass_time();
        let ready: Vec<_> = (0..self.nodes.len())
            .filter(|at| self.nodes[*at].wake_ms <= self.now)
            .collect();
        let at = ready[self.chance.below(ready.len())];
        if !self.nodes[at].alive {
            return self.restart(at);
        }
        self.nodes[at].evict_ms = None;
        let turn = std::mem::replace(&mut self.nodes[at].turn, Turn::Answer(Event::Opened));
        match turn {
            Turn::Do(effect) => self.execute(at, effect),
            Turn::Answer(event) => self.answer(at, event),
        }
    }

    fn execute(&mut self, at: usize, effect: Effect) {
        self.tell(|| format!("w{at} {effect:?}"));
        let (event, cost) = self.act(at, effect);
        self.tell(|| format!("w{at}     -> {event:?}"));
        self.nodes[at].turn = Turn::Answer(event);
        self.nodes[at].wake_ms = self.now + cost;
    }

    fn answer(&mut self, at: usize, event: Event) {
        let now = Now {
            mono_ms: self.now,
            wall_ms: self.now,
        };
        let mut effects = self.nodes[at].machine.step(now, event);
        let asked = effects.pop().unwrap();
        for effect in effects {
            self.visit(&effect);
            self.tell(|| format!("w{at}   told {effect:?}"));
            self.told(at, effect);
        }
        self.visit(&asked);
        self.nodes[at].wake_ms = self.now;
        if let Effect::Poll { wait_ms } = asked
            && !self.has_news(at)
        {
            self.nodes[at].wake_ms += i64::try_from(wait_ms).unwrap();
        }
        self.nodes[at].turn = Turn::Do(asked);
    }

    fn visit(&mut self, effect: &Effect) {
        if self.story_lines == 0 {
            return;
        }
        let words = format!("{effect:?}");
        let name = words.split(|c: char| !c.is_alphanumeric()).next();
        let name = name.unwrap_or_default();
        let special = match effect {
            Effect::Plan {
                set_aside: Some(_), ..
            } => "set aside",
            Effect::Recovering { cause, .. } | Effect::Transaction { outcome: cause } => cause,
            Effect::Apply(chunk) if chunk.expect.wm == chunk.target.wm => "chunk",
            _ => "",
        };
        *self.visits.entry(format!("{name} {special}")).or_default() += 1;
    }

    /// Time goes on until somebody can do something.
    fn pass_time(&mut self) {
        self.now += self.chance.ms(0, 3);
        let next = self.nodes.iter().map(|n| n.wake_ms).min().unwrap();
        self.now = self.now.max(next);
        self.log.tick(self.now);
        let now = self.now;
        for at in 0..self.nodes.len() {
            if self.nodes[at].evict_ms.is_some_and(|evict| evict <= now) {
                self.nodes[at].evict_ms = None;
                self.log.leave(self.nodes[at].id);
                self.wake_pollers();
            }
        }
        self.late_requests();
    }

    fn late_requests(&mut self) {
        let now = self.now;
        while let Some(i) = self.late_scripts.iter().position(|(at, _)| *at <= now) {
            let (_, script) = self.late_scripts.swap_remove(i);
            self.tell(|| format!("store executes late {script:?}"));
            self.store.run(script);
        }
        while let Some(i) = self.late_ends.iter().position(|(at, ..)| *at <= now) {
            let (_, id, epoch, commit) = self.late_ends.swap_remove(i);
            let ended = self.log.end(id, epoch, commit, now, 0);
            self.tell(|| format!("log takes a late end of w{id}: {ended:?}"));
        }
    }

    /// A poll that waits returns when something comes; one that stands still does not.
    pub fn wake_pollers(&mut self) {
        for node in &mut self.nodes {
            if matches!(node.turn, Turn::Do(Effect::Poll { .. }))
                && node.alive
                && node.evict_ms.is_none()
            {
                node.wake_ms = node.wake_ms.min(self.now);
            }
        }
    }

    /// Does the group say that this worker owns the lane, and does the worker know?
    pub fn is_owner(&self, at: usize, lane: u32) -> bool {
        let node = &self.nodes[at];
        node.generation == Some(self.log.generation)
            && self.log.members.contains(&node.id)
            && self.log.assigned(node.id).contains(&lane)
    }
}
