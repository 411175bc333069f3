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
use saga_lib::mutant::{Mutant, planted};
use schemas::record::{Outgoing, Partition, Received};
use schemas::signature::Keys;
use schemas::topics::Topics as Names;

use super::lanes::Lane;
use super::timers::Timers;
use super::timers::bucket::Budget;
use super::topics::Topics;
use crate::clock;
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
    /// How often commands are sent again, all lanes together.
    pub resends: Budget,
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
        let now = clock::now();
        Self {
            timers: Timers::new(setup.resends, setup.lanes),
            setup,
            data: BTreeMap::new(),
            topics: Topics::default(),
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
                // Whoever sees a lane recover again and again must be able to read why.
                tracing::warn!(%error, "Store did not do what it was asked; the lane recovers.");
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
}

impl<L: Log, S: Store> Role<L> for Engine<S> {
    fn name(&self) -> &'static str {
        "engine"
    }

    fn assigned(&mut self, _log: &mut L, partitions: &[Partition]) -> Vec<LaneNo> {
        if !planted(Mutant::CacheSurvives) {
            self.data.clear();
        }
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
        // A recovery may have written documents: everything that is due is read anew.
        self.timers.forget(lane);
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
        if clock::since(self.ticked) >= TICK {
            self.ticked = clock::now();
            self.tick(log, machine);
            self.setup.observer.lanes(machine.states());
        }
        if clock::since(self.refreshed) >= Duration::from_secs(1) {
            self.refreshed = clock::now();
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
        if delivery.token != FORWARD_TOKEN && !planted(Mutant::TimerNotRewritten) {
            self.timers
                .delivered(delivery.token, delivery.result.is_ok());
        }
    }

    fn replaced(&mut self) {
        self.timers.unheard();
    }
}
