//! A small world around real processes: an installation with its own topics, `skald serve` processes, participants with a ledger, and
//! an oracle that looks at everything from outside.
//!
//! Absent on purpose: fault schedules (tests have them), and any look inside of the processes.

mod follow;
pub mod hands;
mod load;
mod oracle;
mod process;
mod reader;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use connectors::kafka::{KafkaCluster, KafkaLog};
use connectors::log::{Log, Options, Timeouts, TopicSpec};
use connectors::participant::{Answer, Command, MemoryLedger, Participant, Running};
use connectors::redis::RedisAddress;
use saga_lib::ir::{Compensation, Definition, Kind};
use schemas::record::{Headers, Outgoing};
use serde_json::json;

use crate::harness;
pub use load::mixed;
pub use oracle::{End, Facts, Verdict};
pub use process::{Ended, Skald, binary, run_to_end};

/// Lanes of a world.
pub const LANES: u32 = 4;

/// Time limits of the test profile (`group.min.session.timeout.ms=1000` on the broker).
pub fn timeouts() -> Timeouts {
    Timeouts {
        transaction: Duration::from_millis(1500),
        session: Duration::from_secs(2),
        poll_interval: Duration::from_secs(10),
        request: Duration::from_secs(5),
    }
}

/// One installation on a broker and a Redis server.
pub struct World {
    /// App name; every topic of the world contains it.
    pub app: String,
    /// The broker's address.
    pub kafka: String,
    /// The Redis URL.
    pub redis: String,
    /// Effects of all participants by forward command id.
    pub ledger: MemoryLedger,
    directory: tempfile::TempDir,
    triggered: Mutex<Vec<String>>,
    /// Command topics beside those of the order saga.
    commanded: Mutex<BTreeSet<String>>,
    /// Steps that leave nothing to compensate.
    harmless: Mutex<BTreeSet<String>>,
    next: AtomicU64,
    reader: Mutex<Option<reader::Reader>>,
}

impl World {
    /// A world on the servers that all tests of the binary share, with the order saga deployed at start.
    pub fn new() -> Self {
        Self::on(harness::kafka().address(), harness::redis().url())
    }

    /// A world on these servers.
    pub fn on(kafka: &str, redis: &str) -> Self {
        // Participants live in the test's process: what they complain of belongs to its output. Only the first world sets it up.
        let _ = tracing_subscriber::fmt()
            .with_env_filter("warn")
            .with_ansi(false)
            .with_test_writer()
            .try_init();
        let world = Self {
            app: harness::unique("w").replace('.', "-"),
            kafka: kafka.to_owned(),
            redis: redis.to_owned(),
            ledger: MemoryLedger::default(),
            directory: tempfile::tempdir().expect("a temporary directory"),
            triggered: Mutex::default(),
            commanded: Mutex::default(),
            harmless: Mutex::default(),
            next: AtomicU64::new(1),
            reader: Mutex::default(),
        };
        std::fs::create_dir(world.directory.path().join("sagas"))
            .expect("a folder for definitions");
        world.define("order.yaml", include_str!("world/order.yaml"));
        world.configure("");
        world.create_topics();
        world
    }

    /// Puts a definition into the folder that processes deploy; `APP` in its text becomes the app's name.
    pub fn define(&self, file: &str, text: &str) {
        let path = self.directory.path().join("sagas").join(file);
        std::fs::write(path, text.replace("APP", &self.app)).expect("definition written");
    }

    /// Writes `skald.toml`; `more` is appended.
    pub fn configure(&self, more: &str) {
        let text = format!(
            "app = \"{}\"\nlanes = {LANES}\ndeploy = \"{}\"\n\n[kafka]\nbrokers = \"{}\"\n\n[redis]\nurl = \"{}\"\n\n\
             [timeouts]\ntransaction = \"1500ms\"\nsession = \"2s\"\npoll_interval = \"10s\"\n\n[topics]\ncreate_missing = true\n\n\
             [http]\nlisten = \"off\"\n\n[log]\nfilter = \"info\"\n{more}",
            self.app,
            self.directory.path().join("sagas").display(),
            self.kafka,
            self.redis,
        );
        std::fs::write(self.directory.path().join("skald.toml"), text)
            .expect("configuration written");
    }

    /// Path of `skald.toml`.
    pub fn config(&self) -> std::path::PathBuf {
        self.directory.path().join("skald.toml")
    }

    /// Folder for files of the test.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// The cluster.
    pub fn cluster(&self) -> KafkaCluster {
        KafkaCluster::new(self.kafka.clone())
    }

