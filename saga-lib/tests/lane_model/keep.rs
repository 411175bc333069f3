//! Calls of the store, and what becomes of them.
//!
//! Absent on purpose: what the scripts do (see `store`).

use saga_lib::lane::{Event, Round, StoreCommit, Trouble};

use super::node::Chunk;
use super::store::{Answered, Script};
use super::world::World;

impl World {
    pub fn claimed(&mut self, script: Script) -> Event {
        Event::Claimed(match self.store_call(script) {
            Some(Answered::Position(position)) => Ok(position),
            _ => Err(later()),
        })
    }

    pub fn clear(&mut self, lane: u32, ep: u64) -> Event {
        let most = 1 + self.chance.below(3);
        let at_ms = self.now;
        Event::Cleared(
            match self.store_call(Script::Clear {
                lane,
                ep,
                at_ms,
                most,
            }) {
                Some(Answered::Clear(Some(empty))) => Ok(empty),
                _ => Err(later()),
            },
        )
    }

    pub fn apply(&mut self, at: usize, commit: StoreCommit) -> Event {
        let owner = self.nodes[at].name();
        let chunk = self.nodes[at].kept(commit.lane).chunks.pop_front();
        let Chunk { images, count } = chunk.expect("a chunk is applied only if one was read");
        Event::Applied(
            match self.store_call(Script::Commit {
                commit,
                owner,
                images,
                count,
            }) {
                Some(Answered::Commit(answer)) => Ok(answer),
                _ => Err(later()),
            },
        )
    }

    /// One script, with what may become of it.
    pub fn store_call(&mut self, script: Script) -> Option<Answered> {
        if self.store_out() || self.chance.hits(self.faults.store_before) {
            return None;
        }
        if self.chance.hits(self.faults.store_late) {
            let at_ms = self.now + self.chance.ms(1, 3000);
            self.late_scripts.push((at_ms, script));
            return None;
        }
        let answered = self.store.run(script);
        (!self.chance.hits(self.faults.store_after)).then_some(answered)
    }

    pub fn round(
        &mut self,
        at: usize,
        commits: &[StoreCommit],
        loads: &[(u32, i64, u32)],
    ) -> Result<Round, Trouble> {
        if self.nodes[at].in_transaction {
            self.broken("called the store with an open transaction".to_owned());
        }
        let mut answers = Vec::new();
        for commit in commits {
            let script = self.script_of(at, *commit);
            match self.store_call(script) {
                Some(Answered::Commit(answer)) => answers.push(answer),
                _ => return Err(later()),
            }
        }
        if self.store_out() || self.chance.hits(self.faults.store_before) {
            return Err(later());
        }
        for commit in commits {
            self.nodes[at].kept(commit.lane).outstanding = None;
        }
        let positions = loads.iter().map(|load| self.load(at, *load)).collect();
        Ok(Round { answers, positions })
    }

    pub fn script_of(&mut self, at: usize, commit: StoreCommit) -> Script {
        let owner = self.nodes[at].name();
        let write = self.nodes[at].kept(commit.lane).outstanding.clone();
        let write = write.expect("a store commit belongs to a committed plan");
        Script::Commit {
            commit,
            owner,
            images: write.images,
            count: Some(write.count),
        }
    }

    pub fn load(
        &mut self,
        at: usize,
        (lane, from, records): (u32, i64, u32),
    ) -> saga_lib::lane::Position {
        let stored = self.store.lanes[lane as usize].clone();
        let kept = self.nodes[at].kept(lane);
        if records > 0 {
            kept.entries.retain(|offset| *offset >= from);
            kept.taken = kept.entries.len().min(records as usize);
            kept.verdicts.clear();
            kept.plan = None;
            kept.documents = stored.documents;
            kept.count = stored.count;
        }
        stored.position
    }
}

/// The usual trouble.
pub fn later() -> Trouble {
    Trouble::Later("no answer".to_owned())
}
