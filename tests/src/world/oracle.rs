//! The oracle: what a stranger sees from outside, and whether the promises hold.
//!
//! It reads the history, the journal, the command topics and the dead letters with a read_committed reader of its own, the store
//! directly, and compares all of it with the participants' ledger.
//!
//! Absent on purpose: anything that a Skald process says about itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use connectors::kafka::KafkaLog;
use connectors::log::Log;
use connectors::participant::ledger::Entry;
use connectors::redis::RedisStore;
use connectors::store::Store;
use saga_lib::instance::{Instance, Status};
use schemas::history::{self, Fact};
use schemas::journal::{self, JournalRecord};
use schemas::record::{Partition, Received};
use schemas::topics::Topics;
use schemas::{command, dead_letter, state};

use super::follow::Follower;
use super::{LANES, World};

/// How a saga stands at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// Newest state by the journal.
    pub instance: Instance,
}

/// Everything read from outside.
pub struct Facts {
    /// Newest documents by saga id (bytes as journalled).
    pub journal: BTreeMap<String, Vec<u8>>,
    /// Facts in order per lane.
    pub history: Vec<Fact>,
    /// How often each (command id, attempt) was seen.
    pub commands: BTreeMap<(String, u32), u32>,
    /// Dead letters by class.
    pub dead_letters: Vec<dead_letter::DeadLetter>,
}

/// What was found wrong; empty if all promises hold.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Sentences.
    pub problems: Vec<String>,
    /// A saga whose story is told with them.
    saga: Option<String>,
}

impl World {
    /// Reads a topic to its end.
    pub fn read(&self, topic: &str) -> Vec<Received> {
        let mut log = self.log();
        let partitions = log
            .topic(topic)
            .expect("topic looked up")
            .map_or(0, |t| t.partitions);
        (0..partitions)
            .flat_map(|number| read_partition(&mut log, &Partition::new(topic, number)))
            .collect()
    }

    /// Topic names of the installation.
    pub fn names(&self) -> Topics {
        Topics::new(&self.app).expect("legal app name")
    }

    /// States of all sagas by the journal.
    pub fn instances(&self) -> BTreeMap<String, Instance> {
        let decode = |bytes: Vec<u8>| state::decode(&bytes).expect("readable document");
        documents(self.follow(&self.names().journal()))
            .into_iter()
            .map(|(id, bytes)| (id, decode(bytes)))
            .collect()
    }

    /// Newest documents by the journal.
    pub fn journal(&self) -> BTreeMap<String, Vec<u8>> {
        documents(self.read(&self.names().journal()))
    }

    /// Waits until every triggered order is in a final status (or parked, if `parked_counts`).
    pub fn wait_for_ends(&self, timeout: Duration, parked_counts: bool) {
        self.wait_for_ends_of(&self.triggered(), timeout, parked_counts);
    }

