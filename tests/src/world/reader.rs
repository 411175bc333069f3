//! Reading topics again and again at little cost: what was read once is kept.
//!
//! Absent on purpose: the oracle's look at the end, which reads everything anew.

use std::collections::BTreeMap;
use std::time::Duration;

use connectors::kafka::KafkaLog;
use connectors::log::{Error, Log};
use schemas::record::{Partition, Received};

/// A reader that remembers.
pub(super) struct Reader {
    log: KafkaLog,
    partitions: BTreeMap<Partition, Known>,
    trouble: Option<Error>,
}

#[derive(Default)]
struct Known {
    next: i64,
    records: Vec<Received>,
}

impl Reader {
    /// A reader that knows nothing yet.
    pub(super) fn new(log: KafkaLog) -> Self {
        Self {
            log,
            partitions: BTreeMap::new(),
            trouble: None,
        }
    }

    /// All committed records of a topic, in order of each partition; none of a topic that does not exist.
    pub(super) fn topic(&mut self, topic: &str) -> Vec<Received> {
        let partitions = self.log.topic(topic).expect("topic looked up");
        let partitions = partitions.map_or(0, |topic| topic.partitions);
        let read = |number| self.partition(&Partition::new(topic, number));
        (0..partitions).flat_map(read).collect()
    }

    /// What it knows, for a test that failed: positions, numbers of records and its last trouble.
    pub(super) fn state(&self) -> String {
        let partitions = self.partitions.iter();
        let lines = partitions.map(|(p, known)| {
            format!(
                "{}/{} at {}: {} records",
                p.topic,
                p.number,
                known.next,
                known.records.len()
            )
        });
        let lines: Vec<String> = lines.collect();
        format!("{}\nlast trouble: {:?}", lines.join("\n"), self.trouble)
    }

    fn partition(&mut self, partition: &Partition) -> Vec<Received> {
        let known = self.partitions.entry(partition.clone()).or_default();
        // A broker that restarts, or a topic that was created anew a moment ago, answers at the next look.
        let extent = match self.log.extent(partition) {
            Ok(extent) => extent,
            Err(error) => {
                self.trouble = Some(error);
                return known.records.clone();
            }
        };
        if extent.stable_end < known.next {
            *known = Known::default();
        }
        while known.next < extent.stable_end {
            let from = known.next.max(extent.begin);
            let chunk = self
                .log
                .read(partition, from, extent.stable_end, 10_000, WAIT);
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    self.trouble = Some(error);
                    break;
                }
            };
            known.records.extend(chunk.records);
            if chunk.next <= known.next {
                break;
            }
            known.next = chunk.next;
        }
        known.records.clone()
    }
}

const WAIT: Duration = Duration::from_millis(500);
