//! The start of a process, in the order that makes each step safe for the next.
//!
//! Absent on purpose: reading configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use connectors::log::{Bounds, Group, Log, Options, Timeouts};
use connectors::registry::Sources;
use connectors::store::Store;
use saga_lib::ir::{Definition, Kind as NodeKind};
use saga_lib::lane;
use schemas::bundle::{Bundle, Installation};
use schemas::event::Format;
use schemas::signature::Keys;
use schemas::topics::Topics;

use super::{Error, Process, installation, topics, watchdog};
use crate::client::audit::Operator;
use crate::client::deploy;
use crate::engine::{self, Engine};
use crate::http::{Component, Health, Server};
use crate::ingress::{self, Ingress};
use crate::janitor::Janitor;
use crate::lease::Lease;
use crate::metric::{Build, Metrics};
use crate::observe::Observer;
use crate::registry::Registry;
use crate::worker::{self, Shell, Stop, wall_ms};

/// Half of the journal's `delete.retention.ms` (24 h): a store older than that may have missed a deletion.
const REBUILD_AFTER_MS: i64 = 12 * 3600 * 1000;
/// Ingress can hold up every lane with an open transaction, so its transactions are short.
const INGRESS_TRANSACTION_MAX: Duration = Duration::from_secs(3);

/// How long a start gives way to other processes that deploy.
const OVERTAKEN_MAX: Duration = Duration::from_secs(20);

/// What to start.
#[derive(Debug, Clone)]
pub struct Plan {
    /// App name.
    pub app: String,
    /// Instance name.
    pub instance: String,
    /// Lanes of a new installation; an existing one must have as many.
    pub lanes: u32,
    /// Engine threads; 0 for a process without engine.
    pub workers: u32,
    /// Does it run an ingress?
    pub ingress: bool,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Bounds of a batch.
    pub batch: Bounds,
    /// Keys of internal records.
    pub keys: Keys,
    /// Are unsigned internal records refused?
    pub require_signature: bool,
    /// Definitions to deploy first.
    pub definitions: Vec<Bundle>,
    /// How topics are written, where that is set.
    pub formats: BTreeMap<String, Format>,
    /// Where schemas of business events come from.
    pub schemas: Sources,
    /// Dead letters after which ingress stops a topic.
    pub dead_letters: ingress::limit::Bounds,
    /// How often commands are sent again.
    pub resends: engine::Budget,
    /// Are missing command and start topics created?
    pub create_missing: bool,
    /// Where health and metrics are served.
    pub listen: Option<SocketAddr>,
    /// Version of the log's client library, for `/version`.
    pub client_library: String,
}

/// What all loops share.
struct Common<'a, L: Log, S: Store> {
    plan: &'a Plan,
    cluster: &'a L::Cluster,
    server: &'a S::Server,
    names: Topics,
    keys: Keys,
    registry: Registry,
    installation: String,
    lease: Lease,
    janitor: Janitor,
    metrics: Metrics,
    health: Health,
    stop: Stop,
}

/// Starts a process.
///
/// # Errors
/// See [`Error`]: each names what is wrong and what to do.
pub fn start<L: Log, S: Store>(
    plan: &Plan,
    cluster: &L::Cluster,
    server: &S::Server,
) -> Result<Process, Error> {
    let names = Topics::new(&plan.app)?;
    let metrics = Metrics::new(Build::of(&plan.client_library))?;
    let health = Health::new(plan.timeouts.session.max(Duration::from_secs(5)));
    // First of all, so that an orchestrator of containers can ask while the start waits for servers.
    let http = plan
        .listen
        .map(|listen| Server::start(listen, metrics.clone(), health.clone()))
        .transpose()?;
    // A connection of its own: the lease must not wait behind a batch.
    let store = S::open(server, &plan.app)?;
    let mut admin = L::open(
        cluster,
        &Options {
            client_id: format!("{}.admin.{}", plan.app, plan.instance),
            timeouts: plan.timeouts.clone(),
            ..Options::default()
        },
    )?;
    topics::ensure(&mut admin, &names, plan.lanes)?;
    let installation = deploy_in_turn::<L>(plan, cluster, &names, &mut admin)?;
    let registry = Registry::new(&names);
    registry.refresh(&mut admin)?;
    let stop = Stop::default();
    let holder = uuid::Uuid::new_v4().to_string();
    let lease = Lease::take(store, &plan.instance, &holder)?;
    let janitor = Janitor::default();
    let neighbours = L::open(
        cluster,
        &Options {
            client_id: format!("{}.janitor.{}", plan.app, plan.instance),
            ..Options::default()
        },
    )?;
    janitor.clone().work(
        neighbours,
        S::open(server, &plan.app)?,
        plan.instance.clone(),
        stop.clone(),
    );
    let installation = installation.uuid;
    let common = Common::<L, S> {
        plan,
        cluster,
        server,
        names,
        keys: plan.keys.clone(),
        registry,
        installation,
        lease,
        janitor,
        metrics,
        health,
        stop,
    };
    let (stop, lease) = (common.stop.clone(), common.lease.clone());
    common.run(&mut admin, http).inspect_err(|_| {
        stop.stop();
        lease.release();
    })
}

