//! What somebody wrote: every key of `skald.toml`, all of them optional.
//!
//! Field docs are the reference for users. Names in environment variables are the same in capitals, joined by `_`:
//! `timeouts.poll_interval` is `SKALD_TIMEOUTS_POLL_INTERVAL`.
//!
//! Absent on purpose: defaults and checks (see [`super::resolve`]).

use std::path::PathBuf;

use serde::Deserialize;

use super::value::{Dotted, Secret, Size, Span, Words};

/// The root of `skald.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Typed {
    /// Name of the installation: prefix of its topics and of its keys in Redis. Default `skald`.
    pub app: Option<String>,
    /// Name of this process, different for every process of an installation. Default: the host name.
    pub instance: Option<String>,
    /// Number of lanes, fixed at the first start for the life of the installation. Default 4.
    pub lanes: Option<u32>,
    /// Engine threads of this process. Default 1; more than lanes are of no use.
    pub workers: Option<u32>,
    /// What this process does: `engine`, `ingress`. Default: both.
    pub roles: Option<Words>,
    /// Directory with definitions to deploy at start.
    pub deploy: Option<PathBuf>,
    /// The Kafka cluster.
    pub kafka: Kafka,
    /// The Redis server.
    pub redis: Redis,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Bounds of one batch.
    pub batch: Batch,
    /// Turning business events into inbox records.
    pub ingress: Ingress,
    /// Commands that are sent again.
    pub resend: Resend,
    /// Metrics and health.
    pub http: Http,
    /// Topics.
    pub topics: Topics,
    /// The schema registry.
    pub registry: Registry,
    /// Schemas in files.
    pub schemas: Schemas,
    /// Signatures of inbox records.
    pub inbox: Inbox,
    /// Messages on stderr.
    pub log: Log,
}

/// `[kafka]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kafka {
    /// Addresses, `host:port`, as a list or separated by commas. Default `127.0.0.1:9092`.
    pub brokers: Option<Words>,
    /// Further settings of the client by librdkafka's names, such as `security.protocol` and `sasl.password`.
    pub settings: Dotted,
}

/// `[redis]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redis {
    /// Address, `redis://[user:password@]host:port[/db]`. Default `redis://127.0.0.1:6379`.
    pub url: Option<Secret>,
}

/// `[timeouts]`: `transaction` < `session` < `poll_interval`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// A transaction that is open longer is aborted by the broker. Default `5s`.
    pub transaction: Option<Span>,
    /// A process that is silent longer loses its lanes; the broker's `group.min.session.timeout.ms` is the floor. Default `10s`.
    pub session: Option<Span>,
    /// A worker that does not poll for longer loses its lanes. Default `60s`.
    pub poll_interval: Option<Span>,
}

/// `[batch]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// Records at most. Default 1000.
    pub records: Option<usize>,
    /// Bytes of keys and values at most; the first record is always taken. Default `4MiB`.
    pub bytes: Option<Size>,
    /// How long an idle worker waits for a first record before it looks at its timers. Default `50ms`, at most `1s`.
    pub wait: Option<Span>,
}

/// `[ingress]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ingress {
    /// A topic with more dead letters in a row is stopped. Default 1000.
    pub dead_letters_in_a_row: Option<u32>,
    /// A topic of whose newest 10,000 records (at least 1,000) a larger share became dead letters is stopped. Default 0.5; 1 never stops.
    pub dead_letters_ratio: Option<f64>,
}

/// `[resend]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resend {
    /// Commands sent again per second and target, in the long run and by all processes together. Default 100.
    pub per_second: Option<u32>,
    /// Commands of a target that may be sent again at once after a quiet time. Default 200.
    pub burst: Option<u32>,
}

/// `[http]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where `/metrics`, `/livez`, `/readyz` and `/version` are served, or `off`. Default `127.0.0.1:9464`.
    pub listen: Option<String>,
}

/// `[topics]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Topics {
    /// Create the command topics that definitions name and the cluster lacks. Default `false`: they are only checked.
    pub create_missing: Option<bool>,
    /// How values of a topic are written, where records do not tell or tell wrongly: `json`, `cloudevents`, `avro`, `avro:<type name>`,
    /// `avro-bare:<type name>`. In the environment: `SKALD_TOPICS_FORMATS=topic=format,topic=format`.
    pub formats: Dotted,
}

/// `[registry]`: a schema registry with Confluent's REST API.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registry {
    /// Base address, such as `http://registry:8081` or `https://apicurio/apis/ccompat/v7`. Default: none.
    pub url: Option<String>,
    /// User of basic authentication.
    pub user: Option<String>,
    /// Password of basic authentication.
    pub password: Option<Secret>,
    /// Longest wait for one answer. Default `2s`.
    pub timeout: Option<Span>,
}

/// `[schemas]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schemas {
    /// Folder with `.avsc` files, read at start. Default: none.
    pub folder: Option<PathBuf>,
}

/// `[inbox]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Inbox {
    /// Keys for signatures: the first signs, all verify. In the environment: `SKALD_INBOX_SECRETS=id=secret,id=secret`.
    pub secrets: Vec<InboxSecret>,
    /// Refuse inbox records (other than replies) without a valid signature. Default `false`. Set it after all processes have secrets.
    pub require_signature: Option<bool>,
}

/// One of `[[inbox.secrets]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboxSecret {
    /// Name of the key, written into every signature.
    pub id: String,
    /// The key itself, at least 16 bytes.
    pub secret: Secret,
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` or `json`. Default `text`.
    pub format: Option<String>,
    /// Levels, as in `info` or `info,orchestrator::engine=debug`. Default `info`.
    pub filter: Option<String>,
}
