//! An instance of Skald: the production machine, shell and role over the simulated log and store, advanced effect by effect.
//!
//! Absent on purpose: fates of instances (see `run`).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use connectors::log::{Bounds, Error, Group, Log, Options};
use connectors::store::Store;
use orchestrator::engine::{Budget, Engine, Setup};
use orchestrator::http::Health;
use orchestrator::janitor::Janitor;
use orchestrator::lease::Lease;
use orchestrator::metric::{Build, Metrics};
use orchestrator::observe::Observer;
use orchestrator::registry::Registry;
use orchestrator::worker::{self, Role, Shell};
use saga_lib::lane::{Config, Effect, Event, LaneNo, LaneState, Now, Worker};
use schemas::signature::Keys;

use super::log::SimLog;
use super::store::SimStore;
use super::world::{APP, DELETIONS_MS, Died, INSTALLATION, World};

/// What an instance does next.
#[derive(Debug)]
pub enum Turn {
    Do(Effect),
    Answer(Event),
}

/// A running loop, whatever its role.
pub trait Loop {
    /// Gives the machine an answer; what it asks for next.
    fn answer(&mut self, now: Now, event: Event) -> Option<Effect>;
    /// Executes an effect; `None` if the instance died over it.
    fn execute(&mut self, effect: Effect) -> Option<Event>;
    /// States of its lanes.
    fn states(&self) -> BTreeMap<LaneNo, LaneState>;
    /// Its log.
    fn log(&self) -> &SimLog;
}

struct Running<R: Role<SimLog>> {
    machine: Worker,
    shell: Shell<SimLog, R>,
}

impl<R: Role<SimLog>> Loop for Running<R> {
    fn answer(&mut self, now: Now, event: Event) -> Option<Effect> {
        worker::answer(&mut self.machine, &mut self.shell, now, event).unwrap_or_default()
    }

    fn execute(&mut self, effect: Effect) -> Option<Event> {
        let act = || {
            if matches!(effect, Effect::Poll { .. }) {
                self.shell.between(&mut self.machine);
            }
            self.shell.execute(effect)
        };
        match catch_unwind(AssertUnwindSafe(act)) {
            Ok(event) => Some(event),
            Err(thrown) if thrown.is::<Died>() => None,
            Err(thrown) => std::panic::resume_unwind(thrown),
        }
    }

    fn states(&self) -> BTreeMap<LaneNo, LaneState> {
        self.machine.states()
    }

    fn log(&self) -> &SimLog {
        &self.shell.log
    }
}

/// An instance, running or not.
pub struct Node {
    /// Its number, from 0.
    pub number: usize,
    /// What runs, if it does.
    pub running: Option<Box<dyn Loop>>,
    /// What it does next.
    pub turn: Turn,
    /// When it does that.
    pub wake_ms: i64,
}

thread_local! {
    static METRICS: Metrics = Metrics::new(Build::of("simulated")).expect("metrics");
}

impl Node {
    /// One that does not run.
    pub fn new(number: usize, wake_ms: i64) -> Self {
        Self {
            number,
            running: None,
            turn: Turn::Answer(Event::Opened),
            wake_ms,
        }
    }

    /// Starts it: producers first, then the group.
    ///
    /// # Errors
    /// The log's.
    pub fn start(&mut self, world: &World) -> Result<(), Error> {
        self.running = Some(engine(world, self.number)?);
        self.turn = Turn::Answer(Event::Opened);
        Ok(())
    }

    /// Does it wait for a poll to bring something?
    pub fn polls(&self) -> bool {
        matches!(self.turn, Turn::Do(Effect::Poll { .. }))
    }
}

fn engine(world: &World, number: usize) -> Result<Box<dyn Loop>, Error> {
    let (names, lanes) = {
        let state = world.state();
        (state.names.clone(), state.lanes)
    };
    let own_id = format!("{APP}.engine.host{number}.0");
    let group = Group {
        id: format!("{APP}.engine"),
        topics: vec![names.inbox()],
        auto_start: None,
    };
    let options = Options {
        client_id: own_id.clone(),
        group: Some(group.clone()),
        transactional_id: Some(own_id.clone()),
        ..Options::default()
    };
    let mut log = SimLog::open(world, &options)?;
    let registry = Registry::new(&names);
    registry.refresh(&mut log)?;
    let store = || SimStore::open(world, APP).expect("it opens");
    let observer = observer(&own_id, true);
    let role = Engine::new(Setup {
        names,
        lanes,
        installation: INSTALLATION.to_owned(),
        own_id: own_id.clone(),
        group: group.id,
        keys: Keys::default(),
        require_signature: false,
        resends: Budget::default(),
        store: store(),
        registry,
        lease: Lease::of(store(), "host", "process"),
        janitor: Janitor::default(),
        observer: observer.clone(),
    });
    Ok(running(log, role, observer, own_id, true))
}

fn observer(name: &str, engine: bool) -> Observer {
    let component = Health::new(Duration::from_secs(60)).component(name);
    METRICS.with(|metrics| Observer::new(metrics, component, name, engine))
}

fn running<R: Role<SimLog> + 'static>(
    log: SimLog,
    role: R,
    observer: Observer,
    own_id: String,
    store: bool,
) -> Box<dyn Loop> {
    let bounds = Bounds {
        records: 100,
        bytes: 1_000_000,
        wait: Duration::from_millis(100),
    };
    let machine = Worker::new(Config {
        own_id: own_id.clone(),
        store,
        installation: INSTALLATION.to_owned(),
        rebuild_after_ms: DELETIONS_MS / 2,
        poll_ms: 200,
        idle_check_ms: 1000,
    });
    let wait = Duration::from_millis(100);
    let shell = Shell::new(log, role, observer, bounds, own_id, wait);
    Box::new(Running { machine, shell })
}
