//! The site of chaos: servers, proxies, two processes and the participants, and how each fault is made there.
//!
//! A supervisor's part is played too: a process that ended, for whatever reason, is started again.
//!
//! Absent on purpose: when what happens (see [`super::plan`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use connectors::log::{Log, TopicSpec};

use super::kafka_proxy::KafkaProxy;
use super::participant::SERVICES;
use super::plan::Fault;
use super::sagas::DEFINITIONS;
use super::store_proxy::StoreProxy;
use crate::harness::watchdog::Watched;
use crate::harness::{Broker, RedisServer};
use crate::world::{LANES, Skald, World, binary};

/// A `skald serve` process under supervision.
struct Member {
    name: &'static str,
    running: Option<Skald>,
    /// A fault keeps it down.
    down: bool,
    /// Asked to stop, and when.
    asked: Option<Instant>,
    started: Option<Instant>,
}

/// Servers, proxies, processes.
pub struct Site {
    /// The installation, on the servers' own addresses.
    pub world: Arc<World>,
    broker: Broker,
    store: RedisServer,
    kafka_way: KafkaProxy,
    store_way: StoreProxy,
    members: [Member; 2],
    participants: Option<Watched>,
    participants_down: bool,
    ledgers: tempfile::TempDir,
    /// What a supervisor would tell: ends that nobody asked for, stops that took long.
    pub notes: Vec<String>,
}

/// See decision 6: Kafka 4.3 loses end markers of transactions that it aborts for their age while it starts.
const NO_HASTE: &str = "transaction.abort.timed.out.transaction.cleanup.interval.ms=60000";

impl Site {
    /// Starts everything and waits until the processes own all lanes.
    ///
    /// # Panics
    /// If something does not come up.
    pub fn start() -> Self {
        let kafka_way = KafkaProxy::open();
        let (broker, back) = Broker::start_behind(kafka_way.port(), &[NO_HASTE]);
        kafka_way.lead_to(back);
        let store = RedisServer::start();
        let store_way = StoreProxy::to(store.address());
        let world = world(&broker, &store, &kafka_way, &store_way);
        let member = |name| Member {
            name,
            running: None,
            down: false,
            asked: None,
            started: None,
        };
        let mut site = Self {
            world: Arc::new(world),
            broker,
            store,
            kafka_way,
            store_way,
            members: [member("one"), member("two")],
            participants: None,
            participants_down: false,
            ledgers: tempfile::tempdir().expect("a temporary directory"),
            notes: Vec::new(),
        };
        site.supervise();
        site.wait_for_lanes();
        site
    }

    fn wait_for_lanes(&self) {
        crate::harness::eventually("all lanes are owned", PATIENCE, || {
            let ready = self.members.iter().filter_map(|m| m.running.as_ref());
            let lanes: usize = ready.map(|skald| skald.ready_lanes().len()).sum();
            (lanes == LANES as usize).then_some(())
        });
    }

    /// Waits until the broker answers: it may have started again a moment ago.
    pub fn wait_for_broker(&self) {
        self.broker.wait_ready();
    }

    /// Files of the participants' ledgers.
    pub fn ledgers(&self) -> Vec<PathBuf> {
        let file = |service: &&str| self.ledgers.path().join(service);
        SERVICES.iter().map(file).collect()
    }

    /// Starts what should run and does not.
    pub fn supervise(&mut self) {
        for member in &mut self.members {
            member.supervise(&self.world, &mut self.notes);
        }
        if self.participants.is_none() && !self.participants_down {
            self.participants = Some(participants(&self.world, self.ledgers.path()));
        }
    }

    /// A fault begins.
    pub fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(which) => self.members[which].kill(),
            Fault::KillBoth => self.members.iter_mut().for_each(Member::kill),
            Fault::Freeze(which) => self.members[which].freeze(),
            Fault::Stop(which) => self.members[which].stop(),
            Fault::KillParticipants => {
                self.participants_down = true;
                self.participants
                    .take()
                    .into_iter()
                    .for_each(Watched::kill9);
            }
            Fault::FreezeParticipants => self.participants.iter().for_each(Watched::freeze),
            Fault::KillBroker => self.broker.kill9(),
            Fault::FreezeBroker => self.broker.freeze(),
            Fault::KillStore => self.store.kill9(),
            Fault::FreezeStore => self.store.freeze(),
            Fault::Flush => self.tell_store(&["FLUSHALL"]),
            Fault::RollBack => self.tell_store(&["SAVE"]),
            Fault::StoreFull => self.tell_store(&["CONFIG", "SET", "maxmemory", "1"]),
            Fault::StoreReadOnly => self.tell_store(&["REPLICAOF", "127.0.0.1", "1"]),
            Fault::Store(trouble) => self.store_way.trouble(Some(trouble)),
            Fault::Kafka(api, trouble) => self.kafka_way.trouble(api, trouble),
            Fault::KafkaCut => self.kafka_way.cut(),
            Fault::KafkaSilent => self.kafka_way.silence(),
        }
    }

    /// A fault is over.
    pub fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(which) => self.members[which].down = false,
            Fault::KillBoth => self.members.iter_mut().for_each(|m| m.down = false),
            Fault::Freeze(which) => self.members[which].thaw(),
            Fault::Stop(_) | Fault::Flush => {}
            Fault::KillParticipants => self.participants_down = false,
            Fault::FreezeParticipants => self.participants.iter().for_each(Watched::thaw),
            Fault::KillBroker => self.broker.revive(),
            Fault::FreezeBroker => self.broker.thaw(),
            Fault::KillStore | Fault::RollBack => self.store.restart(),
            Fault::FreezeStore => self.store.thaw(),
            Fault::StoreFull => self.tell_store(&["CONFIG", "SET", "maxmemory", "0"]),
            Fault::StoreReadOnly => self.tell_store(&["REPLICAOF", "NO", "ONE"]),
            Fault::Store(_) => self.store_way.trouble(None),
            Fault::Kafka(..) | Fault::KafkaCut | Fault::KafkaSilent => self.kafka_way.heal(),
        }
    }

    /// Directly, not through the proxy.
    fn tell_store(&self, words: &[&str]) {
        let client = redis::Client::open(self.store.url()).expect("a URL");
        let mut connection = client.get_connection().expect("a connection");
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        command.exec(&mut connection).expect("the store obeys");
    }

    /// What the proxies did.
    pub fn struck(&self) -> (u64, u64) {
        (self.kafka_way.struck(), self.store_way.struck())
    }

    /// Stops the processes as an operator does, each of which must end in order.
    pub fn stop(&mut self) {
        for member in &mut self.members {
            member.running.take().into_iter().for_each(Skald::stop);
        }
    }
}

