//! The ingress' part of the loop: source partitions as lanes without a store.
//!
//! Absent on purpose: transactions (the shell's) and order (the machine's).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use connectors::log::{Delivery, Log, TopicSpec};
use saga_lib::lane::{Effect, Event, LaneNo, Planned, Position, Round, Trouble, Waiting, Worker};
use schemas::bundle;
use schemas::record::{Outgoing, Partition, Received};
use schemas::signature::Keys;
use schemas::topics::{self, Topics as Names};

use super::absent::{Absent, Missing};
use super::limit::{Bounds, Limit};
use super::origin;
use super::plan::{self, Context, Outcome};
use super::reader::Reader;
use crate::clock;
use crate::janitor::Janitor;
use crate::lease::Lease;
use crate::observe::Observer;
use crate::registry::Registry;
use crate::worker::role::{LanePlan, Output, OutputClass, Role};

/// Largest inbox record: the topic's `max.message.bytes`.
const INBOX_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What an ingress is made of.
pub struct Setup {
    /// Topic names.
    pub names: Names,
    /// Lanes of the installation.
    pub lanes: u32,
    /// Transactional id.
    pub own_id: String,
    /// Group id.
    pub group: String,
    /// Keys of internal records.
    pub keys: Keys,
    /// Definitions of this process.
    pub registry: Registry,
    /// The process' lease on its instance name.
    pub lease: Lease,
    /// Ends what dead workers left open.
    pub janitor: Janitor,
    /// Reads records of business topics.
    pub reader: Reader,
    /// Dead letters after which a topic stops.
    pub bounds: Bounds,
    /// Where events are told.
    pub observer: Observer,
}

/// One source partition.
#[derive(Debug, Default)]
struct Source {
    entries: Vec<Received>,
    taken: usize,
    refused: Vec<(i64, String)>,
    outcome: Option<Outcome>,
    /// The next entry waits for its schema, and nothing more is delivered until it is there.
    held: bool,
}

/// The ingress role.
pub struct Ingress {
    setup: Setup,
    partitions: Vec<Partition>,
    sources: BTreeMap<LaneNo, Source>,
    /// By topic. They outlive an assignment: a rebalance mends no definition.
    limits: BTreeMap<String, Limit>,
    subscribed: Vec<String>,
    absent: Absent,
    refreshed: Option<Instant>,
}

impl Ingress {
    /// An ingress that owns nothing yet.
    pub fn new(setup: Setup, subscribed: Vec<String>) -> Self {
        Self {
            setup,
            partitions: Vec::new(),
            sources: BTreeMap::new(),
            limits: BTreeMap::new(),
            subscribed,
            absent: Absent::default(),
            refreshed: None,
        }
    }

    /// Topics to read, with the redrive topic, and those that are left out until they exist, each with what it is for. Of topics about
    /// which the log does not answer those stay that are `subscribed`: nobody else would read them.
    pub fn topics<L: Log>(
        log: &mut L,
        names: &Names,
        registry: &Registry,
        subscribed: &[String],
    ) -> (Vec<String>, Missing) {
        let definitions = registry.snapshot();
        let (mut topics, mut missing) = (Vec::new(), Missing::new());
        for (topic, readers) in definitions.sources_read() {
            match log.topic(topic) {
                Ok(Some(_)) => topics.push(topic.clone()),
                Ok(None) => {
                    missing.insert(topic.clone(), readers.to_string());
                }
                Err(_) => topics.extend(Some(topic.clone()).filter(|t| subscribed.contains(t))),
            }
        }
        let redrive = names.redrive();
        let is_there = match log.topic(&redrive) {
            Ok(found) => found.is_some(),
            Err(_) => subscribed.contains(&redrive),
        };
        topics.extend(is_there.then_some(redrive));
        (topics, missing)
    }

    fn source(&mut self, lane: LaneNo) -> &mut Source {
        self.sources.entry(lane).or_default()
    }

