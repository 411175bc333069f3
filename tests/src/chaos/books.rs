//! The books: what a stranger with a read_committed reader has seen of all sagas, kept up while the run goes on.
//!
//! One line per saga or command is kept, so that 300,000 sagas fit.
//!
//! Absent on purpose: judgement that needs the cases or the ledger (see [`super::oracle`]).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use connectors::kafka::KafkaLog;
use connectors::log::{Extent, Log};
use saga_lib::instance::Status;
use schemas::record::{Partition, Received};
use schemas::{command, history, journal, state};

use super::participant::SERVICES;
use crate::world::{LANES, World};

/// Newest image of one saga, as its document's header tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    /// Status.
    pub status: Status,
    /// Hash of the document.
    pub hash: u64,
}

impl Image {
    /// Of a document.
    ///
    /// # Panics
    /// If its header cannot be read.
    pub fn of(document: &[u8]) -> Self {
        let header = state::Header::parse(document).expect("a readable header");
        let mut hasher = DefaultHasher::new();
        document.hash(&mut hasher);
        Self {
            status: header.status,
            hash: hasher.finish(),
        }
    }
}

/// Everything seen so far.
pub struct Books {
    log: KafkaLog,
    /// Topics and what they hold.
    topics: Vec<(String, Holds)>,
    next: BTreeMap<Partition, i64>,
    revisions: HashMap<String, u64>,
    seen: HashMap<(String, u32), (u32, i64)>,
    /// Newest images by saga id.
    pub images: HashMap<String, Image>,
    /// Last statuses of sagas that were removed at the end of their retention.
    pub gone: HashMap<String, Status>,
    /// Sagas that were in a final status, now or before.
    pub ended: HashSet<String>,
    /// Records of all kinds.
    pub records: u64,
    /// Facts.
    pub facts: u64,
    /// Commands, every attempt counted.
    pub commands: u64,
    /// Attempts beyond the first.
    pub re_sends: u64,
    /// (command id, attempt) that was visible before.
    pub doubled_commands: u64,
    /// Sentences about what must not be.
    pub problems: Vec<String>,
}

#[derive(Clone, Copy)]
enum Holds {
    Images,
    Facts,
    Commands,
    /// Nothing, if all is well.
    Nothing,
}

impl Books {
    /// Empty books of a world, for its journal only.
    pub fn of_journal(world: &World) -> Self {
        let mut books = Self::new(world);
        books
            .topics
            .retain(|(_, holds)| matches!(holds, Holds::Images));
        books
    }

    /// Empty books of a world.
    pub fn new(world: &World) -> Self {
        let (names, app) = (world.names(), &world.app);
        let mut topics = vec![
            (names.journal(), Holds::Images),
            (names.history(), Holds::Facts),
            (names.orphans(), Holds::Nothing),
            (names.dead_letter(&names.inbox()), Holds::Nothing),
            (names.dead_letter(&format!("{app}-starts")), Holds::Nothing),
        ];
        let commands = SERVICES.map(|service| format!("{app}-{service}.commands"));
        topics.extend(commands.map(|topic| (topic, Holds::Commands)));
        Self {
            log: world.log(),
            topics,
            next: BTreeMap::new(),
            revisions: HashMap::new(),
            seen: HashMap::new(),
            images: HashMap::new(),
            gone: HashMap::new(),
            ended: HashSet::new(),
            records: 0,
            facts: 0,
            commands: 0,
            re_sends: 0,
            doubled_commands: 0,
            problems: Vec::new(),
        }
    }

    /// Takes what was committed since; what cannot be read now is read later. `true` if nothing is left to read.
    pub fn follow(&mut self) -> bool {
        let mut all = true;
        for (topic, holds) in self.topics.clone() {
            for number in 0..self.partitions(&topic, holds) {
                all &= self
                    .read(&Partition::new(topic.clone(), number), holds)
                    .is_some();
            }
        }
        all
    }

    fn partitions(&mut self, topic: &str, holds: Holds) -> u32 {
        match holds {
            // Dead letter topics come into being when they are needed.
            Holds::Nothing => match self.log.topic(topic) {
                Ok(Some(told)) => told.partitions,
                _ => 0,
            },
            _ => LANES,
        }
    }

