//! The simulated store: the memory store behind a network that loses, repeats and delays.
//!
//! Absent on purpose: what scripts do, which is the memory store's and passes the same conformance tests as Redis.

use std::collections::BTreeMap;
use std::time::Duration;

use connectors::memory::store::{MemoryStore, MemoryStoreServer};
use connectors::store::{Answer, Commit, Due, Error, Lease, Load, Loaded, Position, Store};
use orchestrator::clock;

use super::fault::Fault;
use super::world::{APP, State, World};

/// A script on its way.
#[derive(Debug, Clone)]
pub enum Script {
    Claim(u32, String),
    Commit(Box<Commit>),
    Clear(u32, u64, i64, usize),
}

impl Script {
    /// Executes it, whoever sent it and whenever.
    pub fn run(self, server: &MemoryStoreServer) {
        let Ok(mut store) = MemoryStore::open(server, APP) else {
            return;
        };
        // Nobody waits for the answer.
        match self {
            Self::Claim(lane, owner) => drop(store.claim(lane, &owner)),
            Self::Commit(commit) => drop(store.round(&[*commit], &[])),
            Self::Clear(lane, ep, at_ms, max) => drop(store.clear(lane, ep, at_ms, max)),
        }
    }
}

/// One worker's view of the store.
#[derive(Debug)]
pub struct SimStore {
    world: World,
    memory: MemoryStore,
}

fn unavailable(state: &mut State) -> Error {
    let wait = state.luck.ms(1, 300);
    clock::sleep(Duration::from_millis(wait as u64));
    Error::Unavailable {
        reason: "simulated".to_owned(),
    }
}

impl SimStore {
    /// Executes a script, or loses it or its answer.
    fn script<T>(
        &mut self,
        script: impl FnOnce() -> Script,
        run: impl FnOnce(&mut MemoryStore) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut state = self.world.call("script");
        if state.store_is_out() || state.strikes(Fault::StoreLost) {
            return Err(unavailable(&mut state));
        }
        if state.strikes(Fault::StoreLate) {
            let at_ms = state.now_ms + state.luck.ms(1, 3000);
            state.late_scripts.push((at_ms, script()));
            return Err(unavailable(&mut state));
        }
        let answer = run(&mut self.memory);
        state.dump();
        if state.strikes(Fault::StoreAnswerLost) {
            return Err(unavailable(&mut state));
        }
        answer
    }

    fn read<T>(
        &mut self,
        run: impl FnOnce(&mut MemoryStore) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut state = self.world.call("store.read");
        if state.store_is_out() || state.strikes(Fault::StoreLost) {
            return Err(unavailable(&mut state));
        }
        run(&mut self.memory)
    }
}

impl Store for SimStore {
    type Server = World;

    fn open(server: &World, app: &str) -> Result<Self, Error> {
        let memory = MemoryStore::open(&server.state().server, app)?;
        Ok(Self {
            world: server.clone(),
            memory,
        })
    }

    fn claim(&mut self, lane: u32, owner: &str) -> Result<Position, Error> {
        let script = || Script::Claim(lane, owner.to_owned());
        self.script(script, |memory| memory.claim(lane, owner))
    }

    fn round(
        &mut self,
        commits: &[Commit],
        loads: &[Load],
    ) -> Result<(Vec<Answer>, Vec<Loaded>), Error> {
        let mut answers = Ok(Vec::new());
        for commit in commits {
            let script = || Script::Commit(Box::new(commit.clone()));
            let answer = self.script(script, |memory| {
                memory.round(std::slice::from_ref(commit), &[])
            });
            // As in a pipeline, a failed one keeps none of the others from being executed.
            answers = answers.and_then(|mut all: Vec<_>| {
                all.extend(answer?.0);
                Ok(all)
            });
        }
        let answers = answers?;
        let loaded = self.read(|memory| Ok(memory.round(&[], loads)?.1))?;
        Ok((answers, loaded))
    }

    fn position(&mut self, lane: u32) -> Result<Position, Error> {
        self.read(|memory| memory.position(lane))
    }

    fn clear(&mut self, lane: u32, ep: u64, at_ms: i64, max: usize) -> Result<bool, Error> {
        // Small pages, so that a rebuild can be disturbed between two of them.
        let max = max.min(2);
        let script = || Script::Clear(lane, ep, at_ms, max);
        self.script(script, |memory| memory.clear(lane, ep, at_ms, max))
    }

    fn due_ids(
        &mut self,
        lane: u32,
        from_ms: Option<i64>,
        until_ms: i64,
        max: usize,
    ) -> Result<Vec<(String, i64)>, Error> {
        self.read(|memory| memory.due_ids(lane, from_ms, until_ms, max))
    }

    fn due_of(&mut self, lane: u32, ids: Vec<String>, until_ms: i64) -> Result<Vec<Due>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|memory| memory.due_of(lane, ids, until_ms))
    }

    fn document(&mut self, lane: u32, id: &str) -> Result<Option<Vec<u8>>, Error> {
        self.read(|memory| memory.document(lane, id))
    }

    fn ids(
        &mut self,
        lane: u32,
        name: &str,
        status: char,
        max: usize,
    ) -> Result<Vec<String>, Error> {
        self.read(|memory| memory.ids(lane, name, status, max))
    }

    fn scan(&mut self, lane: u32, cursor: u64) -> Result<(Vec<String>, u64), Error> {
        self.read(|memory| memory.scan(lane, cursor))
    }

    fn counters(&mut self, lane: u32) -> Result<BTreeMap<String, i64>, Error> {
        self.read(|memory| memory.counters(lane))
    }

    /// Names are never taken here: what a lease is for has tests of its own.
    fn lease(&mut self, _: &str, _: &str, _: Duration) -> Result<Lease, Error> {
        Ok(Lease::Held)
    }

    fn release(&mut self, _: &str, _: &str) -> Result<(), Error> {
        Ok(())
    }
}
