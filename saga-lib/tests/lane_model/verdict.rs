//! What must hold when everything is at rest.
//!
//! Absent on purpose: what must hold at any time, which the world says where it happens.

use std::collections::BTreeMap;

use saga_lib::lane::LaneState;

use super::log::{Body, Document, Fate, Said};
use super::world::World;

impl World {
    /// Everything applied, by log and store, and every lane ready?
    pub fn at_rest(&self) -> bool {
        let lanes = 0..u32::try_from(self.log.inbox.len()).unwrap();
        let quiet = self.late_scripts.is_empty() && self.late_ends.is_empty();
        quiet
            && self.nodes.iter().all(|n| n.alive && n.evict_ms.is_none())
            && lanes.into_iter().all(|l| self.lane_rests(l))
    }

    fn lane_rests(&self, lane: u32) -> bool {
        let owner = (0..self.nodes.len()).find(|at| self.is_owner(*at, lane));
        let state = owner.and_then(|at| self.nodes[at].machine.states().remove(&lane));
        let end = self.log.inbox[lane as usize]
            .iter()
            .rposition(Option::is_some);
        let end = end.map(|at| i64::try_from(at).unwrap() + 1);
        // Where offsets expired and nothing came since, none is committed.
        let committed = self
            .log
            .stable_offset(lane)
            .is_some_and(|c| c.is_none_or(|(c, _)| Some(c) == end));
        let marked = self.log.stable_end(lane) == self.log.journal[lane as usize].len();
        state == Some(LaneState::Ready)
            && committed
            && marked
            && self.store.lanes[lane as usize].position.wm == end
    }

    /// Is everything as if nothing had gone wrong?
    pub fn judge(&self) -> Result<(), String> {
        for lane in 0..u32::try_from(self.log.inbox.len()).unwrap() {
            let said = self.said_once(lane)?;
            let expected = self.expected(lane, &said);
            let fold = self.fold(lane);
            check(fold == expected, || {
                format!("lane {lane}: journal {fold:?}, expected {expected:?}")
            })?;
            let stored = &self.store.lanes[lane as usize];
            let documents = &stored.documents;
            check(*documents == fold, || {
                format!("lane {lane}: store {documents:?}, journal {fold:?}")
            })?;
            let (count, inputs) = (stored.count, i64::try_from(said.len()).unwrap());
            check(count == inputs, || {
                format!("lane {lane}: counted {count} of {inputs}")
            })?;
        }
        Ok(())
    }

    /// What the committed outputs say of each input: exactly one thing.
    fn said_once(&self, lane: u32) -> Result<BTreeMap<i64, Said>, String> {
        let mut found = BTreeMap::new();
        for (txn, l, offset, said) in &self.log.outputs {
            let committed = matches!(
                self.log.txns[*txn].fate,
                Fate::Committed | Fate::Ending(true)
            );
            if *l == lane && committed && found.insert(*offset, *said).is_some() {
                return Err(format!("lane {lane}: input {offset} was answered twice"));
            }
        }
        for (offset, input) in self.log.inbox[lane as usize].iter().enumerate() {
            let Some(input) = input else { continue };
            let said = found.get(&i64::try_from(offset).unwrap());
            let said = said.ok_or_else(|| format!("lane {lane}: input {offset} was missed"))?;
            let guilty = input.poison || input.refusals > 1;
            check(*said != Said::SetAside || guilty, || {
                format!("lane {lane}: honest input {offset} was set aside")
            })?;
            check(*said == Said::SetAside || !input.poison, || {
                format!("lane {lane}: poison {offset} went through")
            })?;
        }
        Ok(found)
    }

    /// The fold of the inbox.
    fn expected(&self, lane: u32, said: &BTreeMap<i64, Said>) -> BTreeMap<u8, Document> {
        let mut documents = BTreeMap::new();
        for (offset, said) in said {
            let input = self.log.inbox[lane as usize][usize::try_from(*offset).unwrap()].unwrap();
            match said {
                Said::Applied => documents
                    .entry(input.key)
                    .or_insert_with(Vec::new)
                    .push(*offset),
                Said::Removed => drop(documents.remove(&input.key)),
                Said::SetAside => {}
            }
        }
        documents
    }

    /// The fold of the committed journal.
    fn fold(&self, lane: u32) -> BTreeMap<u8, Document> {
        let mut documents = BTreeMap::new();
        let (records, _) = self.log.read(lane, 0, i64::MAX, usize::MAX);
        for (_, body) in records {
            match body {
                Body::Image(key, Some(document)) => drop(documents.insert(key, document)),
                Body::Image(key, None) => drop(documents.remove(&key)),
                _ => {}
            }
        }
        documents
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
