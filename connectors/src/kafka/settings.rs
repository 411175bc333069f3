//! Settings of the clients, in one place.
//!
//! Absent on purpose: `socket.timeout.ms` of producers. librdkafka's transactional calls are bounded by their own time limits, and a
//! shorter socket timeout makes it resend requests whose first copy may still arrive.

use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use crate::log::{Options, Timeouts};

use super::KafkaCluster;

/// What every client is made from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Addresses of the brokers, also for messages.
    pub brokers: String,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Transactional id of the transactional producer, if wanted.
    pub transactional_id: Option<String>,
    /// Name of the client.
    pub client_id: String,
    more: Vec<(String, String)>,
}

impl Settings {
    /// Settings of one log.
    pub fn new(cluster: &KafkaCluster, options: &Options) -> Self {
        Self {
            brokers: cluster.brokers.clone(),
            timeouts: options.timeouts.clone(),
            transactional_id: options.transactional_id.clone(),
            client_id: options.client_id.clone(),
            more: cluster.settings.clone(),
        }
    }

    /// Time limit of one record, from the hand-over to its acknowledgement. It must be below that of the transaction.
    pub fn message_timeout(&self) -> Duration {
        self.timeouts.transaction * 4 / 5
    }

    /// A producer without transactions.
    pub fn plain_producer(&self) -> ClientConfig {
        self.with(&[
            ("linger.ms", "0"),
            ("enable.idempotence", "true"),
            ("partitioner", "murmur2_random"),
            ("compression.type", "lz4"),
            ("retry.backoff.ms", "10"),
            ("batch.num.messages", "10000"),
            ("batch.size", BATCH_BYTES_MAX),
            ("message.max.bytes", MESSAGE_BYTES_MAX),
            ("queue.buffering.max.messages", "1000000"),
            // How long a topic may be unknown. Topics are looked up before the first record, so this is for deleted ones.
            ("topic.metadata.propagation.max.ms", "1000"),
            ("message.timeout.ms", &ms(self.message_timeout())),
        ])
    }

    /// A producer with transactions.
    pub fn transactional_producer(&self, transactional_id: &str) -> ClientConfig {
        let mut config = self.plain_producer();
        config.set("transactional.id", transactional_id);
        config.set("transaction.timeout.ms", ms(self.timeouts.transaction));
        config
    }

    /// A group member.
    pub fn member(&self, group: &str) -> ClientConfig {
        let timeouts = &self.timeouts;
        let mut config = self.committed_consumer(group);
        config.set("partition.assignment.strategy", "range");
        config.set("session.timeout.ms", ms(timeouts.session));
        config.set("heartbeat.interval.ms", ms(timeouts.session / 4));
        config.set("max.poll.interval.ms", ms(timeouts.poll_interval));
        // A topic may be created after its readers joined; the usual five minutes would look like a hang.
        config.set("topic.metadata.refresh.interval.ms", "5000");
        // Bounds synchronous offset commits. It must leave room for a fetch that waits at the broker.
        config.set(
            "socket.timeout.ms",
            ms(timeouts.request.max(Duration::from_secs(2))),
        );
        self.override_with(config)
    }

    /// A reader without membership. Its group id exists because the client library wants one; nothing is ever committed to it.
    pub fn reader(&self) -> ClientConfig {
        let mut config = self.committed_consumer(&format!("{}.reader", self.client_id));
        config.set("enable.partition.eof", "true");
        // The end of a partition is told with an empty answer: a long wait at the broker would delay it.
        config.set("fetch.wait.max.ms", "10");
        config.set("queued.max.messages.kbytes", "16384");
        self.override_with(config)
    }

    /// A client that asks for offsets and metadata, and sees uncommitted ends.
    pub fn probe(&self) -> ClientConfig {
        let mut config = self.with(&[
            ("isolation.level", "read_uncommitted"),
            ("allow.auto.create.topics", "false"),
        ]);
        config.set_log_level(RDKafkaLogLevel::Critical);
        config
    }

    /// A client for the administration of topics.
    pub fn admin(&self) -> ClientConfig {
        self.with(&[])
    }

    fn committed_consumer(&self, group: &str) -> ClientConfig {
        self.with(&[
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("isolation.level", "read_committed"),
            ("auto.offset.reset", "error"),
            ("allow.auto.create.topics", "false"),
            ("fetch.queue.backoff.ms", "10"),
            ("fetch.wait.max.ms", "100"),
            ("queued.min.messages", "20000"),
        ])
    }

    fn with(&self, own: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", &self.client_id);
        config.set("reconnect.backoff.max.ms", "1000");
        // Info carries the broken connections that taint a transaction.
        config.set_log_level(RDKafkaLogLevel::Info);
        for (name, value) in own {
            config.set(*name, *value);
        }
        self.override_with(config)
    }

    fn override_with(&self, mut config: ClientConfig) -> ClientConfig {
        for (name, value) in &self.more {
            config.set(name, value);
        }
        config
    }
}

fn ms(duration: Duration) -> String {
    duration.as_millis().to_string()
}

/// How long the end of a client may take before it is left to end by itself.
pub const RETIRE_WAIT: Duration = Duration::from_secs(3);

/// A broker judges whole batches by the topic's `max.message.bytes` (1 MiB by default), so batches of small records stay well below.
const BATCH_BYTES_MAX: &str = "262144";

/// The client's own limit of one record is out of the way of the topics', which are what counts.
const MESSAGE_BYTES_MAX: &str = "16777216";
