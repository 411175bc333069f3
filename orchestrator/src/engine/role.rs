//! The engine's part of the loop: store effects, plans, timers.
//!
//! Absent on purpose: transactions (the shell's) and order (the machine's).

mod planning;
mod storing;
mod ticking;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use connectors::log::{Delivery, Log};
use connectors::store::{self, Store};
use saga_lib::lane::{Effect, Event, LaneNo, Planned, Trouble, Worker};
use schemas::record::{Outgoing, Partition, Received};
use schemas::signature::Keys;
use schemas::topics::Topics as Names;

use super::lanes::Lane;
use super::timers::Timers;
use super::topics::Topics;
use crate::janitor::Janitor;
use crate::lease::Lease;
use crate::observe::Observer;
use crate::registry::Registry;
use crate::worker::role::{FORWARD_TOKEN, LanePlan, Role};
use crate::worker::wall_ms;

/// Documents dropped per step of a rebuild.
const CLEAR_MAX: usize = 500;
/// Least time between two looks at due timers.
const TICK: Duration = Duration::from_millis(20);

/// What an engine is made of.
pub struct Setup<S> {
    /// Topic names.
    pub names: Names,
    /// Lanes of the installation.
    pub lanes: u32,
    /// Installation id.
    pub installation: String,
    /// Transactional id of this worker.
    pub own_id: String,
    /// Group id.
    pub group: String,
    /// Keys of internal records.
    pub keys: Keys,
    /// Are unsigned internal records refused?
    pub require_signature: bool,
    /// The store.
    pub store: S,
    /// Definitions of this process.
    pub registry: Registry,
    /// The process' lease on its instance name.
    pub lease: Lease,
    /// Ends what dead workers left open.
    pub janitor: Janitor,
    /// Where events are told.
    pub observer: Observer,
}

/// The engine role of one worker.
pub struct Engine<S: Store> {
    setup: Setup<S>,
    data: BTreeMap<LaneNo, Lane>,
    topics: Topics,
    timers: Timers,
    unknown: BTreeSet<String>,
    ticked: Instant,
    refreshed: Instant,
}

impl<S: Store> Engine<S> {
    /// An engine that owns nothing yet.
    pub fn new(setup: Setup<S>) -> Self {
        let now = Instant::now();
        Self {
            setup,
            data: BTreeMap::new(),
            topics: Topics::default(),
            timers: Timers::default(),
            unknown: BTreeSet::new(),
            ticked: now,
            refreshed: now,
        }
    }

    fn store_trouble(&self, error: &store::Error) -> Trouble {
        self.setup.observer.store_error(error);
        match error {
            store::Error::Unusable { .. } => Trouble::Stop(error.to_string()),
            store::Error::Unavailable { .. } | store::Error::Refused { .. } => {
                Trouble::Later(error.to_string())
            }
        }
    }

    fn lane_data(&mut self, lane: LaneNo) -> &mut Lane {
        self.data.entry(lane).or_default()
    }

    fn journal_partition(&self, lane: LaneNo) -> Partition {
        Partition::new(self.setup.names.journal(), lane)
    }

    /// R3.
    fn sample<L: Log>(&self, log: &mut L, lane: LaneNo) -> Result<Sample, Trouble> {
        let inbox = Partition::new(self.setup.names.inbox(), lane);
        let journal = log.extent(&self.journal_partition(lane)).map_err(|e| Trouble::Later(e.to_string()))?;
        let inbox = log.extent(&inbox).map_err(|e| Trouble::Later(e.to_string()))?;
        Ok(Sample { journal_begin: journal.begin, journal_end: journal.end, inbox_begin: inbox.begin })
    }

    /// R4: `Held` when nothing comes although the end is not reached: an open transaction stands before it.
    fn read_journal<L: Log>(&mut self, log: &mut L, lane: LaneNo, from: i64, to: i64) -> Event {
        let partition = self.journal_partition(lane);
        let read = log.read(&partition, from, to, journal::CHUNK_RECORDS, JOURNAL_WAIT);
        let read = match read {
            Ok(chunk) if chunk.next <= from && from < to => Err(Trouble::Held),
            Ok(chunk) => journal::keep(&mut self.lane_data(lane).chunks, chunk).map_err(Trouble::Stop),
            Err(error) => Err(crate::worker::trouble(&error)),
        };
        Event::JournalRead(read)
    }

