//! The worker: schedules polls, batches and recoveries of its lanes.
//!
//! Between two polls it runs an agenda: the batch that the poll brought, then a flush of store commits if the poll brought nothing and
//! idle checks, then at most one recovery step per lane that is due, those that waited longest first. Recovery steps that would keep
//! the worker from polling for long are left for the next turn. So polling goes on while a lane recovers, ready lanes keep working,
//! and nothing is polled while a transaction is open.
//!
//! Absent on purpose: what a batch does (see `batch`), what a recovery does (see `recovery`) and how lanes move between the two (see
//! `advance`).

use std::collections::{BTreeMap, VecDeque};

use crate::mutant::{Mutant, planted};

use super::batch::Batch;
use super::recovery::Recovery;
use super::suspicion::Suspicion;
use super::{Belief, Effect, Event, LaneNo, LaneState, StoreCommit, Trouble, Waiting};

/// What a worker is told once.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its transactional id.
    pub own_id: String,
    /// Does it keep a store (engine) or only offsets (ingress)?
    pub store: bool,
    /// Installation the store must belong to.
    pub installation: String,
    /// A store older than this is rebuilt from the journal's beginning, ms (half of `delete.retention.ms`).
    pub rebuild_after_ms: i64,
    /// Longest wait of a poll, ms.
    pub poll_ms: i64,
    /// B8: an idle lane's position is read this often, ms.
    pub idle_check_ms: i64,
}

/// Time of a step: monotonic for waits, wall clock only to judge the age of a store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Now {
    /// Monotonic, ms.
    pub mono_ms: i64,
    /// Since 1970, ms.
    pub wall_ms: i64,
}

/// One lane of the worker.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    pub phase: Phase,
    /// Next offset to apply.
    pub next: i64,
    pub belief: Belief,
    /// Committed by the log, not yet by the store.
    pub outstanding: Option<StoreCommit>,
    pub checked_ms: i64,
    pub resume_ms: i64,
    pub failures: u32,
}

#[derive(Debug, Clone)]
pub(super) enum Phase {
    Recovering(Box<Recovery>),
    Ready,
    Stopped(String),
}

impl Default for Phase {
    fn default() -> Self {
        Self::Recovering(Box::default())
    }
}

/// What is done between two polls, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    Replace,
    Batch(Vec<Waiting>),
    /// Deliver again from here: only a part of what was polled was taken.
    Rewind(LaneNo, i64),
    Recover(LaneNo),
    /// Outstanding commits alone, and idle checks.
    Round,
}

/// Whose answer is awaited.
#[derive(Debug, Clone)]
pub(super) enum State {
    Opening,
    Polling,
    Recovering(LaneNo),
    Rewinding(LaneNo),
    Replacing,
    /// Commits and checks without a batch: may be sent once more.
    Flushing {
        commits: Vec<StoreCommit>,
        checks: Vec<LaneNo>,
        again: bool,
    },
    Batch(Batch),
}

/// All lanes of one worker.
#[derive(Debug)]
pub struct Worker {
    pub(super) config: Config,
    pub(super) lanes: BTreeMap<LaneNo, Lane>,
    pub(super) suspicions: BTreeMap<LaneNo, Suspicion>,
    pub(super) state: State,
    pub(super) agenda: VecDeque<Task>,
    /// The producers must be replaced before the next begin.
    pub(super) doubt: bool,
    /// A batch of several lanes failed: lanes commit one by one until a poll's batches went through.
    pub(super) solo: bool,
    pub(super) told: Vec<Effect>,
    pub(super) now: Now,
    /// When the last poll was asked for, ms.
    polled_ms: i64,
    /// Was a recovery advanced since? One is, however long the batches of a turn take.
    pub(super) advanced: bool,
}

/// Recovery steps are put off if the last poll is as old as this, ms.
const POLL_DUE_MS: i64 = 500;