    /// Waits until these orders are in a final status (or parked, if `parked_counts`).
    pub fn wait_for_ends_of(&self, keys: &[String], timeout: Duration, parked_counts: bool) {
        let begun = Instant::now();
        let mut follower = Follower::new(self);
        loop {
            follower.read_on();
            let ended = |key: &String| {
                let status = follower.status(&format!("order/{key}"));
                status.is_some_and(|s| s.is_final() || (parked_counts && s == Status::Parked))
            };
            let open: Vec<&String> = keys.iter().filter(|key| !ended(key)).collect();
            if open.is_empty() {
                return;
            }
            if let Some(stopped) = self.stopped_lane() {
                panic!("a lane stopped: {stopped}");
            }
            if begun.elapsed() > timeout {
                let first = follower.instance(&format!("order/{}", open[0]));
                panic!(
                    "{} sagas did not end in {timeout:?}, e.g. {}: {first:?}\n{}\nof {open:?}\n{}",
                    open.len(),
                    open[0],
                    self.trace(open[0]),
                    self.outputs()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Reads everything.
    pub fn facts(&self) -> Facts {
        let names = self.names();
        let mut commands: BTreeMap<(String, u32), u32> = BTreeMap::new();
        let own = ["stock", "payment", "shipping"].map(|s| format!("{}-{s}.commands", self.app));
        let mut topics = self.commanded.lock().expect("not poisoned").clone();
        topics.extend(own);
        for topic in topics {
            for record in self.read(&topic) {
                let incoming = command::decode_command(&record).expect("a command");
                *commands
                    .entry((incoming.id.to_string(), incoming.attempt))
                    .or_default() += 1;
            }
        }
        let letters = [
            names.dead_letter(&names.inbox()),
            names.dead_letter(&format!("{}-orders", self.app)),
        ];
        let letters = letters.iter().flat_map(|topic| self.read(topic));
        Facts {
            journal: self.journal(),
            history: self
                .read(&names.history())
                .iter()
                .map(|r| history::decode(r).expect("a fact"))
                .collect(),
            commands,
            dead_letters: letters
                .map(|r| dead_letter::decode(&r).expect("a dead letter"))
                .collect(),
        }
    }

    fn is_harmless(&self, command: &str) -> bool {
        let path = command.rsplit('/').next().unwrap_or_default();
        let step = path.split(['[', '.', '#']).next().unwrap_or_default();
        self.harmless.lock().expect("not poisoned").contains(step)
    }

    /// Checks every promise that holds whatever happened, and panics with all that is wrong.
    pub fn check(&self) -> Facts {
        let facts = self.facts();
        let mut verdict = Verdict::default();
        verdict.commands_once(&facts);
        verdict.one_end_each(self, &facts);
        verdict.ledger_agrees(self, &facts);
        verdict.facts_in_order(&facts);
        verdict.store_equals_journal(self);
        if let Some(stopped) = self.stopped_lane() {
            verdict.wrong(format!("a lane stopped: {stopped}"));
        }
        assert!(
            verdict.problems.is_empty(),
            "promises broken:\n{}\n{}\n{}",
            verdict.problems.join("\n"),
            verdict
                .saga
                .map_or_else(String::new, |saga| self.timeline(&saga)),
            self.outputs()
        );
        facts
    }
}

/// The journal's fold.
fn documents(records: Vec<Received>) -> BTreeMap<String, Vec<u8>> {
    let mut documents = BTreeMap::new();
    for record in records {
        if let JournalRecord::Image { id, document } =
            journal::decode(&record).expect("journal record")
        {
            match document {
                Some(document) => documents.insert(id.to_string(), document),
                None => documents.remove(id.as_str()),
            };
        }
    }
    documents
}

fn read_partition(log: &mut KafkaLog, partition: &Partition) -> Vec<Received> {
    let extent = log.extent(partition).expect("extent");
    let mut records = Vec::new();
    let mut next = extent.begin;
    let begun = Instant::now();
    while next < extent.stable_end {
        let chunk = log
            .read(
                partition,
                next,
                extent.stable_end,
                10_000,
                Duration::from_secs(1),
            )
            .expect("records are read");
        records.extend(chunk.records);
        next = chunk.next;
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{partition:?} could not be read to {}",
            extent.stable_end
        );
    }
    records
}

impl Verdict {
    fn wrong(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// P2.
    fn commands_once(&mut self, facts: &Facts) {
        for ((id, attempt), seen) in facts.commands.iter().filter(|(_, seen)| **seen != 1) {
            self.wrong(format!(
                "command {id} attempt {attempt} was visible {seen} times"
            ));
        }
    }

    /// P1: one instance in a final state, or parked, or one dead letter.
    fn one_end_each(&mut self, world: &World, facts: &Facts) {
        let mut started: BTreeMap<&str, u32> = BTreeMap::new();
        for fact in &facts.history {
            if fact.revision_before.is_none() && fact.revision_after.is_some() {
                *started.entry(fact.saga.as_str()).or_default() += 1;
            }
        }
        for key in world.triggered() {
            let id = format!("order/{key}");
            let ended = facts
                .journal
                .get(&id)
                .map(|d| state::decode(d).expect("readable document").status);
            let letters = facts
                .dead_letters
                .iter()
                .filter(|l| l.headers.text("test-key") == Some(&key))
                .count();
            match (started.get(id.as_str()), ended, letters) {
                (Some(1), Some(status), 0) if status.is_final() || status == Status::Parked => {}
                (None, None, 1) => {}
                other => self.wrong(format!(
                    "{id} ended as {other:?} (starts, status, dead letters)"
                )),
            }
        }
    }

    /// P3, P4: effects stand exactly for completed sagas.
    fn ledger_agrees(&mut self, world: &World, facts: &Facts) {
        let ledger = world.ledger.entries();
        for (id, bytes) in &facts.journal {
            let instance = state::decode(bytes).expect("readable document");
            let of_saga = |entry: &(&String, &Entry)| {
                entry.0.rsplit_once('/').is_some_and(|(saga, _)| saga == id)
            };
            let effects: BTreeSet<&String> = ledger
                .iter()
                .filter(of_saga)
                .filter(|(_, e)| matches!(e, Entry::Effect(_)))
                .map(|(c, _)| c)
                .collect();
            match instance.status {
                Status::Completed if id.starts_with("order/") && effects.len() != 3 => {
                    self.wrong(format!("{id} is completed with effects {effects:?}"));
                }
                Status::Compensated if effects.iter().any(|c| !world.is_harmless(c)) => {
                    self.wrong(format!(
                        "{id} is compensated but effects stand: {effects:?}"
                    ));
                }
                _ => {}
            }
        }
    }

    /// P6, P12: revisions of a saga rise by one per change and never fall.
    fn facts_in_order(&mut self, facts: &Facts) {
        let mut revisions: BTreeMap<&str, u64> = BTreeMap::new();
        for fact in &facts.history {
            let known = revisions.get(fact.saga.as_str()).copied();
            if fact.revision_before != known {
                self.saga.get_or_insert_with(|| fact.saga.to_string());
                self.wrong(format!(
                    "{}: fact at {}/{} begins at revision {:?}, known is {known:?}",
                    fact.saga, fact.lane, fact.offset, fact.revision_before
                ));
            }
            match fact.revision_after {
                Some(after) => revisions.insert(fact.saga.as_str(), after),
                None => revisions.remove(fact.saga.as_str()),
            };
        }
    }

    /// P9: the store is the journal's fold.
    fn store_equals_journal(&mut self, world: &World) {
        let begun = Instant::now();
        loop {
            let (journal, store) = (world.journal(), stored(world));
            if journal == store {
                return;
            }
            // The last store commit goes out when its worker is idle.
            if begun.elapsed() > Duration::from_secs(15) {
                let differing: Vec<_> = journal
                    .iter()
                    .filter(|(id, d)| store.get(*id) != Some(d))
                    .map(|(id, _)| id)
                    .collect();
                let extra: Vec<_> = store
                    .keys()
                    .filter(|id| !journal.contains_key(*id))
                    .collect();
                return self.wrong(format!(
                    "store differs from the journal for {differing:?}, has extra {extra:?}"
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// All documents of the store.
fn stored(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut store = RedisStore::open(&world.store(), &world.app).expect("the store answers");
    let mut documents = BTreeMap::new();
    for lane in 0..LANES {
        let mut cursor = 0;
        loop {
            let (ids, next) = store.scan(lane, cursor).expect("a page");
            for id in ids {
                if let Some(document) = store.document(lane, &id).expect("a document") {
                    documents.insert(id, document);
                }
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
    }
    documents
}
