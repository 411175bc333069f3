//! What a worker's shell does with effects, and what goes wrong with each.
//!
//! Absent on purpose: time and fates of whole workers (see `world`).

use saga_lib::lane::{
    Answer, Effect, Event, Failure, JournalRead, Planned, Round, Sample, Stable, StoreCommit,
    Trouble, Waiting,
};

use super::log::{Body, Refused, Said};
use super::node::{Chunk, Plan};
use super::store::{Answered, Script};
use super::world::World;

/// Where a poison record fails its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoisonAt {
    Produce,
    Offsets,
    Commit,
}

impl World {
    /// Executes an effect of a worker; the answer and how long it took.
    pub fn act(&mut self, at: usize, effect: Effect) -> (Event, i64) {
        let cost = self.chance.ms(0, 6);
        let event = match effect {
            Effect::Poll { .. } => self.poll(at),
            Effect::Claim { lane } => {
                let owner = self.nodes[at].name();
                self.claimed(Script::Claim { lane, owner })
            }
            Effect::ReadOffset { lane } => Event::Offset(self.read_offset(lane)),
            Effect::Fence { ids } => self.fence(at, &ids),
            Effect::Sample { lane } => Event::Sampled(self.sample(lane)),
            Effect::Clear { lane, ep } => self.clear(lane, ep),
            Effect::ReadJournal { lane, from, to } => {
                Event::JournalRead(self.read_journal(at, lane, from, to))
            }
            Effect::Apply(chunk) => self.apply(at, chunk),
            Effect::Start { lane, offset } => self.start(at, lane, offset),
            Effect::Round { commits, loads } => Event::Rounded(self.round(at, &commits, &loads)),
            Effect::Plan {
                lanes,
                refused,
                set_aside,
            } => self.plan(at, &lanes, &refused, set_aside.is_some()),
            Effect::Begin => self.begin(at),
            Effect::Produce { lanes } => {
                let produced = self.produce(at, &lanes);
                Event::Produced(self.counted(at, produced))
            }
            Effect::SendOffsets { offsets } => {
                let sent = self.send_offsets(at, &offsets);
                Event::OffsetsSent(self.counted(at, sent))
            }
            Effect::CommitTransaction => {
                let committed = self.commit(at);
                Event::Committed(self.counted(at, committed))
            }
            Effect::Abort => self.abort(at),
            Effect::ReplaceProducers => self.replace(at),
            Effect::Probe { lane } => Event::Probed(self.probe(at, lane)),
            other => panic!("{other:?} is not executed by an engine"),
        };
        // A call that failed took its time.
        let failed = format_is_error(&event);
        (
            event,
            if failed {
                cost + self.chance.ms(0, 200)
            } else {
                cost
            },
        )
    }

