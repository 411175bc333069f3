//! What all instances share: the log, the store, time, faults, and the memory of what happened.
//!
//! Absent on purpose: the instances themselves (see `node`) and who goes next (see `run`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use connectors::memory::store::MemoryStoreServer;
use orchestrator::clock;
use schemas::record::Partition;
use schemas::topics::Topics;

use super::broker::Broker;
use super::chance::{Chance, Luck};
use super::fault::Fault;
use super::store::Script;

/// The app of every world.
pub const APP: &str = "sim";
/// Installation of every world.
pub const INSTALLATION: &str = "5f3c2b0e-0000-4000-8000-000000000001";
/// A day in July 2026, when every world begins.
pub const EPOCH_MS: i64 = 1_783_000_000_000;
/// Deletions stay in the journal for so long, ms.
pub const DELETIONS_MS: i64 = 40_000;
/// Dumps of the store that are kept.
const DUMPS: usize = 6;

/// A request to end a transaction that is still on its way.
#[derive(Debug)]
pub struct LateEnd {
    pub at_ms: i64,
    pub id: String,
    pub epoch: u64,
    pub committed: bool,
}

/// The state of everything but the instances.
#[derive(Debug)]
pub struct State {
    pub names: Topics,
    pub lanes: u32,
    pub now_ms: i64,
    pub chance: Chance,
    pub luck: Luck,
    pub broker: Broker,
    pub server: MemoryStoreServer,
    dumps: Vec<MemoryStoreServer>,
    pub late_scripts: Vec<(i64, Script)>,
    pub late_ends: Vec<LateEnd>,
    /// Ended transactions whose markers are not written: when, and whose.
    pub markers: Vec<(i64, String)>,
    store_out_until: i64,
    log_out_until: i64,
    /// Calls until the instance that runs now dies in the middle of its step.
    pub dying: Option<u32>,
    /// The first thing that is wrong.
    pub wrong: Option<String>,
    /// A hash over everything that happened.
    pub trace: u64,
    story: Option<Vec<String>>,
    /// Who runs now.
    pub actor: String,
}

/// The world, shared by all that happens in one thread.
#[derive(Debug, Clone)]
pub struct World(Arc<Mutex<State>>);

/// Thrown through an instance that dies in the middle of a step.
pub struct Died;

impl World {
    /// A world without topics.
    pub fn new(chance: Chance, luck: Luck, lanes: u32, story: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            names: Topics::new(APP).expect("a legal name"),
            lanes,
            now_ms: EPOCH_MS,
            chance,
            luck,
            broker: Broker::default(),
            server: MemoryStoreServer::default(),
            dumps: Vec::new(),
            late_scripts: Vec::new(),
            late_ends: Vec::new(),
            markers: Vec::new(),
            store_out_until: 0,
            log_out_until: 0,
            dying: None,
            wrong: None,
            trace: 0,
            story: story.then(Vec::new),
            actor: String::new(),
        })))
    }

    /// The state; nobody else holds it, for there is one thread.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An instance makes a call. One that is to die now does not come back from here.
    pub fn call(&self, what: &'static str) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.note(what, 0);
        if let Some(left) = &mut state.dying {
            if *left == 0 {
                state.tell(|| format!("dies before `{what}`"));
                drop(state);
                // No hook is called: this panic is no failure.
                std::panic::resume_unwind(Box::new(Died));
            }
            *left -= 1;
        }
        state
    }
}

impl State {
    /// Something happened.
    pub fn note(&mut self, what: &'static str, detail: u64) {
        let mut hash = self.trace ^ detail;
        for byte in what.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.trace = (hash ^ self.now_ms as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// Adds a line to the story, if one is kept.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        let (now, actor) = (self.now_ms - EPOCH_MS, &self.actor);
        if let Some(story) = &mut self.story {
            story.push(format!("{now:>8} {actor:<10} {}", line()));
        }
    }

    /// The story so far.
    pub fn story(&mut self) -> Vec<String> {
        self.story.take().unwrap_or_default()
    }

    /// A promise is broken.
    pub fn broken(&mut self, what: String) {
        self.tell(|| format!("WRONG: {what}"));
        self.wrong.get_or_insert(what);
    }

    /// Does this fault strike now?
    pub fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = self.luck.strikes(fault);
        if strikes {
            self.note("fault", fault as u64);
            self.tell(|| format!("  ! {fault:?}"));
        }
        strikes
    }