    /// R5.
    fn apply(&mut self, chunk: StoreCommit) -> Event {
        let Some(images) = self.lane_data(chunk.lane).chunks.pop_front() else {
            return Event::Applied(Err(Trouble::Later("the chunk is gone".to_owned())));
        };
        let commit = store::Commit { documents: images.documents, counters: images.counters, ..self.commit(chunk) };
        let applied = self.setup.store.round(&[commit], &[]);
        Event::Applied(applied.map_err(|e| self.store_trouble(&e)).map(|(answers, _)| answer(answers.first())))
    }

    fn commit(&self, commit: StoreCommit) -> store::Commit {
        store::Commit {
            lane: commit.lane,
            owner: self.setup.own_id.clone(),
            ep: commit.expect.ep,
            wm: commit.expect.wm,
            jpos: commit.expect.jpos,
            wm_to: commit.target.wm,
            jpos_to: commit.target.jpos,
            at_ms: commit.at_ms,
            installation: self.setup.installation.clone(),
            ..store::Commit::default()
        }
    }

    /// B2 (and the flush of B6, and the check of B8): one round trip.
    fn round(&mut self, commits: &[StoreCommit], loads: &[(LaneNo, i64, u32)]) -> Event {
        let begun = Instant::now();
        let writes = commits.iter().map(|c| self.write(*c)).collect::<Vec<_>>();
        let mut questions = Vec::with_capacity(loads.len());
        for (lane, from, records) in loads {
            let ids = if *records == 0 { Vec::new() } else { self.lane_data(*lane).take(*from, *records) };
            questions.push(Load { lane: *lane, ids });
        }
        let result = self.setup.store.round(&writes, &questions);
        self.setup.observer.store_round_trip(StoreOp::Load, begun.elapsed());
        match result {
            Err(error) => Event::Rounded(Err(self.store_trouble(&error))),
            Ok((answers, loaded)) => Event::Rounded(Ok(self.rounded(commits, &answers, questions, loaded))),
        }
    }

    fn write(&mut self, commit: StoreCommit) -> store::Commit {
        let write = self.lane_data(commit.lane).outstanding.clone().unwrap_or_default();
        store::Commit { documents: write.documents, counters: write.counters, ..self.commit(commit) }
    }

    fn rounded(
        &mut self,
        commits: &[StoreCommit],
        answers: &[store::Answer],
        questions: Vec<Load>,
        loaded: Vec<store::Loaded>,
    ) -> Round {
        if !commits.is_empty() {
            crash::point("engine", "B6.stored");
        }
        for (commit, given) in commits.iter().zip(answers) {
            if answer(Some(given)) == Answer::Refused {
                self.setup.observer.fence_conflict();
            }
            let write = self.lane_data(commit.lane).outstanding.take().unwrap_or_default();
            for (saga, arm) in write.timers {
                self.timers.came_by(commit.lane, &saga, arm);
            }
        }
        let positions = loaded.iter().map(|l| l.position.clone()).collect();
        for (question, loaded) in questions.into_iter().zip(loaded) {
            if !question.ids.is_empty() || self.lane_data(question.lane).taken > 0 {
                self.lane_data(question.lane).loaded(question.ids, loaded);
            }
        }
        Round { answers: answers.iter().map(|a| answer(Some(a))).collect(), positions }
    }

    /// B3: plans a lane, looking up what the plan asks for.
    fn plan_lane<L: Log>(&mut self, log: &mut L, lane: LaneNo) -> Result<Outcome, String> {
        loop {
            let problem = match self.try_plan(lane) {
                Ok(outcome) => return Ok(outcome),
                Err(problem) => problem,
            };
            match problem {
                Problem::Stop(reason) => return Err(reason),
                Problem::Judge(offset, verdict) => {
                    tracing::warn!(lane, offset, reason = verdict.reason, "Input cannot be applied; its saga is parked.");
                    self.lane_data(lane).verdicts.entry(offset).or_default().push(verdict);
                }
                Problem::NeedDefinition(reference) => self.seek_definition(log, reference),
                Problem::NeedTopic(topic) => {
                    if let Err(error) = self.topics.look_up(log, &topic) {
                        tracing::warn!(topic, %error, "Topic could not be looked up; waiting for the broker.");
                        self.setup.observer.stepped();
                        std::thread::sleep(Duration::from_millis(100));
                    }
                }
            }
        }
    }