    fn take(&mut self, lane: LaneNo, from: i64, records: u32) {
        let source = self.source(lane);
        source.entries.retain(|record| record.offset >= from);
        source.taken = source.entries.len().min(records as usize);
        source.refused.clear();
        source.outcome = None;
    }

    fn plan_source(&mut self, lane: LaneNo) -> Planned {
        let definitions = self.setup.registry.snapshot();
        let partition = self.partitions[lane as usize].clone();
        let cx = Context {
            names: &self.setup.names,
            lanes: self.setup.lanes,
            keys: &self.setup.keys,
            definitions: &definitions,
            group: &self.setup.group,
            bytes_max: INBOX_BYTES_MAX,
            reader: &self.setup.reader,
        };
        let source = self.sources.entry(lane).or_default();
        let mut outcome = plan::plan(&cx, &source.entries[..source.taken], &source.refused);
        if !definitions.sources.contains(&partition) {
            let record = bundle::encode_source(&self.setup.names, &partition);
            outcome.plan.outputs.push(Output {
                record,
                input: outcome.end - 1,
                class: OutputClass::Inbox,
            });
        }
        let end = outcome.end;
        source.outcome = Some(outcome);
        Planned { lane, end: Ok(end) }
    }

    /// What of a source can be planned now. Behind a record that waits for its schema the source is paused, so that no more than one
    /// poll's records are kept.
    fn offer<L: Log>(&mut self, log: &mut L, lane: LaneNo) -> Option<Waiting> {
        let partition = self.partitions[lane as usize].clone();
        let source = self.sources.get_mut(&lane)?;
        let ready = self
            .setup
            .reader
            .readable(&self.setup.names, &source.entries);
        let waits = ready < source.entries.len();
        if waits != source.held {
            let behind = source.entries.last().map(|record| record.offset + 1);
            let told = match behind {
                Some(offset) if !waits => log.start(&partition, offset),
                _ => log.pause(&partition),
            };
            // A pause that failed holds as well; a start is tried again.
            source.held = waits || told.is_err();
            match told {
                Ok(()) if waits => tracing::info!(?partition, "Source waits for a schema."),
                Ok(()) => tracing::info!(?partition, "Source goes on."),
                Err(error) => {
                    tracing::debug!(?partition, %error, "Source could not be paused or resumed.");
                }
            }
        }
        let last = source.entries[..ready].last()?;
        Some(Waiting {
            lane,
            records: u32::try_from(ready).unwrap_or(u32::MAX),
            end: last.offset + 1,
        })
    }

    /// Who holds sources up, for `/readyz` and metrics.
    fn tell_held(&self) {
        let held = self.sources.iter().filter(|(_, source)| source.held);
        let held: Vec<_> = held
            .map(|(lane, _)| &self.partitions[*lane as usize])
            .collect();
        let trouble = self.setup.reader.schemas.trouble();
        self.setup.observer.sources_held(&held, trouble);
    }

    /// Counts what was planned. One partition beyond the bounds stops all of its topic, also those that were planned before it.
    fn judge(&mut self, planned: &mut [Planned]) {
        let lanes: Vec<LaneNo> = planned.iter().map(|plan| plan.lane).collect();
        for topic in self.limited(&lanes) {
            let limit = self.limits.entry(topic);
            limit
                .or_insert_with(|| Limit::new(self.setup.bounds))
                .begin();
        }
        for lane in lanes {
            let limit = self.limits.get_mut(&self.partitions[lane as usize].topic);
            let outcome = self.sources.get(&lane).and_then(|s| s.outcome.as_ref());
            if let (Some(limit), Some(outcome)) = (limit, outcome) {
                limit.plan(&outcome.dead);
            }
        }
        for plan in planned {
            if let Some(reason) = self.exceeded(plan.lane) {
                self.source(plan.lane).outcome = None;
                plan.end = Err(reason);
            }
        }
    }