/// Processes that start at the same time deploy in turn: one that was overtaken begins again.
fn deploy_in_turn<L: Log>(
    plan: &Plan,
    cluster: &L::Cluster,
    names: &Topics,
    admin: &mut L,
) -> Result<Installation, Error> {
    if plan.create_missing {
        let wanted = used_topics(plan.definitions.iter().map(|bundle| &bundle.ir));
        topics::create_missing(admin, &wanted, plan.lanes)?;
    }
    let begun = Instant::now();
    loop {
        match deploy_once::<L>(plan, cluster, names) {
            Err(error) if error.is_overtaken() && begun.elapsed() < OVERTAKEN_MAX => {
                tracing::info!(%error, "Another process deploys; beginning again.");
                // Each waits another time, so that two do not overtake each other for ever.
                let pause = u64::from(std::process::id() % 10 + 1) * 20;
                std::thread::sleep(Duration::from_millis(pause));
            }
            other => return other,
        }
    }
}

fn deploy_once<L: Log>(
    plan: &Plan,
    cluster: &L::Cluster,
    names: &Topics,
) -> Result<Installation, Error> {
    let mut deployer = L::open(cluster, &deploy::options(names))?;
    let installation = installation::installation(&mut deployer, names, plan.lanes)?;
    let operator = Operator {
        actor: format!("serve/{}", plan.instance),
        why: None,
    };
    let request = deploy::Request {
        bundles: &plan.definitions,
        activate: false,
        operator: &operator,
        schemas: &plan.schemas,
    };
    deploy::deploy(&mut deployer, names, request, wall_ms())?;
    Ok(installation)
}

/// Topics that definitions read, command and publish to.
pub fn used_topics<'a>(definitions: impl Iterator<Item = &'a Definition>) -> Vec<String> {
    let mut topics = Vec::new();
    for definition in definitions {
        topics.extend(definition.starts.iter().map(|s| s.topic.clone()));
        topics.extend(definition.awaits().map(|a| a.topic.clone()));
        topics.extend(definition.reply_sources().map(|r| r.topic.clone()));
        topics.extend(definition.targets().map(|t| t.topic.clone()));
        for node in &definition.nodes {
            if let NodeKind::Publish(publish) = &node.kind {
                topics.push(publish.topic.clone());
            }
        }
        let ends = [
            &definition.finally.completed,
            &definition.finally.compensated,
            &definition.finally.parked,
        ];
        topics.extend(ends.into_iter().flatten().map(|p| p.topic.clone()));
    }
    topics.sort();
    topics.dedup();
    topics
}

type Loop = std::thread::JoinHandle<Result<(), worker::Error>>;