/// `SKALD_CHAOS_LOGS` names a folder in which all that the processes said is kept.
impl Drop for Site {
    fn drop(&mut self) {
        let Ok(folder) = std::env::var("SKALD_CHAOS_LOGS") else {
            return;
        };
        let file = Path::new(&folder).join(format!("{}.log", self.world.app));
        match std::fs::write(&file, self.world.outputs()) {
            Ok(()) => println!("all logs are in {}", file.display()),
            Err(error) => eprintln!("{}: {error}", file.display()),
        }
    }
}

impl Member {
    fn supervise(&mut self, world: &World, notes: &mut Vec<String>) {
        let alive = self.running.as_ref().is_some_and(Skald::is_alive);
        let late = self.asked.is_some_and(|asked| asked.elapsed() > STOP_MAX);
        if alive && !late {
            return;
        }
        if let Some(skald) = self.running.take() {
            self.note_end(&skald, late, notes);
            let mut skald = skald;
            skald.kill9();
        }
        // A supervisor that starts what ends at once pauses between.
        let rested = self.started.is_none_or(|at| at.elapsed() > RESTART_AFTER);
        if !self.down && rested {
            self.running = Some(world.start(self.name));
            self.started = Some(Instant::now());
        }
    }

    fn note_end(&mut self, skald: &Skald, late: bool, notes: &mut Vec<String>) {
        let name = self.name;
        match self.asked.take() {
            Some(_) if late => {
                notes.push(format!("{name} did not end in {STOP_MAX:?} after SIGTERM"))
            }
            Some(_) => {}
            None => {
                let output = skald.output();
                let lines: Vec<&str> = output.lines().collect();
                let last = lines[lines.len().saturating_sub(3)..].join(" | ");
                notes.push(format!("{name} ended by itself: {last}"));
            }
        }
    }

    fn kill(&mut self) {
        self.down = true;
        self.asked = None;
        if let Some(mut skald) = self.running.take() {
            skald.kill9();
        }
    }

    fn alive(&self) -> Option<&Skald> {
        self.running.as_ref().filter(|skald| skald.is_alive())
    }

    fn freeze(&self) {
        self.alive().into_iter().for_each(Skald::freeze);
    }

    fn thaw(&self) {
        self.alive().into_iter().for_each(Skald::thaw);
    }

    fn stop(&mut self) {
        if let Some(skald) = self.alive() {
            skald.terminate();
            self.asked = Some(Instant::now());
        }
    }
}

/// The processes come through the proxies, all others directly.
fn world(
    broker: &Broker,
    store: &RedisServer,
    kafka_way: &KafkaProxy,
    store_way: &StoreProxy,
) -> World {
    let mut world = World::on(
        &format!("127.0.0.1:{}", kafka_way.port()),
        &format!("redis://127.0.0.1:{}", store_way.port()),
    );
    for (file, text) in DEFINITIONS {
        world.define(file, text);
    }
    world.configure("\n[resend]\nper_second = 2000\nburst = 2000\n");
    world.kafka = broker.address().to_owned();
    world.redis = store.url().to_owned();
    let topics = ["starts", "alpha.commands", "beta.commands"];
    let spec = |topic: &str| TopicSpec {
        name: format!("{}-{topic}", world.app),
        partitions: LANES,
        config: Vec::new(),
    };
    let created = world.log().create_topics(&topics.map(spec));
    created.expect("topics are created");
    world
}

fn participants(world: &World, ledgers: &Path) -> Watched {
    let folder = world
        .directory()
        .join(crate::harness::unique("participants"));
    std::fs::create_dir_all(&folder).expect("a folder for the process");
    let command = [
        binary()
            .with_file_name("chaos-participant")
            .display()
            .to_string(),
        world.kafka.clone(),
        world.app.clone(),
        ledgers.display().to_string(),
    ];
    Watched::start(&folder, &command)
}

/// Two busy cores need patience.
const PATIENCE: Duration = Duration::from_secs(180);
const RESTART_AFTER: Duration = Duration::from_millis(500);
/// A process that is asked to stop while its servers do not answer may take its time, but not for ever.
const STOP_MAX: Duration = Duration::from_secs(30);