    /// Topics of these partitions that have a limit. Dead letters that were sent back have none: nothing is drained that was not dead
    /// before, and a stop would keep those behind it from their end.
    fn limited(&self, lanes: &[LaneNo]) -> BTreeSet<String> {
        let topics = lanes
            .iter()
            .map(|lane| &self.partitions[*lane as usize].topic);
        let redrive = self.setup.names.redrive();
        topics.filter(|t| **t != redrive).cloned().collect()
    }

    /// Why the topic of this partition is stopped, if it is.
    fn exceeded(&self, lane: LaneNo) -> Option<String> {
        let topic = &self.partitions[lane as usize].topic;
        let excess = self.limits.get(topic)?.excess()?;
        let dead = self.setup.names.dead_letter(topic);
        Some(format!(
            "{excess}: after a bad deploy topic `{topic}` would be drained into `{dead}`; mend the definition, then restart \
             (if the records are bad and not the definition, raise `{}` instead)",
            excess.setting()
        ))
    }

    /// New definitions may start from further topics.
    fn refresh<L: Log>(&mut self, log: &mut L) {
        if let Err(error) = self.setup.registry.refresh(log) {
            tracing::debug!(%error, "Definitions could not be read; trying again.");
            return;
        }
        let definitions = self.setup.registry.snapshot();
        let mut known = definitions.sources_read().keys();
        if known.all(|topic| self.subscribed.contains(topic)) {
            return;
        }
        let (topics, missing) = Self::topics(
            log,
            &self.setup.names,
            &self.setup.registry,
            &self.subscribed,
        );
        self.absent.tell(missing, Instant::now());
        if topics != self.subscribed && log.subscribe(&topics).is_ok() {
            tracing::info!(?topics, "Reading further topics.");
            self.subscribed = topics;
        }
    }

    fn create_dead_letter_topics<L: Log>(&self, log: &mut L, partitions: &[Partition]) {
        let mut names: Vec<String> = partitions
            .iter()
            .map(|p| self.setup.names.dead_letter(&p.topic))
            .collect();
        names.sort();
        names.dedup();
        let config = topics::settings(topics::Kind::DeadLetter);
        let specs: Vec<_> = names
            .into_iter()
            .map(|name| TopicSpec {
                name,
                partitions: 1,
                config: config.clone(),
            })
            .collect();
        if let Err(error) = log.create_topics(&specs) {
            tracing::warn!(%error, "Dead-letter topics could not be created.");
        }
    }
}

