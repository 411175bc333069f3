//! What the configuration means: every value present, checked, in its own type.
//!
//! Absent on purpose: the forms in which values are written (see [`super::typed`]).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use connectors::kafka::KafkaCluster;
use connectors::log;
use connectors::redis::RedisAddress;
use connectors::registry::Sources;
use schemas::event::Format;
use schemas::signature::Keys;
use schemas::topics;

use super::value::Secret;
use crate::engine::Budget;
use crate::ingress::limit;

/// The resolved configuration of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Prefix of topics and of store keys.
    pub app: String,
    /// Names of the installation's topics.
    pub names: topics::Topics,
    /// Name of this process.
    pub instance: String,
    /// Number of lanes.
    pub lanes: u32,
    /// Engine threads.
    pub workers: u32,
    /// What this process does.
    pub roles: Roles,
    /// Definitions to deploy at start.
    pub deploy: Option<PathBuf>,
    /// The Kafka cluster.
    pub kafka: Kafka,
    /// The Redis server.
    pub redis: Redis,
    /// Time limits; the relation between them holds.
    pub timeouts: log::Timeouts,
    /// Bounds of one batch.
    pub batch: log::Bounds,
    /// Dead letters after which ingress stops a topic.
    pub ingress: limit::Bounds,
    /// How often commands are sent again.
    pub resend: Budget,
    /// Where metrics and health are served; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// Topics.
    pub topics: Topics,
    /// Where schemas of business events come from.
    pub schemas: Sources,
    /// Signatures.
    pub inbox: Inbox,
    /// Messages on stderr.
    pub log: Log,
}

impl Settings {
    /// `<app>.<role>.<instance>.<worker>`: the transactional id of a worker.
    pub fn transactional_id(&self, role: &str, worker: u32) -> String {
        format!("{}.{role}.{}.{worker}", self.app, self.instance)
    }
}

/// The Kafka cluster.
#[derive(Debug, Clone)]
pub struct Kafka {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// Further settings of the client.
    pub settings: BTreeMap<String, Secret>,
}

/// The Redis server.
#[derive(Debug, Clone)]
pub struct Redis {
    /// Address with credentials.
    pub url: Secret,
}

impl Kafka {
    /// The cluster as the connector wants it.
    pub fn cluster(&self) -> KafkaCluster {
        let expose = |(name, value): (&String, &Secret)| (name.clone(), value.expose().to_owned());
        KafkaCluster {
            brokers: self.brokers.clone(),
            settings: self.settings.iter().map(expose).collect(),
        }
    }
}

impl Redis {
    /// The server as the connector wants it.
    pub fn server(&self) -> RedisAddress {
        RedisAddress::new(self.url.expose())
    }

    /// The address without credentials, for messages.
    pub fn address(&self) -> String {
        super::value::without_credentials(self.url.expose())
    }
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// It owns lanes.
    pub engine: bool,
    /// It turns business events into inbox records.
    pub ingress: bool,
}

/// Topics.
#[derive(Debug, Clone)]
pub struct Topics {
    /// Create missing command topics.
    pub create_missing: bool,
    /// How their values are written, where that is set.
    pub formats: BTreeMap<String, Format>,
}

/// Signatures of inbox records.
#[derive(Debug, Clone)]
pub struct Inbox {
    /// The first signs, all verify.
    pub keys: Keys,
    /// Refuse what is not signed.
    pub require_signature: bool,
}

/// Messages on stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Lines for machines.
    pub json: bool,
    /// Levels.
    pub filter: String,
}

/// Longest an idle worker may wait: recovery, timers and health need a turn at least once a second.
pub const WAIT_MAX: Duration = Duration::from_secs(1);
