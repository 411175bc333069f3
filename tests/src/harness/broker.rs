//! An Apache Kafka broker: one node, KRaft, in a directory of its own.
//!
//! Absent on purpose: clusters of several nodes, and authentication.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::watchdog::Watched;
use super::{provision, wait};

/// A broker.
#[derive(Debug)]
pub struct Broker {
    address: String,
    own: Option<Own>,
}

/// What only a broker of ours has.
#[derive(Debug)]
struct Own {
    directory: PathBuf,
    command: Vec<String>,
    process: Mutex<Option<Watched>>,
}

impl Broker {
    /// Starts a broker of one's own.
    ///
    /// # Panics
    /// If it cannot be provisioned or does not come up.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a broker of one's own with more lines of `server.properties`.
    ///
    /// # Panics
    /// If it cannot be provisioned or does not come up.
    pub fn start_with(properties: &[&str]) -> Self {
        Self::launch(&[], properties, &[])
    }

    /// Starts a broker of one's own with a second listener, for a proxy: clients that come through it are told to come back to the
    /// port `front`. Answers the listener's port too.
    ///
    /// # Panics
    /// If it cannot be provisioned or does not come up.
    pub fn start_behind(front: u16, properties: &[&str]) -> (Self, u16) {
        let back = wait::free_port();
        // A broker that is killed again and again never earns what a better compiler costs.
        let options = ["-XX:TieredStopAtLevel=1"];
        (Self::launch(&[(back, front)], properties, &options), back)
    }

    fn launch(fronts: &[(u16, u16)], properties: &[&str], options: &[&str]) -> Self {
        provision::command("java", "openjdk-17-jre-headless");
        // The watchdog removes it: a directory that removed itself on drop would stay behind a shared server.
        let directory = tempfile::Builder::new()
            .prefix("skald-kafka-")
            .tempdir()
            .expect("a temporary directory")
            .keep();
        let (port, controller) = (wait::free_port(), wait::free_port());
        let mut text = server_properties(&directory, port, controller, properties);
        for (back, front) in fronts {
            text.push_str(&second_listener(port, controller, *back, *front));
        }
        fs::write(directory.join("server.properties"), text).expect("the directory is writable");
        format_storage(&directory);
        let broker = Self {
            address: format!("127.0.0.1:{port}"),
            own: Some(Own {
                process: Mutex::new(None),
                command: command(&directory, options),
                directory,
            }),
        };
        broker.revive();
        broker.wait_ready();
        broker
    }

    /// A broker that somebody else runs.
    pub fn external(address: String) -> Self {
        Self { address, own: None }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The same as [`Self::address`]: what clients call the bootstrap servers.
    pub fn url(&self) -> &str {
        &self.address
    }

    /// Kills it at once and returns when it is gone.
    pub fn kill9(&self) {
        if let Some(process) = self.slot().take() {
            process.kill9();
        }
    }

    /// Kills it if it runs and starts it again: same port, same data.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn restart(&self) {
        self.kill9();
        self.revive();
        self.wait_ready();
    }

    /// Starts it again after a kill, without waiting until it answers: same port, same data.
    pub fn revive(&self) {
        let own = self.own();
        *self.slot() = Some(Watched::start(&own.directory, &own.command));
    }

    /// Stops the process where it stands.
    pub fn freeze(&self) {
        self.slot().as_ref().expect("the broker runs").freeze();
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) {
        self.slot().as_ref().expect("the broker runs").thaw();
    }

    /// Ends it and removes its data.
    pub fn stop(self) {
        drop(self);
    }

    fn own(&self) -> &Own {
        self.own
            .as_ref()
            .expect("only a broker of ours can be stopped and started")
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Watched>> {
        self.own().process.lock().expect("no panic while locked")
    }

    /// Waits until it answers.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait_ready(&self) {
        let probe: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .set("log_level", "0")
            .set("reconnect.backoff.max.ms", "200")
            .create()
            .expect("a valid configuration");
        wait::eventually("a Kafka broker that answers", START, || {
            self.check_alive();
            let metadata = probe
                .fetch_metadata(None, Duration::from_millis(500))
                .ok()?;
            (!metadata.brokers().is_empty()).then_some(())
        });
    }

    fn check_alive(&self) {
        let alive = self.slot().as_ref().is_some_and(Watched::is_alive);
        let log = self.own().directory.join("log");
        assert!(
            alive,
            "the broker ended at start: {}",
            fs::read_to_string(log).unwrap_or_default()
        );
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            let gone = own.process.lock().map(|mut slot| slot.take());
            // A killed broker left its directory behind for a restart.
            drop(gone);
            let _ = fs::remove_dir_all(&own.directory);
        }
    }
}

fn format_storage(directory: &Path) {
    let status = java(directory, "kafka.tools.StorageTool")
        .args([
            "format",
            "--standalone",
            "-t",
            "AAAAAAAAAAAAAAAAAAAAAQ",
            "-c",
        ])
        .arg(directory.join("server.properties"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(
        status.is_ok_and(|s| s.success()),
        "the broker's storage cannot be formatted"
    );
}

fn java(directory: &Path, class: &str) -> Command {
    let mut java = Command::new("java");
    java.current_dir(directory)
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
    java.arg(class_path()).arg(class);
    java
}

fn class_path() -> String {
    format!("{}/*", provision::kafka_jars().display())
}

fn command(directory: &Path, options: &[&str]) -> Vec<String> {
    let properties = directory.join("server.properties").display().to_string();
    let class_path = class_path();
    let fixed = [
        "-Xms256m",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        &class_path,
        "kafka.Kafka",
        &properties,
    ];
    let words = ["java"].iter().chain(options).chain(&fixed);
    words.map(|&word| word.to_owned()).collect()
}

/// Small internal topics and short broker-side waits, so that take-over is bounded by the client's own time limits.
fn server_properties(directory: &Path, port: u16, controller: u16, more: &[&str]) -> String {
    let data = directory.join("data");
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
{}
",
        data.display(),
        more.join("\n")
    )
}

/// Of a property that is given twice the last one counts.
fn second_listener(port: u16, controller: u16, back: u16, front: u16) -> String {
    format!(
        "listeners=PLAINTEXT://127.0.0.1:{port},FRONT://127.0.0.1:{back},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},FRONT://127.0.0.1:{front}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,FRONT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
"
    )
}

/// Two cores that are busy with other tests need patience.
const START: Duration = Duration::from_secs(60);
