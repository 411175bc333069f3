//! Plans and transactions, and what becomes of them.
//!
//! Absent on purpose: what the log does (see `log`).

use std::collections::BTreeSet;

use saga_lib::lane::{Event, Failure, Planned};

use super::keep::later;
use super::log::{Body, Refused, Said};
use super::node::Plan;
use super::world::World;

/// Where a poison record fails its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoisonAt {
    Produce,
    Offsets,
    Commit,
}

impl World {
    pub fn plan(
        &mut self,
        at: usize,
        lanes: &[u32],
        refused: &[(u32, i64, String)],
        set_aside: bool,
    ) -> Event {
        if let Some((lane, input, _)) = refused.last() {
            *self.nodes[at]
                .kept(*lane)
                .verdicts
                .entry(*input)
                .or_default() += 1;
        }
        let planned = lanes.iter().map(|lane| {
            let plan = self.plan_lane(at, *lane, set_aside);
            let end = plan.end;
            self.nodes[at].kept(*lane).plan = Some(plan);
            Planned {
                lane: *lane,
                end: Ok(end),
            }
        });
        Event::Planned(planned.collect())
    }

    pub fn plan_lane(&mut self, at: usize, lane: u32, set_aside: bool) -> Plan {
        let kept = self.nodes[at].kept(lane).clone();
        let mut plan = Plan {
            count: kept.count,
            ..Plan::default()
        };
        let mut documents = kept.documents;
        let mut changed = BTreeSet::new();
        for offset in &kept.entries[..kept.taken] {
            let input = self.log.inbox[lane as usize][usize::try_from(*offset).unwrap()].unwrap();
            (plan.end, plan.count) = (*offset + 1, plan.count + 1);
            if set_aside || kept.verdicts.get(offset).is_some_and(|v| *v > 1) {
                plan.outputs.push((*offset, Said::SetAside));
                continue;
            }
            changed.insert(input.key);
            if input.removes {
                documents.remove(&input.key);
            } else {
                documents.entry(input.key).or_default().push(*offset);
            }
            plan.outputs.push((
                *offset,
                if input.removes {
                    Said::Removed
                } else {
                    Said::Applied
                },
            ));
        }
        plan.images = changed
            .into_iter()
            .map(|key| (key, documents.get(&key).cloned()))
            .collect();
        plan
    }

    pub fn begin(&mut self, at: usize) -> Event {
        if !self.nodes[at].is_spared() && self.log_fails(self.faults.begin) {
            return Event::Begun(Err(other("begin")));
        }
        self.nodes[at].in_transaction = true;
        Event::Begun(Ok(()))
    }

    /// Bad luck in a transaction, which does not strike a record twice alone while others go through.
    pub fn fails(&mut self, at: usize, rate: u32) -> bool {
        !self.nodes[at].is_spared() && self.log_fails(rate)
    }

    /// Remembers what may be held against a record.
    pub fn counted<T>(&mut self, at: usize, result: Result<T, Failure>) -> Result<T, Failure> {
        if let (Err(Failure::Other(_)), Some(record)) = (&result, self.nodes[at].alone()) {
            self.nodes[at].struck.entry(record).or_insert(false);
        }
        result
    }

    pub fn poisoned(&self, at: usize, stage: PoisonAt) -> bool {
        let of_lane = |lane: u32, plan: &Plan| {
            plan.outputs.iter().any(|(offset, said)| {
                let input = self.log.inbox[lane as usize][usize::try_from(*offset).unwrap()];
                *said != Said::SetAside && input.unwrap().poison
            })
        };
        let mut plans = self.nodes[at]
            .kept
            .iter()
            .filter_map(|(l, k)| Some((*l, k.plan.as_ref()?)));
        self.poison_at == stage && plans.any(|(lane, plan)| of_lane(lane, plan))
    }

    pub fn produce(&mut self, at: usize, lanes: &[u32]) -> Result<Vec<i64>, Failure> {
        if self.fails(at, self.faults.produce / 2) || self.poisoned(at, PoisonAt::Produce) {
            return Err(other("produce"));
        }
        let (id, epoch, now) = (self.nodes[at].id, self.nodes[at].epoch, self.now);
        let mut headers = Vec::new();
        for lane in lanes {
            let kept = self.nodes[at].kept(*lane).clone();
            let plan = kept.plan.expect("what is produced was planned");
            let txn = self.log.open(id, epoch, now).map_err(refused)?;
            for (offset, said) in &plan.outputs {
                self.log.outputs.push((txn, *lane, *offset, *said));
                let input =
                    self.log.inbox[*lane as usize][usize::try_from(*offset).unwrap()].unwrap();
                let verdicts = kept.verdicts.get(offset).copied().unwrap_or(0);
                if *said != Said::SetAside && input.refusals > verdicts {
                    return Err(Failure::Output {
                        lane: *lane,
                        input: *offset,
                        reason: "refused".to_owned(),
                    });
                }
            }
            for (key, document) in &plan.images {
                self.log
                    .journal(txn, *lane, Body::Image(*key, document.clone()));
            }
            // Some of it is written, some is not.
            if self.fails(at, self.faults.produce / 2) {
                return Err(other("delivery"));
            }
            let (end, count) = (plan.end, plan.count);
            headers.push(self.log.journal(txn, *lane, Body::Header { end, count }));
        }
        Ok(headers)
    }