    fn try_plan(&mut self, lane: LaneNo) -> Result<Outcome, Problem> {
        let definitions = self.setup.registry.snapshot();
        let data = self.data.entry(lane).or_default();
        let cx = Context {
            names: &self.setup.names,
            lanes: self.setup.lanes,
            lane,
            keys: &self.setup.keys,
            require_signature: self.setup.require_signature,
            definitions: &definitions,
            topics: &self.topics,
            unknown: &self.unknown,
            group: &self.setup.group,
            owner: &self.setup.own_id,
        };
        plan::plan(&cx, &data.entries[..data.taken], &data.loaded, &data.counters, &data.verdicts)
    }

    /// An unknown hash: the definitions topic is read to its end; what is not there parks.
    fn seek_definition<L: Log>(&mut self, log: &mut L, reference: String) {
        match self.setup.registry.refresh(log) {
            Ok(()) => {
                if self.setup.registry.snapshot().by_reference(&reference).is_none() {
                    self.unknown.insert(reference);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "Definitions could not be read; waiting for the broker.");
                self.setup.observer.stepped();
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    /// Writes due timers of ready lanes.
    fn tick<L: Log>(&mut self, log: &mut L, machine: &mut Worker) {
        let lanes: Vec<LaneNo> = self.data.keys().copied().filter(|lane| machine.ready(*lane).is_some()).collect();
        for lane in lanes {
            if self.timers.room(lane) == 0 || self.lane_data(lane).outstanding.is_some() {
                continue;
            }
            let now = self.lane_data(lane).clock.now_ms(wall_ms());
            let ask = self.timers.ask(lane);
            match self.setup.store.due(lane, now, ask) {
                Ok(due) => self.fire(log, machine, lane, &due),
                Err(error) => {
                    self.store_trouble(&error);
                    return;
                }
            }
        }
    }

    fn fire<L: Log>(&mut self, log: &mut L, machine: &mut Worker, lane: LaneNo, due: &[store::Due]) {
        let fired = self.timers.fire(&self.setup.names, self.setup.lanes, lane, due);
        for (mut record, token) in fired.records {
            signature::sign(&self.setup.keys, self.setup.names.app(), lane, &mut record);
            if let Err(error) = log.produce_plain(&record, token) {
                tracing::debug!(%error, "Timer could not be written; it is written again.");
                self.timers.delivered(token, false);
            }
            crash::point("engine", "B8.timers");
        }
        if let Some(id) = fired.lost {
            tracing::error!(lane, saga_id = id, "The store lost a document; the lane is rebuilt from the journal.");
            machine.rebuild(lane);
        }
    }
}

fn answer(given: Option<&store::Answer>) -> Answer {
    match given {
        Some(store::Answer::Done) => Answer::Done,
        Some(store::Answer::Refused(_)) | None => Answer::Refused,
    }
}

impl<L: Log, S: Store> Role<L> for Engine<S> {
    fn name(&self) -> &'static str {
        "engine"
    }

    fn assigned(&mut self, _log: &mut L, partitions: &[Partition]) -> Vec<LaneNo> {
        self.data.clear();
        partitions.iter().map(|p| p.number).collect()
    }

    fn partition(&self, lane: LaneNo) -> Partition {
        Partition::new(self.setup.names.inbox(), lane)
    }

    fn lane(&self, partition: &Partition) -> Option<LaneNo> {
        (partition.topic == self.setup.names.inbox()).then_some(partition.number)
    }

    fn keep(&mut self, lane: LaneNo, records: Vec<Received>) {
        self.lane_data(lane).keep(records);
    }

    fn rewind(&mut self, lane: LaneNo) {
        self.lane_data(lane).entries.clear();
    }

    fn forget(&mut self, lane: LaneNo) {
        self.lane_data(lane).forget();
        self.timers.forget(lane);
    }

    fn ready(&mut self, lane: LaneNo) {
        self.lane_data(lane).chunks.clear();
    }

    fn execute(&mut self, log: &mut L, effect: Effect) -> Event {
        match effect {
            Effect::Claim { lane } => {
                let own = self.setup.own_id.clone();
                let claimed = self.setup.store.claim(lane, &own);
                for id in claimed.iter().flat_map(|position| &position.owners) {
                    self.setup.janitor.suspect(id);
                }
                Event::Claimed(claimed.map_err(|e| self.store_trouble(&e)))
            }
            Effect::Sample { lane } => Event::Sampled(self.sample(log, lane)),
            Effect::Clear { lane, ep } => {
                let cleared = self.setup.store.clear(lane, ep, wall_ms(), CLEAR_MAX);
                Event::Cleared(cleared.map_err(|e| self.store_trouble(&e)))
            }
            Effect::ReadJournal { lane, from, to } => self.read_journal(log, lane, from, to),
            Effect::Apply(chunk) => self.apply(chunk),
            Effect::Round { commits, loads } => self.round(&commits, &loads),
            other => Event::Origin(Err(Trouble::Stop(format!("an engine has no {other:?}")))),
        }
    }

    fn plan(
        &mut self,
        log: &mut L,
        lanes: &[LaneNo],
        refused: &[(LaneNo, i64, String)],
        set_aside: Option<&str>,
    ) -> Vec<Planned> {
        if !refused.is_empty() {
            self.topics.forget_all();
        }
        let mut planned = Vec::with_capacity(lanes.len());
        for lane in lanes {
            self.judge(*lane, refused, set_aside);
            let outcome = self.plan_lane(log, *lane);
            let end = outcome.as_ref().map(|o| o.end).map_err(Clone::clone);
            self.lane_data(*lane).outcome = outcome.ok();
            planned.push(Planned { lane: *lane, end });
        }
        planned
    }

    fn planned(&self, lane: LaneNo) -> Option<&LanePlan> {
        self.data
            .get(&lane)?
            .outcome
            .as_ref()
            .map(|outcome| &outcome.plan)
    }

    fn committed(&mut self, lanes: &[LaneNo]) {
        for lane in lanes {
            let inbox = self.setup.names.inbox();
            if let Some(outcome) = self.lane_data(*lane).committed() {
                self.setup.observer.committed(
                    *lane,
                    &inbox,
                    &outcome.plan,
                    &outcome.stats,
                    &outcome.counters.0,
                );
            }
        }
    }

    fn between(&mut self, log: &mut L, machine: &mut Worker) {
        for delivery in log.deliveries_plain(Duration::ZERO) {
            Role::<L>::delivered(self, &delivery);
        }
        if self.ticked.elapsed() >= TICK {
            self.ticked = Instant::now();
            self.tick(log, machine);
            self.setup.observer.lanes(machine.states());
        }
        if self.refreshed.elapsed() >= Duration::from_secs(1) {
            self.refreshed = Instant::now();
            self.unknown.clear();
            if let Err(error) = self.setup.registry.refresh(log) {
                tracing::debug!(%error, "Definitions could not be read; trying again.");
            }
            self.setup
                .observer
                .lag(log, &self.setup.names.inbox(), machine);
        }
    }

    fn met(&mut self, transactional_id: &str) {
        self.setup.janitor.suspect(transactional_id);
    }

    fn still_ours(&mut self) -> Result<(), String> {
        self.setup.lease.check()
    }

    fn probe(&self, lane: LaneNo) -> Option<Outgoing> {
        let mut record = schemas::journal::encode_header(
            &self.setup.names,
            lane,
            &schemas::journal::LaneHeader::default(),
        );
        record.value = None;
        Some(record)
    }

    fn delivered(&mut self, delivery: &Delivery) {
        if delivery.token != FORWARD_TOKEN {
            self.timers
                .delivered(delivery.token, delivery.result.is_ok());
        }
    }
}