    /// `None` if something is left.
    fn read(&mut self, partition: &Partition, holds: Holds) -> Option<()> {
        let extent = self.log.extent(partition).ok()?;
        let mut next = self.next.get(partition).copied().unwrap_or(extent.begin);
        while next < extent.stable_end {
            let chunk = self
                .log
                .read(partition, next, extent.stable_end, CHUNK, WAIT);
            let chunk = chunk.ok()?;
            for record in &chunk.records {
                self.take(record, holds);
            }
            self.next.insert(partition.clone(), chunk.next);
            if chunk.next <= next {
                return None;
            }
            next = chunk.next;
        }
        let Extent {
            end, stable_end, ..
        } = extent;
        (end == stable_end).then_some(())
    }

    fn take(&mut self, record: &Received, holds: Holds) {
        self.records += 1;
        match holds {
            Holds::Images => self.image(record),
            Holds::Facts => self.fact(record),
            Holds::Commands => self.command(record),
            Holds::Nothing => self.set_aside(record),
        }
    }

    fn image(&mut self, record: &Received) {
        let id = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
        if id == journal::LANE_KEY {
            return;
        }
        let Some(document) = &record.value else {
            self.gone
                .extend(self.images.remove(&id).map(|image| (id, image.status)));
            return;
        };
        if self.gone.contains_key(&id) {
            self.problems
                .push(format!("{id} is there again after it was removed"));
        }
        let image = Image::of(document);
        if image.status.is_final() {
            self.ended.insert(id.clone());
        }
        self.images.insert(id, image);
    }

    /// P6, P12: revisions rise by what the facts say, and each saga starts once.
    fn fact(&mut self, record: &Received) {
        let fact = history::decode(record).expect("a fact");
        self.facts += 1;
        let known = self.revisions.get(fact.saga.as_str()).copied();
        if fact.revision_before != known {
            let (saga, lane, offset, before) =
                (&fact.saga, fact.lane, fact.offset, fact.revision_before);
            let problem =
                format!("{saga}: fact of {lane}/{offset} begins at {before:?}, known is {known:?}");
            self.problems.push(problem);
        }
        match fact.revision_after {
            Some(after) => self.revisions.insert(fact.saga.to_string(), after),
            None => self.revisions.remove(fact.saga.as_str()),
        };
    }

    /// P2.
    fn command(&mut self, record: &Received) {
        let command = command::decode_command(record).expect("a command");
        let place = (record.partition.number, record.offset);
        let (id, attempt) = (command.id.to_string(), command.attempt);
        self.commands += 1;
        self.re_sends += u64::from(attempt > 1);
        if let Some(before) = self.seen.insert((id.clone(), attempt), place) {
            self.doubled_commands += 1;
            let topic = &record.partition.topic;
            self.problems.push(format!(
                "{topic}: {id} attempt {attempt} is visible at {before:?} and {place:?}"
            ));
        }
    }

    /// Nothing here is poison and nothing unmatched.
    fn set_aside(&mut self, record: &Received) {
        let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default());
        let (topic, headers) = (&record.partition.topic, &record.headers);
        self.problems
            .push(format!("in {topic}: {key}: {headers:?}"));
    }

    /// Sagas that are parked.
    pub fn parked(&self) -> Vec<String> {
        let parked = self
            .images
            .iter()
            .filter(|(_, image)| image.status == Status::Parked);
        parked.map(|(id, _)| id.clone()).collect()
    }

    /// Newest status of a saga.
    pub fn status(&self, saga: &str) -> Option<Status> {
        let image = self.images.get(saga).map(|image| image.status);
        image.or_else(|| self.gone.get(saga).copied())
    }

    /// Is this saga in a final status?
    pub fn is_final(&self, saga: &str) -> bool {
        self.status(saga).is_some_and(Status::is_final)
    }
}

const CHUNK: usize = 10_000;
const WAIT: Duration = Duration::from_millis(500);