    pub fn send_offsets(&mut self, at: usize, offsets: &[(u32, i64)]) -> Result<(), Failure> {
        if self.fails(at, self.faults.offsets_before) || self.poisoned(at, PoisonAt::Offsets) {
            return Err(other("offsets"));
        }
        let node = &self.nodes[at];
        let (id, generation) = ((node.id, node.epoch), node.generation.unwrap_or(0));
        self.log
            .send_offsets(id, generation, offsets, self.now)
            .map_err(refused)?;
        if self.fails(at, self.faults.offsets_after) {
            return Err(other("offsets without an answer"));
        }
        Ok(())
    }

    pub fn commit(&mut self, at: usize) -> Result<bool, Failure> {
        let (id, epoch) = (self.nodes[at].id, self.nodes[at].epoch);
        if self.fails(at, self.faults.commit_before) || self.poisoned(at, PoisonAt::Commit) {
            return Err(other("commit lost"));
        }
        if self.fails(at, self.faults.commit_late) {
            self.end_later(id, epoch, true);
            return Err(other("commit without an answer, to come"));
        }
        let slow = self.slow_markers();
        self.log
            .end(id, epoch, true, self.now, slow)
            .map_err(refused)?;
        if self.fails(at, self.faults.commit_after) {
            return Err(other("commit without an answer"));
        }
        let tainted = self.chance.hits(self.faults.commit_tainted);
        if tainted {
            self.end_later(id, epoch, true);
        }
        self.committed(at);
        Ok(tainted)
    }

    pub fn end_later(&mut self, id: usize, epoch: u64, commit: bool) {
        let at_ms = self.now + self.chance.ms(1, 200);
        self.late_ends.push((at_ms, id, epoch, commit));
    }

    pub fn slow_markers(&mut self) -> i64 {
        if self.chance.hits(self.faults.markers) {
            self.chance.ms(0, 400)
        } else {
            0
        }
    }

    pub fn committed(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.in_transaction = false;
        node.went_through();
        for (lane, kept) in &mut node.kept {
            let Some(plan) = kept.plan.take() else {
                continue;
            };
            for (offset, _) in &plan.outputs {
                node.struck.remove(&(*lane, *offset));
            }
            kept.entries.retain(|offset| *offset >= plan.end);
            kept.taken = 0;
            kept.outstanding = Some(plan);
        }
    }

    pub fn abort(&mut self, at: usize) -> Event {
        let (id, epoch) = (self.nodes[at].id, self.nodes[at].epoch);
        if self.log_fails(self.faults.begin) {
            if self.chance.hits(5000) {
                self.end_later(id, epoch, false);
            }
            return Event::Aborted(Err(other("abort")));
        }
        let slow = self.slow_markers();
        let ended = self.log.end(id, epoch, false, self.now, slow);
        self.nodes[at].in_transaction &= ended.is_err();
        Event::Aborted(ended.map_err(refused))
    }

    pub fn replace(&mut self, at: usize) -> Event {
        self.nodes[at].in_transaction = false;
        if self.log_fails(self.faults.replace) {
            return Event::Replaced(Err(later()));
        }
        let id = self.nodes[at].id;
        self.nodes[at].epoch = self.log.init(id, self.now);
        Event::Replaced(Ok(()))
    }

    pub fn probe(&mut self, at: usize, lane: u32) -> bool {
        let (id, epoch, now) = (self.nodes[at].id, self.nodes[at].epoch, self.now);
        if self.log_fails(self.faults.produce) {
            return false;
        }
        let Ok(txn) = self.log.open(id, epoch, now) else {
            return false;
        };
        self.log.journal(txn, lane, Body::Probe);
        if self.log_fails(self.faults.begin) {
            return false;
        }
        let slow = self.slow_markers();
        let went = self.log.end(id, epoch, false, now, slow).is_ok();
        if went {
            self.nodes[at].went_through();
        }
        went
    }
}

fn other(what: &str) -> Failure {
    Failure::Other(what.to_owned())
}

fn refused(refused: Refused) -> Failure {
    match refused {
        Refused::Fenced | Refused::Generation => Failure::Ownership(format!("{refused:?}")),
        Refused::State => other("state"),
    }
}