impl Worker {
    /// A worker that owns nothing yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            lanes: BTreeMap::new(),
            suspicions: BTreeMap::new(),
            state: State::Opening,
            agenda: VecDeque::new(),
            doubt: false,
            solo: false,
            told: Vec::new(),
            now: Now::default(),
            polled_ms: 0,
            advanced: false,
        }
    }

    /// Takes the answer to the last effect and says what to do next: effects that are told, then one that is answered.
    pub fn step(&mut self, now: Now, event: Event) -> Vec<Effect> {
        self.now = now;
        let effect = self.answered(event);
        let mut effects = std::mem::take(&mut self.told);
        effects.push(effect);
        effects
    }

    /// States of all lanes, for metrics and people.
    pub fn states(&self) -> BTreeMap<LaneNo, LaneState> {
        let state = |lane: &Lane| match &lane.phase {
            Phase::Ready => LaneState::Ready,
            Phase::Recovering(recovery) => LaneState::Recovering(recovery.word()),
            Phase::Stopped(reason) => LaneState::Stopped(reason.clone()),
        };
        self.lanes
            .iter()
            .map(|(no, lane)| (*no, state(lane)))
            .collect()
    }

    /// Next offset of a ready lane.
    pub fn ready(&self, lane: LaneNo) -> Option<i64> {
        self.lanes
            .get(&lane)
            .filter(|l| matches!(l.phase, Phase::Ready))
            .map(|l| l.next)
    }

    /// The shell found that the store lost documents of a ready lane (an entry without its document): it is rebuilt from the journal.
    pub fn rebuild(&mut self, lane: LaneNo) {
        if self.ready(lane).is_none() {
            return;
        }
        self.recover(lane, "rebuild", true);
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.phase = Phase::Recovering(Box::new(Recovery::rebuilding()));
        }
    }

    /// The shell found that a ready lane is not delivered what is there: it begins again, and with it the delivery.
    pub fn redeliver(&mut self, lane: LaneNo) {
        if self.ready(lane).is_some() {
            self.recover(lane, "stalled", true);
        }
    }

    fn answered(&mut self, event: Event) -> Effect {
        let state = std::mem::replace(&mut self.state, State::Polling);
        match (state, event) {
            (State::Opening, _) => self.poll(),
            (
                State::Polling,
                Event::Polled {
                    assigned,
                    waiting,
                    broken,
                },
            ) => self.polled(assigned, waiting, broken),
            (State::Polling, _) => self.poll(),
            (State::Recovering(lane), event) => self.recovery_step(lane, event),
            (State::Rewinding(lane), event) => self.rewound(lane, &event),
            (State::Replacing, Event::Replaced(result)) => self.replaced(result),
            (State::Replacing, _) => self.replaced(Err(Trouble::Later("no answer".to_owned()))),
            (
                State::Flushing {
                    commits,
                    checks,
                    again,
                },
                event,
            ) => self.flushed(commits, checks, again, event),
            (State::Batch(batch), event) => self.batch_step(batch, event),
        }
    }

    /// The next task of the agenda, else the next poll.
    pub(super) fn next(&mut self) -> Effect {
        while let Some(task) = self.agenda.pop_front() {
            let late = self.now.mono_ms - self.polled_ms >= POLL_DUE_MS;
            if late && self.advanced && matches!(task, Task::Recover(_)) {
                break;
            }
            if let Some(effect) = self.begin(task) {
                return effect;
            }
        }
        self.poll()
    }

    fn begin(&mut self, task: Task) -> Option<Effect> {
        match task {
            Task::Replace => {
                self.state = State::Replacing;
                Some(Effect::ReplaceProducers)
            }
            Task::Batch(waiting) => self.begin_batch(waiting),
            Task::Rewind(lane, offset) => {
                self.ready(lane)?;
                self.state = State::Rewinding(lane);
                Some(Effect::Start { lane, offset })
            }
            Task::Recover(lane) => self.begin_recovery(lane),
            Task::Round => self.begin_flush(),
        }
    }

    fn poll(&mut self) -> Effect {
        self.state = State::Polling;
        let now = self.now.mono_ms;
        self.polled_ms = now;
        self.advanced = false;
        let mut wait = self.config.poll_ms;
        for lane in self.lanes.values() {
            let due = match lane.phase {
                Phase::Recovering(_) => lane.resume_ms - now,
                Phase::Ready if lane.outstanding.is_some() => 0,
                Phase::Ready if self.config.store => {
                    lane.checked_ms + self.config.idle_check_ms - now
                }
                Phase::Ready | Phase::Stopped(_) => self.config.poll_ms,
            };
            wait = wait.min(due);
        }
        if self.doubt {
            wait = wait.min(50);
        }
        Effect::Poll {
            wait_ms: u64::try_from(wait).unwrap_or(0),
        }
    }

    /// B1: a new assignment ends every belief; then the agenda of this turn.
    fn polled(
        &mut self,
        assigned: Option<Vec<LaneNo>>,
        waiting: Vec<Waiting>,
        broken: Vec<(LaneNo, String)>,
    ) -> Effect {
        self.agenda.clear();
        if let Some(lanes) = assigned {
            self.assigned(&lanes);
        }
        for (lane, reason) in broken {
            self.stop(lane, reason);
        }
        if self.doubt {
            self.agenda.push_back(Task::Replace);
        }
        let idle = !self.schedule_batches(waiting);
        if self.config.store && (idle || !self.check_due().is_empty()) {
            self.agenda.push_back(Task::Round);
        }
        self.schedule_recoveries();
        self.next()
    }

    fn assigned(&mut self, lanes: &[LaneNo]) {
        let before = std::mem::take(&mut self.lanes);
        for lane in before.keys() {
            self.told.push(Effect::Forget { lane: *lane });
        }
        for lane in lanes {
            if let Some(known) = before.get(lane).filter(|_| planted(Mutant::KeepsBelief)) {
                self.lanes.insert(*lane, known.clone());
                self.agenda.push_back(Task::Rewind(*lane, known.next));
                continue;
            }
            self.told.push(Effect::Forget { lane: *lane });
            self.told.push(Effect::Recovering {
                lane: *lane,
                cause: "assigned",
            });
            self.lanes.insert(*lane, Lane::default());
        }
        self.suspicions.retain(|lane, _| lanes.contains(lane));
    }

    /// Is there a batch?
    fn schedule_batches(&mut self, mut waiting: Vec<Waiting>) -> bool {
        waiting.retain(|w| self.ready(w.lane).is_some_and(|next| w.end > next));
        if waiting.is_empty() {
            return false;
        }
        let suspect = |w: &Waiting| self.suspicions.contains_key(&w.lane);
        if self.solo || waiting.iter().any(suspect) {
            let alone = waiting.into_iter().map(|w| Task::Batch(vec![w]));
            self.agenda.extend(alone);
        } else {
            self.agenda.push_back(Task::Batch(waiting));
        }
        true
    }

    fn schedule_recoveries(&mut self) {
        let now = self.now.mono_ms;
        let mut due: Vec<_> = (self.lanes.iter())
            .filter(|(_, l)| matches!(l.phase, Phase::Recovering(_)) && l.resume_ms <= now)
            .map(|(no, l)| (l.resume_ms, *no))
            .collect();
        due.sort_unstable();
        let tasks = due.into_iter().map(|(_, lane)| Task::Recover(lane));
        self.agenda.extend(tasks);
    }

    /// B8: ready lanes whose position was not read for a while.
    pub(super) fn check_due(&self) -> Vec<LaneNo> {
        if planted(Mutant::NoIdleCheck) {
            return Vec::new();
        }
        let due = self.now.mono_ms - self.config.idle_check_ms;
        (self.lanes.iter())
            .filter(|(_, l)| matches!(l.phase, Phase::Ready) && l.checked_ms <= due)
            .map(|(no, _)| *no)
            .collect()
    }

    /// B7: producers stand again, or every lane waits.
    fn replaced(&mut self, result: Result<(), Trouble>) -> Effect {
        match result {
            Ok(()) => {
                self.doubt = false;
                return self.next();
            }
            Err(Trouble::Stop(reason)) => self.told.push(Effect::Exit { reason }),
            Err(_) => {}
        }
        // Without producers nothing can be committed: what was polled is delivered again after recovery.
        self.doubt = true;
        self.agenda.clear();
        let lanes: Vec<_> = self
            .lanes
            .keys()
            .copied()
            .filter(|lane| self.ready(*lane).is_some())
            .collect();
        for lane in lanes {
            self.recover(lane, "producer", false);
        }
        self.poll()
    }
}
