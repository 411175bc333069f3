//! Topics: their partitions, settings and what they accept.
//!
//! Absent on purpose: replication, access rules (see [`Topic::writable`] for the one switch that tests need).

use std::collections::BTreeMap;

use schemas::lane::murmur2;
use schemas::record::{Headers, Outgoing, Partition, Received};

use super::partition::PartitionLog;
use crate::log::{Error, TopicInfo, TopicSpec};

/// One topic.
#[derive(Debug)]
pub(super) struct Topic {
    partitions: Vec<PartitionLog>,
    config: BTreeMap<String, String>,
    message_bytes_max: usize,
    /// Where the next record without key and partition goes.
    turn: u32,
    /// May anybody write? Switched off by tests.
    pub(super) writable: bool,
}

impl Topic {
    /// A topic as specified.
    ///
    /// # Errors
    /// [`Error::Fatal`] for no partitions or a limit that is no number.
    pub(super) fn new(spec: &TopicSpec) -> Result<Self, Error> {
        let mut config = defaults();
        config.extend(spec.config.iter().cloned());
        let limit = &config["max.message.bytes"];
        let message_bytes_max = limit.parse().map_err(|_| invalid(&spec.name, limit))?;
        if spec.partitions == 0 {
            return Err(invalid(&spec.name, "0 partitions"));
        }
        Ok(Self {
            partitions: (0..spec.partitions)
                .map(|_| PartitionLog::default())
                .collect(),
            config,
            message_bytes_max,
            turn: 0,
            writable: true,
        })
    }

    /// What the topic tells of itself.
    pub(super) fn info(&self) -> TopicInfo {
        TopicInfo {
            partitions: self.count(),
            message_bytes_max: Some(self.message_bytes_max),
            config: self.config.clone().into_iter().collect(),
        }
    }

    /// Number of partitions.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    /// One partition.
    pub(super) fn partition(&self, number: u32) -> Option<&PartitionLog> {
        self.partitions.get(number as usize)
    }

    /// One partition, to be changed.
    pub(super) fn partition_mut(&mut self, number: u32) -> Option<&mut PartitionLog> {
        self.partitions.get_mut(number as usize)
    }

    /// All partitions, to be changed.
    pub(super) fn partitions_mut(&mut self) -> impl Iterator<Item = &mut PartitionLog> {
        self.partitions.iter_mut()
    }

    /// The partition a record goes to, if the topic accepts it.
    ///
    /// # Errors
    /// [`Error::Record`] with the reason.
    pub(super) fn accept(&mut self, record: &Outgoing) -> Result<u32, Error> {
        let refused = |reason: &str| Err(refuse(&record.topic, reason));
        if !self.writable {
            return refused("not authorised to write");
        }
        if record.size() > self.message_bytes_max {
            return refused("message too large");
        }
        if record.key.is_none() && self.compacted() {
            return refused("a compacted topic takes no record without key");
        }
        match self.choose(record) {
            number if number < self.count() => Ok(number),
            _ => refused("unknown partition"),
        }
    }

    fn compacted(&self) -> bool {
        self.config["cleanup.policy"].contains("compact")
    }

    fn choose(&mut self, record: &Outgoing) -> u32 {
        match (record.partition, &record.key) {
            (Some(number), _) => number,
            (None, Some(key)) => (murmur2(key) & 0x7fff_ffff) % self.count(),
            (None, None) => {
                self.turn = (self.turn + 1) % self.count();
                self.turn
            }
        }
    }
}

/// The record as the partition will hold it; offset and time come with [`PartitionLog::append`].
pub(super) fn draft(record: &Outgoing) -> Received {
    Received {
        partition: Partition::new(record.topic.clone(), 0),
        offset: 0,
        timestamp_ms: 0,
        key: record.key.clone(),
        value: record.value.clone(),
        headers: Headers(record.headers.0.clone()),
    }
}

/// The refusal of a record.
pub(super) fn refuse(topic: &str, reason: &str) -> Error {
    Error::Record {
        reason: format!("topic `{topic}`: {reason}"),
    }
}

fn invalid(topic: &str, what: &str) -> Error {
    Error::Fatal {
        reason: format!("topic `{topic}` cannot be created: invalid setting {what}"),
    }
}

fn defaults() -> BTreeMap<String, String> {
    [
        ("cleanup.policy", "delete"),
        ("max.message.bytes", "2097152"),
        ("message.timestamp.type", "LogAppendTime"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}
