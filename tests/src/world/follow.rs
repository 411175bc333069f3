//! Follows the journal: reads only what is new, so that a test that waits costs little; and what all processes said.
//!
//! Absent on purpose: judgement (see `oracle`).

use std::collections::BTreeMap;
use std::time::Duration;

use connectors::kafka::KafkaLog;
use connectors::log::Log;
use saga_lib::instance::{Instance, Status};
use schemas::journal::{self, JournalRecord};
use schemas::record::Partition;
use schemas::{history, state};

use super::{LANES, World};

/// A reader of the journal that remembers where it was.
pub(super) struct Follower {
    log: KafkaLog,
    topic: String,
    next: BTreeMap<u32, i64>,
    instances: BTreeMap<String, Instance>,
}

impl Follower {
    /// Begins at the journal's beginning.
    pub fn new(world: &World) -> Self {
        Self {
            log: world.log(),
            topic: world.names().journal(),
            next: BTreeMap::new(),
            instances: BTreeMap::new(),
        }
    }

    /// Takes what was committed since. A broker that does not answer now is asked again later.
    pub fn read_on(&mut self) {
        for lane in 0..LANES {
            let partition = Partition::new(self.topic.clone(), lane);
            let Ok(extent) = self.log.extent(&partition) else {
                return;
            };
            let from = *self.next.entry(lane).or_insert(extent.begin);
            if from >= extent.stable_end {
                continue;
            }
            let Ok(chunk) = self.log.read(
                &partition,
                from,
                extent.stable_end,
                10_000,
                Duration::from_secs(1),
            ) else {
                return;
            };
            self.next.insert(lane, chunk.next);
            for record in &chunk.records {
                self.take(&journal::decode(record).expect("journal record"));
            }
        }
    }

    fn take(&mut self, record: &JournalRecord) {
        if let JournalRecord::Image { id, document } = record {
            match document {
                Some(bytes) => self.instances.insert(
                    id.to_string(),
                    state::decode(bytes).expect("readable document"),
                ),
                None => self.instances.remove(id.as_str()),
            };
        }
    }

    /// The saga's newest status.
    pub fn status(&self, id: &str) -> Option<Status> {
        self.instances.get(id).map(|instance| instance.status)
    }

    /// The saga's newest state.
    pub fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.get(id)
    }
}

impl World {
    /// What became of a saga's inputs, in the order of the history, and how far its lane had come.
    pub fn timeline(&self, saga: &str) -> String {
        let (mut text, mut lane) = (String::new(), 0);
        for record in self.read(&self.names().history()) {
            let fact = history::decode(&record).expect("a fact");
            if fact.saga.as_str() == saga {
                lane = record.partition.number;
                let (before, after) = (fact.revision_before, fact.revision_after);
                let commands: Vec<_> = fact
                    .commands
                    .iter()
                    .map(|command| format!("{command:?}"))
                    .collect();
                text.push_str(&format!(
                    "{} history {}: inbox {}, {before:?} -> {after:?} {commands:?}\n",
                    record.timestamp_ms, record.offset, fact.offset
                ));
            }
        }
        for record in self
            .read(&self.names().journal())
            .iter()
            .filter(|r| r.partition.number == lane)
        {
            match journal::decode(record).expect("journal record") {
                JournalRecord::Header(header) => {
                    text.push_str(&format!(
                        "{} journal {}: lane {lane} to {}\n",
                        record.timestamp_ms, record.offset, header.end
                    ));
                }
                JournalRecord::Image { id, .. } if id.as_str() == saga => {
                    text.push_str(&format!(
                        "{} journal {}: image\n",
                        record.timestamp_ms, record.offset
                    ));
                }
                _ => {}
            }
        }
        text
    }

    /// Where an order is found: topics, partitions and offsets of its records, commands and facts.
    pub fn trace(&self, key: &str) -> String {
        let names = self.names();
        let mut topics = vec![
            format!("{}-orders", self.app),
            names.inbox(),
            names.history(),
            names.journal(),
        ];
        topics.extend(
            ["stock", "payment", "shipping"]
                .map(|service| format!("{}-{service}.commands", self.app)),
        );
        let mut text = String::new();
        for topic in topics {
            let records = self.read(&topic);
            let of_key = records.iter().filter(|r| {
                r.key
                    .as_deref()
                    .is_some_and(|k| k.ends_with(key.as_bytes()))
            });
            let places: Vec<String> = of_key
                .map(|r| format!("{}/{}", r.partition.number, r.offset))
                .collect();
            text.push_str(&format!(
                "{topic}: {} of {} records: {places:?}\n",
                places.len(),
                records.len()
            ));
        }
        text
    }

    /// What every process of the world said so far, those that were stopped as planned excepted.
    pub fn outputs(&self) -> String {
        let mut text = String::new();
        for folder in std::fs::read_dir(self.directory())
            .into_iter()
            .flatten()
            .flatten()
        {
            let log = folder.path().join("log");
            if let Ok(said) = std::fs::read_to_string(&log) {
                text.push_str(&format!("--- {}\n{said}\n", log.display()));
            }
        }
        text
    }

    /// The alarm of a lane that stopped, if one did.
    pub fn stopped_lane(&self) -> Option<String> {
        self.outputs()
            .lines()
            .find(|line| line.contains("Lane stopped"))
            .map(str::to_owned)
    }
}