impl<L: Log, S: Store> Common<'_, L, S> {
    fn run(self, admin: &mut L, http: Option<Server>) -> Result<Process, Error> {
        let mut loops = Vec::new();
        let mut watched = Vec::new();
        if let Err(error) = self.loops(admin, (&mut loops, &mut watched)) {
            // Those that were started work under the name that is given up next.
            self.stop.stop();
            for started in loops {
                let _ = started.join();
            }
            return Err(error);
        }
        // A recovery step may wait for the log as long as a request may; several of them fit well into this.
        let limit = self
            .plan
            .timeouts
            .poll_interval
            .max(Duration::from_secs(30));
        watchdog::watch(watched, limit, self.stop.clone());
        Ok(Process {
            stop: self.stop,
            lease: self.lease,
            loops,
            health: self.health,
            metrics: self.metrics,
            server: http,
        })
    }

    fn loops(
        &self,
        admin: &mut L,
        (loops, watched): (&mut Vec<Loop>, &mut Vec<(String, Component)>),
    ) -> Result<(), Error> {
        for number in 0..self.plan.workers {
            loops.push(self.engine(number, watched)?);
        }
        if self.plan.ingress {
            loops.push(self.ingress(admin, watched)?);
        }
        Ok(())
    }

    fn id(&self, role: &str, number: u32) -> String {
        format!("{}.{role}.{}.{number}", self.plan.app, self.plan.instance)
    }

    fn options(&self, id: &str, role: &str, topics: Vec<String>, timeouts: Timeouts) -> Options {
        Options {
            client_id: id.to_owned(),
            group: Some(Group {
                id: format!("{}.{role}", self.plan.app),
                topics,
                auto_start: None,
            }),
            transactional_id: Some(id.to_owned()),
            timeouts,
        }
    }

    fn observer(
        &self,
        name: &str,
        engine: bool,
        watched: &mut Vec<(String, Component)>,
    ) -> Observer {
        let component = self.health.component(name);
        watched.push((name.to_owned(), component.clone()));
        Observer::new(&self.metrics, component, name, engine)
    }

    fn machine(&self, own_id: &str, store: bool) -> lane::Worker {
        lane::Worker::new(lane::Config {
            own_id: own_id.to_owned(),
            store,
            installation: self.installation.clone(),
            rebuild_after_ms: REBUILD_AFTER_MS,
            poll_ms: i64::try_from(self.plan.batch.wait.as_millis()).unwrap_or(20),
            idle_check_ms: 1000,
        })
    }

    fn engine(&self, number: u32, watched: &mut Vec<(String, Component)>) -> Result<Loop, Error> {
        let own_id = self.id("engine", number);
        let options = self.options(
            &own_id,
            "engine",
            vec![self.names.inbox()],
            self.plan.timeouts.clone(),
        );
        let observer = self.observer(&format!("engine-{number}"), true, watched);
        let role = Engine::new(engine::Setup {
            names: self.names.clone(),
            lanes: self.plan.lanes,
            installation: self.installation.clone(),
            own_id: own_id.clone(),
            group: format!("{}.engine", self.plan.app),
            keys: self.keys.clone(),
            require_signature: self.plan.require_signature,
            resends: self.plan.resends,
            store: S::open(self.server, &self.plan.app)?,
            registry: self.registry.clone(),
            lease: self.lease.clone(),
            janitor: self.janitor.clone(),
            observer: observer.clone(),
        });
        let log = L::open(self.cluster, &options)?;
        let shell = Shell::new(
            log,
            role,
            observer,
            self.plan.batch,
            own_id.clone(),
            self.plan.timeouts.request,
        );
        self.spawn(&own_id, self.machine(&own_id, true), shell)
    }

    fn ingress(
        &self,
        admin: &mut L,
        watched: &mut Vec<(String, Component)>,
    ) -> Result<Loop, Error> {
        let own_id = self.id("ingress", 0);
        // What is missing is told as soon as the loop runs.
        let (topics, _) = Ingress::topics(admin, &self.names, &self.registry, &[]);
        let mut timeouts = self.plan.timeouts.clone();
        timeouts.transaction = timeouts.transaction.min(INGRESS_TRANSACTION_MAX);
        let options = self.options(&own_id, "ingress", topics.clone(), timeouts);
        let observer = self.observer("ingress", false, watched);
        let setup = ingress::Setup {
            names: self.names.clone(),
            lanes: self.plan.lanes,
            own_id: own_id.clone(),
            group: format!("{}.ingress", self.plan.app),
            keys: self.keys.clone(),
            registry: self.registry.clone(),
            lease: self.lease.clone(),
            janitor: self.janitor.clone(),
            reader: ingress::Reader::open(&self.plan.formats, &self.plan.schemas)?,
            bounds: self.plan.dead_letters,
            observer: observer.clone(),
        };
        let log = L::open(self.cluster, &options)?;
        let shell = Shell::new(
            log,
            Ingress::new(setup, topics),
            observer,
            self.plan.batch,
            own_id.clone(),
            self.plan.timeouts.request,
        );
        self.spawn(&own_id, self.machine(&own_id, false), shell)
    }

    fn spawn<R>(
        &self,
        name: &str,
        mut machine: lane::Worker,
        mut shell: Shell<L, R>,
    ) -> Result<Loop, Error>
    where
        R: worker::Role<L> + Send + 'static,
    {
        let stop = self.stop.clone();
        let run = move || worker::run(&mut machine, &mut shell, &stop);
        let named = std::thread::Builder::new().name(name.to_owned());
        named.spawn(run).map_err(|error| Error::Thread {
            name: name.to_owned(),
            reason: error.to_string(),
        })
    }
}