    /// Does a call of the log fail, by this fault or because nothing is answered?
    pub fn log_fails(&mut self, fault: Fault) -> bool {
        self.log_is_out() || self.strikes(fault)
    }

    /// Does the log answer nothing?
    pub fn log_is_out(&self) -> bool {
        clock::wall_ms() < self.log_out_until
    }

    /// Does the store answer nothing?
    pub fn store_is_out(&self) -> bool {
        clock::wall_ms() < self.store_out_until
    }

    /// What happens to whole parts, by chance.
    pub fn misfortune(&mut self) {
        if self.strikes(Fault::StoreFlushed) {
            self.server.flush_all();
        }
        if !self.dumps.is_empty() && self.strikes(Fault::StoreBack) {
            // Mostly a few writes are lost, sometimes many.
            let at = self.dumps.len() - 1 - self.luck.below(self.dumps.len());
            self.server.restore(&self.dumps[at]);
            self.dumps.truncate(at + 1);
        }
        if self.strikes(Fault::StoreOutage) {
            self.store_out_until = self.now_ms + self.luck.ms(100, 4000);
        }
        if self.strikes(Fault::LogOutage) {
            self.log_out_until = self.now_ms + self.luck.ms(100, 4000);
        }
        if self.strikes(Fault::TransactionTimesOut) {
            self.broker.hurry();
        }
        if self.strikes(Fault::Compaction) {
            self.compact();
        }
        if self.strikes(Fault::Rebalance) {
            self.broker
                .groups
                .values_mut()
                .for_each(|group| group.turn());
            self.broker.version += 1;
        }
    }

    fn compact(&mut self) {
        let (journal, lane) = (self.names.journal(), self.luck.below(self.lanes as usize));
        let partition = Partition::new(journal, lane as u32);
        let written_ms = self.now_ms - self.luck.ms(0, 2000);
        let deleted_ms = self.now_ms - DELETIONS_MS;
        self.broker.compact(&partition, written_ms, deleted_ms);
    }

    /// The store was written: a dump may be kept.
    pub fn dump(&mut self) {
        if !self.luck.is_possible(Fault::StoreBack) || !self.chance.hits(3000) {
            return;
        }
        if self.dumps.len() == DUMPS {
            // The oldest stays: a store may go back far.
            let at = 1 + self.chance.below(DUMPS - 1);
            self.dumps.remove(at);
        }
        self.dumps.push(self.server.copy());
    }

    /// What comes late comes when its time is there.
    pub fn come_late(&mut self) {
        let now = self.now_ms;
        for (_, id) in self.markers.extract_if(.., |(at, _)| *at <= now) {
            self.broker.settle(&id);
        }
        let ends: Vec<_> = self.late_ends.extract_if(.., |e| e.at_ms <= now).collect();
        for late in ends {
            let (id, committed) = (&late.id, late.committed);
            let hit = self.broker.end(id, late.epoch, committed) == Ok(true);
            self.broker.settle(id);
            self.tell(|| format!("late end of {id}: committed {committed}, hit {hit}"));
        }
        let scripts: Vec<_> = self
            .late_scripts
            .extract_if(.., |(at, _)| *at <= now)
            .collect();
        for (_, script) in scripts {
            self.tell(|| format!("late {script:?}"));
            script.run(&self.server);
        }
        for id in self.broker.expire(now) {
            self.tell(|| format!("transaction of {id} timed out"));
        }
        if self
            .broker
            .groups
            .values_mut()
            .any(|group| group.evict(now))
        {
            self.broker.version += 1;
        }
    }

    /// When the next of these things happens.
    pub fn next_event(&self) -> Option<i64> {
        let markers = self.markers.iter().map(|(at, _)| *at);
        let ends = self.late_ends.iter().map(|end| end.at_ms);
        let scripts = self.late_scripts.iter().map(|(at, _)| *at);
        let groups = self
            .broker
            .groups
            .values()
            .filter_map(|g| g.next_eviction());
        let all = markers.chain(ends).chain(scripts).chain(groups);
        all.chain(self.broker.next_expiry()).min()
    }

    /// Nothing goes wrong any more.
    pub fn heal(&mut self) {
        self.tell(|| "-- healed --".to_owned());
        self.luck.heal();
        (self.store_out_until, self.log_out_until) = (0, 0);
    }
}
