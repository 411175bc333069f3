//! Questions about topics and ends of partitions, asked by a client that belongs to no group.
//!
//! Absent on purpose: reading records ([`super::reader`]), and caching of ends (they are asked for because they change).

use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::{Metadata, MetadataTopic};
use schemas::record::Partition;

use crate::log::Error;

use super::settings::Settings;
use super::{failure, record};

/// A client for questions.
pub struct Probe {
    client: BaseConsumer<DefaultConsumerContext>,
    brokers: String,
    wait: Duration,
}

impl Probe {
    /// Opens it and checks that the cluster answers.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the address if no broker answers.
    pub fn open(settings: &Settings) -> Result<Self, Error> {
        let client = settings
            .probe()
            .create()
            .map_err(|e| failure::of(&e, "open"))?;
        let probe = Self {
            client,
            brokers: settings.brokers.clone(),
            wait: settings.timeouts.request,
        };
        match probe.client.client().fetch_cluster_id(probe.wait) {
            Some(_) => Ok(probe),
            None => Err(failure::timeout(&format!("Kafka at {}", probe.brokers))),
        }
    }

    /// Whether any broker answers within `wait`.
    pub fn is_alive(&self, topic: &str, wait: Duration) -> bool {
        self.client.fetch_metadata(Some(topic), wait).is_ok()
    }

    /// Whether the topic exists; `None` if nobody says so within `wait`.
    pub fn exists(&self, topic: &str, wait: Duration) -> Option<bool> {
        let metadata = self.client.fetch_metadata(Some(topic), wait).ok()?;
        let found = metadata.topics().iter().find(|t| t.name() == topic);
        match found.and_then(MetadataTopic::error).map(Code::from) {
            None => Some(true),
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Some(false),
            Some(_) => None,
        }
    }

    /// Oldest offset and high watermark.
    pub fn extent(&self, partition: &Partition) -> Result<(i64, i64), Error> {
        self.drain();
        let number = record::signed(partition.number);
        let ask = || {
            let client = &self.client;
            client.fetch_watermarks(&partition.topic, number, self.wait)
        };
        let told = failure::while_leaderless(self.wait, ask);
        told.map_err(|e| failure::of_read(&e, &format!("ends of {partition:?}")))
    }

    /// The first offset at or after a time. Uncommitted records count: a caller that starts there must not miss them.
    pub fn offset_at(&self, partition: &Partition, time_ms: i64) -> Result<i64, Error> {
        let asked = record::offset_list(&[(partition.clone(), time_ms.max(0))], "")?;
        let what = format!("offset at {time_ms} of {partition:?}");
        let ask = || self.client.offsets_for_times(asked.clone(), self.wait);
        let told = failure::while_leaderless(self.wait, ask);
        let told = told.map_err(|e| failure::of_read(&e, &what))?;
        let elements = told.elements();
        let element = elements.first().ok_or_else(|| failure::timeout(&what))?;
        element.error().map_err(|e| failure::of_read(&e, &what))?;
        match element.offset() {
            Offset::Offset(offset) => Ok(offset),
            _ => self.extent(partition).map(|(_, end)| end),
        }
    }

    /// Partitions of a topic; `None` if it does not exist.
    pub fn partitions(&self, topic: &str) -> Result<Option<u32>, Error> {
        self.drain();
        let what = format!("topic {topic}");
        let metadata = self.metadata(Some(topic), &what)?;
        let Some(found) = metadata.topics().iter().find(|t| t.name() == topic) else {
            return Ok(None);
        };
        match found.error().map(Code::from) {
            None => Ok(Some(count(found))),
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Ok(None),
            // A name that cannot exist does not exist.
            Some(Code::InvalidTopic) => Ok(None),
            Some(code) => Err(failure::of_code(code, format!("{what}: {code}"))),
        }
    }

    /// Names of all topics with this prefix, sorted.
    pub fn topic_names(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.drain();
        let metadata = self.metadata(None, "topics")?;
        let names = metadata.topics().iter().map(MetadataTopic::name);
        let mut names: Vec<String> = names
            .filter(|name| name.starts_with(prefix))
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn metadata(&self, topic: Option<&str>, what: &str) -> Result<Metadata, Error> {
        self.client
            .fetch_metadata(topic, self.wait)
            .map_err(|e| match e {
                KafkaError::MetadataFetch(code) => {
                    failure::of_code(code, format!("{what} at {}: {e}", self.brokers))
                }
                e => failure::of(&e, what),
            })
    }

    /// Log lines and errors of this client wait in a queue until somebody polls.
    fn drain(&self) {
        for _ in 0..QUEUE_STEPS {
            let _ = self.client.poll(Duration::ZERO);
        }
    }
}

fn count(topic: &MetadataTopic) -> u32 {
    u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX)
}

const QUEUE_STEPS: usize = 4;
