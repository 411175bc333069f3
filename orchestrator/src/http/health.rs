//! Health: what each worker last said of itself, and what follows for readiness.
//!
//! Workers write, the HTTP server and the watchdog read. A worker's turn of the loop costs one atomic store; states of lanes change
//! rarely and stand behind a lock.
//!
//! Ready means: every worker turned its loop lately, none reports a problem, no owned lane is stopped, being recovered or waiting
//! for the store, and the process is not draining. A worker without lanes is ready: it is a standby.
//!
//! Absent on purpose: liveness. A process that answers is alive; one whose worker hangs in a client library is ended by the watchdog.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::metric::label::LaneState;

/// State of an owned lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum LaneHealth {
    /// Being recovered.
    Recovering,
    /// Waiting, and for what.
    Waiting(String),
    /// Working.
    Ready,
    /// Stopped, and why: somebody must act.
    Stopped(String),
}

impl LaneHealth {
    /// The same as a label.
    pub fn label(&self) -> LaneState {
        match self {
            Self::Recovering => LaneState::Recovering,
            Self::Waiting(_) => LaneState::Waiting,
            Self::Ready => LaneState::Ready,
            Self::Stopped(_) => LaneState::Stopped,
        }
    }

    fn complaint(&self) -> Option<String> {
        match self {
            Self::Recovering => Some("is being recovered".into()),
            Self::Waiting(reason) => Some(format!("waits: {reason}")),
            Self::Ready => None,
            Self::Stopped(reason) => Some(format!("is stopped: {reason}")),
        }
    }
}

/// Health of one process.
#[derive(Debug, Clone)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    start: Instant,
    stuck_after: Duration,
    draining: AtomicBool,
    components: Mutex<BTreeMap<String, Arc<State>>>,
}

#[derive(Debug, Default)]
struct State {
    /// Time of the last turn since the start of the process in ms, plus one; 0 is never.
    turned: AtomicU64,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    problem: Option<String>,
    lanes: BTreeMap<u32, LaneHealth>,
}

impl Health {
    /// A process without components; a component that does not turn for `stuck_after` makes it unready.
    pub fn new(stuck_after: Duration) -> Self {
        Self(Arc::new(Inner {
            start: Instant::now(),
            stuck_after,
            draining: AtomicBool::new(false),
            components: Mutex::default(),
        }))
    }

    /// Announces a component, named like `engine-0`, before its thread starts: until its first turn the process is not ready.
    pub fn component(&self, name: &str) -> Component {
        let state = Arc::new(State::default());
        lock(&self.0.components).insert(name.to_owned(), state.clone());
        Component {
            start: self.0.start,
            state,
        }
    }

    /// The process is about to end: it is not ready any more.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Everything that is known now.
    pub fn report(&self) -> Report {
        let components = lock(&self.0.components).clone();
        let mut reasons = Vec::new();
        if components.is_empty() {
            reasons.push("the process is starting".to_owned());
        }
        if self.0.draining.load(Ordering::Relaxed) {
            reasons.push("the process is draining".to_owned());
        }
        let components: BTreeMap<String, ComponentReport> = components
            .into_iter()
            .map(|(name, state)| {
                let report = ComponentReport::of(&state, self.0.start.elapsed());
                report.complain(&name, self.0.stuck_after, &mut reasons);
                (name, report)
            })
            .collect();
        Report {
            ready: reasons.is_empty(),
            reasons,
            components,
        }
    }
}

/// One worker's way to tell how it is.
#[derive(Debug, Clone)]
pub struct Component {
    start: Instant,
    state: Arc<State>,
}

impl Component {
    /// The loop turned.
    pub fn turned(&self) {
        let ms = self.start.elapsed().as_millis();
        let ms = u64::try_from(ms).unwrap_or(u64::MAX).saturating_add(1);
        self.state.turned.store(ms, Ordering::Relaxed);
    }

    /// How long ago the loop turned; `None` before the first turn. For the watchdog.
    pub fn idle(&self) -> Option<Duration> {
        idle(&self.state, self.start.elapsed())
    }

    /// Something that keeps it from working, for people; `None` when it is over.
    pub fn set_problem(&self, problem: Option<String>) {
        lock(&self.state.told).problem = problem;
    }

    /// State of an owned lane.
    pub fn set_lane(&self, lane: u32, health: LaneHealth) {
        lock(&self.state.told).lanes.insert(lane, health);
    }

    /// The lane is no longer owned.
    pub fn forget_lane(&self, lane: u32) {
        lock(&self.state.told).lanes.remove(&lane);
    }
}

/// What `/readyz` answers.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// May it be given work?
    pub ready: bool,
    /// Why not, for people.
    pub reasons: Vec<String>,
    /// Each component.
    pub components: BTreeMap<String, ComponentReport>,
}

/// One component.
#[derive(Debug, Clone, Serialize)]
pub struct ComponentReport {
    /// How long ago its loop turned, in ms.
    pub idle_ms: Option<u64>,
    /// What keeps it from working.
    pub problem: Option<String>,
    /// Owned lanes.
    pub lanes: BTreeMap<u32, LaneHealth>,
}

impl ComponentReport {
    fn of(state: &State, now: Duration) -> Self {
        let told = lock(&state.told);
        Self {
            idle_ms: idle(state, now).map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            problem: told.problem.clone(),
            lanes: told.lanes.clone(),
        }
    }

    fn complain(&self, name: &str, stuck_after: Duration, reasons: &mut Vec<String>) {
        match self.idle_ms.map(Duration::from_millis) {
            None => reasons.push(format!("{name}: has not begun")),
            Some(idle) if idle > stuck_after => reasons.push(format!(
                "{name}: its loop has not turned for {} s",
                idle.as_secs()
            )),
            Some(_) => {}
        }
        if let Some(problem) = &self.problem {
            reasons.push(format!("{name}: {problem}"));
        }
        for (lane, health) in &self.lanes {
            if let Some(complaint) = health.complaint() {
                reasons.push(format!("{name}: lane {lane} {complaint}"));
            }
        }
    }
}

fn idle(state: &State, now: Duration) -> Option<Duration> {
    let turned = state.turned.load(Ordering::Relaxed).checked_sub(1)?;
    Some(now.saturating_sub(Duration::from_millis(turned)))
}

/// A thread that panicked while it held the lock cannot have left half a state: each write is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