    /// The store's address.
    pub fn store(&self) -> RedisAddress {
        RedisAddress::new(self.redis.clone())
    }

    /// A log without group and transactions.
    pub fn log(&self) -> KafkaLog {
        let options = Options {
            client_id: "test".into(),
            timeouts: timeouts(),
            ..Options::default()
        };
        KafkaLog::open(&self.cluster(), &options).expect("the broker answers")
    }

    fn create_topics(&self) {
        let names = ["orders", "order-events"].map(|t| format!("{}-{t}", self.app));
        let commands =
            ["stock", "payment", "shipping"].map(|t| format!("{}-{t}.commands", self.app));
        let spec = |name: String| TopicSpec {
            name,
            partitions: LANES,
            config: Vec::new(),
        };
        let specs: Vec<_> = names.into_iter().chain(commands).map(spec).collect();
        self.log()
            .create_topics(&specs)
            .expect("topics are created");
    }

    /// Starts `skald serve` as this instance.
    pub fn start(&self, instance: &str) -> Skald {
        self.start_with(instance, &[])
    }

    /// Starts `skald serve` with further environment variables, e.g. `SKALD_CRASH`.
    pub fn start_with(&self, instance: &str, environment: &[(&str, &str)]) -> Skald {
        Skald::start(&self.config(), self.directory.path(), instance, environment)
    }

    /// Starts one participant process' worth of threads: `answer` decides for every forward command; compensations always succeed.
    pub fn participants(
        &self,
        answer: impl Fn(&Command) -> Answer + Clone + Send + 'static,
    ) -> Vec<Running> {
        let services = [
            ("stock", "reserve", "release"),
            ("payment", "charge", "refund"),
            ("shipping", "dispatch", "recall"),
        ];
        let start = |(service, forward, back): (&str, &'static str, &'static str)| {
            Participant::builder(format!("{}-{service}", self.app))
                .topic(format!("{}-{service}.commands", self.app))
                .timeouts(timeouts())
                .ledger(self.ledger.clone())
                .on(forward, answer.clone())
                .on(back, |_| Answer::ok(json!({ "done": true })))
                .run::<KafkaLog>(&self.cluster())
                .expect("participant started")
        };
        services.into_iter().map(start).collect()
    }

    /// Publishes `n` orders and remembers them.
    pub fn trigger(&self, n: usize) -> Vec<String> {
        let keys: Vec<String> = (0..n).map(|_| self.fresh_key()).collect();
        self.publish(&keys);
        self.remember(&keys);
        keys
    }

    fn fresh_key(&self) -> String {
        format!("O-{}", self.next.fetch_add(1, Ordering::SeqCst))
    }

    /// Counts these orders as triggered, whoever published them.
    pub fn remember<K: AsRef<str>>(&self, keys: &[K]) {
        self.triggered
            .lock()
            .expect("not poisoned")
            .extend(keys.iter().map(|key| key.as_ref().to_owned()));
    }

    /// Publishes orders with these keys (again).
    pub fn publish(&self, keys: &[String]) {
        let mut log = self.patient_log();
        for (token, key) in keys.iter().enumerate() {
            let value = json!({ "type": "OrderPlaced", "id": key, "items": ["book"], "total": 12 });
            log.produce_plain(&self.order(key, &value), token as u64)
                .expect("order handed over");
        }
        let deliveries = log.deliveries_plain(Duration::from_secs(20));
        assert_eq!(
            deliveries.iter().filter(|d| d.result.is_ok()).count(),
            keys.len(),
            "orders acknowledged: {deliveries:?}"
        );
    }

    /// An order record.
    pub fn order(&self, key: &str, value: &serde_json::Value) -> Outgoing {
        Outgoing {
            topic: format!("{}-orders", self.app),
            partition: None,
            key: Some(key.as_bytes().to_vec()),
            value: Some(value.to_string().into_bytes()),
            headers: Headers::default().with("content-type", "application/json"),
        }
    }

    /// Lets the oracle look at what this definition commands.
    pub fn observe(&self, definition: &Definition) {
        let topics = definition.targets().map(|t| t.topic.clone());
        let mut commanded = self.commanded.lock().expect("not poisoned");
        commanded.extend(topics);
        let mut harmless = self.harmless.lock().expect("not poisoned");
        for node in &definition.nodes {
            if let Kind::Send(send) = &node.kind
                && !matches!(send.compensation, Compensation::Command(_))
            {
                harmless.insert(node.step.clone());
            }
        }
    }

    /// Keys triggered so far.
    pub fn triggered(&self) -> Vec<String> {
        self.triggered.lock().expect("not poisoned").clone()
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