impl<L: Log> Role<L> for Ingress {
    fn name(&self) -> &'static str {
        "ingress"
    }

    fn assigned(&mut self, log: &mut L, partitions: &[Partition]) -> Vec<LaneNo> {
        self.create_dead_letter_topics(log, partitions);
        self.sources.clear();
        let mut lanes = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let known = self.partitions.iter().position(|p| p == partition);
            let at = known.unwrap_or_else(|| {
                self.partitions.push(partition.clone());
                self.partitions.len() - 1
            });
            lanes.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        lanes
    }

    fn partition(&self, lane: LaneNo) -> Partition {
        self.partitions[lane as usize].clone()
    }

    fn lane(&self, partition: &Partition) -> Option<LaneNo> {
        self.partitions
            .iter()
            .position(|p| p == partition)
            .and_then(|at| u32::try_from(at).ok())
    }

    fn keep(&mut self, lane: LaneNo, records: Vec<Received>) {
        self.source(lane).entries.extend(records);
    }

    fn waiting(&mut self, log: &mut L, polled: Vec<Waiting>) -> Vec<Waiting> {
        // Also what a plan left that ended early, at a schema that was dropped meanwhile: perhaps nothing more is ever polled there.
        let left = |source: &Source| source.held || !source.entries.is_empty();
        let kept = self.sources.iter().filter(|(_, source)| left(source));
        let mut lanes: BTreeSet<LaneNo> = kept.map(|(lane, _)| *lane).collect();
        lanes.extend(polled.iter().map(|waiting| waiting.lane));
        let offers = lanes.into_iter().filter_map(|lane| self.offer(log, lane));
        offers.collect()
    }

    fn holds_back(&self, lane: LaneNo) -> bool {
        self.sources.get(&lane).is_some_and(|source| source.held)
    }

    fn rewind(&mut self, lane: LaneNo) {
        let source = self.source(lane);
        source.entries.clear();
        source.held = false;
    }

    fn forget(&mut self, lane: LaneNo) {
        self.sources.remove(&lane);
    }

    fn ready(&mut self, _lane: LaneNo) {}

    fn execute(&mut self, log: &mut L, effect: Effect) -> Event {
        match effect {
            Effect::Round { loads, .. } => {
                for (lane, from, records) in &loads {
                    self.take(*lane, *from, *records);
                }
                let positions = loads.iter().map(|_| Position::default()).collect();
                Event::Rounded(Ok(Round {
                    answers: Vec::new(),
                    positions,
                }))
            }
            Effect::Origin { lane } => {
                let source = self.partitions[lane as usize].clone();
                let definitions = self.setup.registry.snapshot();
                Event::Origin(origin::origin(
                    log,
                    &self.setup.names,
                    &definitions,
                    &source,
                ))
            }
            other => Event::Origin(Err(Trouble::Stop(format!("an ingress has no {other:?}")))),
        }
    }

    fn plan(
        &mut self,
        _log: &mut L,
        lanes: &[LaneNo],
        refused: &[(LaneNo, i64, String)],
        set_aside: Option<&str>,
    ) -> Vec<Planned> {
        if let Some((lane, input, reason)) = refused.last() {
            self.source(*lane).refused.push((*input, reason.clone()));
        }
        if let (Some(reason), Some(lane)) = (set_aside, lanes.first()) {
            let source = self.source(*lane);
            let offset = source.entries.first().map_or(0, |record| record.offset);
            source.refused.push((offset, reason.to_owned()));
        }
        let mut planned: Vec<_> = lanes.iter().map(|lane| self.plan_source(*lane)).collect();
        self.judge(&mut planned);
        planned
    }

    fn planned(&self, lane: LaneNo) -> Option<&LanePlan> {
        self.sources
            .get(&lane)?
            .outcome
            .as_ref()
            .map(|outcome| &outcome.plan)
    }

    fn committed(&mut self, lanes: &[LaneNo]) {
        for topic in self.limited(lanes) {
            self.limits
                .get_mut(&topic)
                .into_iter()
                .for_each(Limit::commit);
        }
        for lane in lanes {
            let topic = self.partitions[*lane as usize].topic.clone();
            let source = self.sources.entry(*lane).or_default();
            let Some(outcome) = source.outcome.take() else {
                continue;
            };
            source.entries.retain(|record| record.offset >= outcome.end);
            source.taken = 0;
            self.setup
                .observer
                .ingested(&topic, &outcome.plan, &outcome.stats);
        }
    }

    fn between(&mut self, log: &mut L, machine: &mut Worker) {
        if self
            .refreshed
            .is_none_or(|at| clock::since(at) >= Duration::from_secs(1))
        {
            self.refreshed = Some(clock::now());
            self.refresh(log);
            self.setup.observer.lanes(machine.states());
            self.tell_held();
        }
    }

    fn met(&mut self, transactional_id: &str) {
        self.setup.janitor.suspect(transactional_id);
    }

    fn still_ours(&mut self) -> Result<(), String> {
        self.setup.lease.check()
    }

    fn probe(&self, _lane: LaneNo) -> Option<Outgoing> {
        Some(Outgoing {
            topic: self.setup.names.definitions(),
            partition: Some(0),
            key: Some(b"@probe".to_vec()),
            value: None,
            headers: schemas::record::Headers::default(),
        })
    }

    fn delivered(&mut self, _delivery: &Delivery) {}

    fn replaced(&mut self) {}
}

#[cfg(test)]
pub(crate) mod tests;