    /// Effects that are not answered.
    pub fn told(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Forget { lane } => {
                self.nodes[at].kept.remove(&lane);
                self.nodes[at].positions.remove(&lane);
            }
            Effect::Ready { lane } => self.nodes[at].kept(lane).chunks.clear(),
            Effect::Stopped { lane, reason } => {
                let owned = self.is_owner(at, lane);
                if owned {
                    self.broken(format!("lane {lane} stopped: {reason}"));
                }
            }
            _ => {}
        }
    }

    // Polls.

    fn poll(&mut self, at: usize) -> Event {
        if self.nodes[at].in_transaction {
            self.broken("polled with an open transaction".to_owned());
        }
        let id = self.nodes[at].id;
        let mut assigned = None;
        if !self.log.members.contains(&id) {
            self.log.join(id);
            self.wake_pollers();
        }
        if self.nodes[at].generation != Some(self.log.generation) {
            self.nodes[at].generation = Some(self.log.generation);
            self.nodes[at].positions.clear();
            assigned = Some(self.log.assigned(id));
        }
        let waiting = if self.log_out() {
            Vec::new()
        } else {
            self.deliver(at)
        };
        Event::Polled {
            assigned,
            waiting,
            broken: Vec::new(),
        }
    }

    fn deliver(&mut self, at: usize) -> Vec<Waiting> {
        let mut waiting = Vec::new();
        let most = 1 + self.chance.below(6);
        let positions: Vec<_> = self.nodes[at]
            .positions
            .iter()
            .map(|(l, p)| (*l, *p))
            .collect();
        for (lane, position) in positions {
            let inbox = &self.log.inbox[lane as usize];
            let from = usize::try_from(position).unwrap();
            let offsets = (from..inbox.len())
                .filter(|o| inbox[*o].is_some())
                .take(most);
            let offsets: Vec<_> = offsets.map(|o| i64::try_from(o).unwrap()).collect();
            let Some(last) = offsets.last() else { continue };
            let (end, records) = (*last + 1, u32::try_from(offsets.len()).unwrap());
            waiting.push(Waiting { lane, records, end });
            self.nodes[at].positions.insert(lane, end);
            self.nodes[at].kept(lane).entries.extend(offsets);
        }
        waiting
    }

    /// Would a poll bring anything now?
    pub fn has_news(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        if node.generation != Some(self.log.generation) || !self.log.members.contains(&node.id) {
            return true;
        }
        node.positions.iter().any(|(lane, position)| {
            let inbox = &self.log.inbox[*lane as usize];
            inbox[usize::try_from(*position).unwrap()..]
                .iter()
                .any(Option::is_some)
        })
    }

    fn start(&mut self, at: usize, lane: u32, offset: i64) -> Event {
        if self.log_fails(self.faults.read) {
            return Event::Started(Err(later()));
        }
        self.nodes[at].kept(lane).entries.clear();
        let owned = self.nodes[at].generation == Some(self.log.generation);
        if owned || self.nodes[at].machine.states().contains_key(&lane) {
            self.nodes[at].positions.insert(lane, offset);
        }
        Event::Started(Ok(()))
    }

    // Recovery.

    fn read_offset(&mut self, lane: u32) -> Result<Stable, Trouble> {
        if self.log_fails(self.faults.read) {
            return Err(later());
        }
        let stable = self.log.stable_offset(lane).ok_or(Trouble::Held)?;
        Ok(match stable {
            Some((offset, owner)) => Stable {
                offset: Some(offset),
                owner: format!("w{owner}"),
            },
            None => Stable::default(),
        })
    }

    fn fence(&mut self, at: usize, ids: &[String]) -> Event {
        for id in ids {
            let tid = id.trim_start_matches('w').parse::<usize>().unwrap();
            if tid == self.nodes[at].id {
                self.broken("fenced itself".to_owned());
            }
            if !self.log_fails(self.faults.replace) {
                self.log.init(tid, self.now);
            }
        }
        Event::Fenced
    }

    fn sample(&mut self, lane: u32) -> Result<Sample, Trouble> {
        if self.log_fails(self.faults.read) {
            return Err(later());
        }
        let journal_end = i64::try_from(self.log.journal[lane as usize].len()).unwrap();
        Ok(Sample {
            journal_begin: 0,
            journal_end,
            inbox_begin: 0,
        })
    }

    fn read_journal(
        &mut self,
        at: usize,
        lane: u32,
        from: i64,
        to: i64,
    ) -> Result<JournalRead, Trouble> {
        if self.log_fails(self.faults.read) {
            return Err(later());
        }
        let most = 1 + self.chance.below(5);
        let (found, next) = self.log.read(lane, from, to, most);
        if next <= from && from < to {
            return Err(Trouble::Held);
        }
        let (mut chunk, mut header) = (Chunk::default(), None);
        let records = u32::try_from(found.len()).unwrap();
        for (offset, body) in found {
            match body {
                Body::Image(key, document) => chunk.images.push((key, document)),
                Body::Header { end, count } => {
                    (header, chunk.count) = (Some((offset, end)), Some(count))
                }
                _ => {}
            }
        }
        if records > 0 {
            self.nodes[at].kept(lane).chunks.push_back(chunk);
        }
        Ok(JournalRead {
            next,
            records,
            header,
        })
    }

    // The store.

    fn claimed(&mut self, script: Script) -> Event {
        Event::Claimed(match self.store_call(script) {
            Some(Answered::Position(position)) => Ok(position),
            _ => Err(later()),
        })
    }

    fn clear(&mut self, lane: u32, ep: u64) -> Event {
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

    fn apply(&mut self, at: usize, commit: StoreCommit) -> Event {
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
    fn store_call(&mut self, script: Script) -> Option<Answered> {
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

    fn round(
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

    fn script_of(&mut self, at: usize, commit: StoreCommit) -> Script {
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

    fn load(
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

    // Plans.

    fn plan(
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

    fn plan_lane(&mut self, at: usize, lane: u32, set_aside: bool) -> Plan {
        let kept = self.nodes[at].kept(lane).clone();
        let mut plan = Plan {
            count: kept.count,
            ..Plan::default()
        };
        let mut documents = kept.documents;
        let mut changed = std::collections::BTreeSet::new();
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

    // Transactions.

    fn begin(&mut self, at: usize) -> Event {
        if !self.nodes[at].is_spared() && self.log_fails(self.faults.begin) {
            return Event::Begun(Err(other("begin")));
        }
        self.nodes[at].in_transaction = true;
        Event::Begun(Ok(()))
    }

    /// Bad luck in a transaction, which does not strike a record twice alone while others go through.
    fn fails(&mut self, at: usize, rate: u32) -> bool {
        !self.nodes[at].is_spared() && self.log_fails(rate)
    }

    /// Remembers what may be held against a record.
    fn counted<T>(&mut self, at: usize, result: Result<T, Failure>) -> Result<T, Failure> {
        if let (Err(Failure::Other(_)), Some(record)) = (&result, self.nodes[at].alone()) {
            self.nodes[at].struck.entry(record).or_insert(false);
        }
        result
    }

    fn poisoned(&self, at: usize, stage: PoisonAt) -> bool {
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

    fn produce(&mut self, at: usize, lanes: &[u32]) -> Result<Vec<i64>, Failure> {
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

    fn send_offsets(&mut self, at: usize, offsets: &[(u32, i64)]) -> Result<(), Failure> {
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

    fn commit(&mut self, at: usize) -> Result<bool, Failure> {
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

    fn end_later(&mut self, id: usize, epoch: u64, commit: bool) {
        let at_ms = self.now + self.chance.ms(1, 200);
        self.late_ends.push((at_ms, id, epoch, commit));
    }

    fn slow_markers(&mut self) -> i64 {
        if self.chance.hits(self.faults.markers) {
            self.chance.ms(0, 400)
        } else {
            0
        }
    }

    fn committed(&mut self, at: usize) {
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

    fn abort(&mut self, at: usize) -> Event {
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

    fn replace(&mut self, at: usize) -> Event {
        self.nodes[at].in_transaction = false;
        if self.log_fails(self.faults.replace) {
            return Event::Replaced(Err(later()));
        }
        let id = self.nodes[at].id;
        self.nodes[at].epoch = self.log.init(id, self.now);
        Event::Replaced(Ok(()))
    }

    fn probe(&mut self, at: usize, lane: u32) -> bool {
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

fn later() -> Trouble {
    Trouble::Later("no answer".to_owned())
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

fn format_is_error(event: &Event) -> bool {
    matches!(
        event,
        Event::Claimed(Err(_))
            | Event::Offset(Err(_))
            | Event::JournalRead(Err(_))
            | Event::Applied(Err(_))
            | Event::Rounded(Err(_))
            | Event::Committed(Err(_))
            | Event::Applied(Ok(Answer::Refused))
    )
}
