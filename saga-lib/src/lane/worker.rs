//! The worker: schedules polls, batches and recoveries of its lanes.
//!
//! Between two polls it runs an agenda: the batch that the poll brought, then at most one recovery step per lane that is due, then a
//! flush of store commits if the poll brought nothing, then idle checks. So polling goes on while a lane recovers, ready lanes keep
//! working, and nothing is polled while a transaction is open.
//!
//! Absent on purpose: what a batch does (see `batch`) and what a recovery does (see `recovery`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::batch::Batch;
use super::recovery::{Context, Next, Recovery};
use super::suspicion::Suspicion;
use super::{
    Answer, Belief, Effect, Event, LaneNo, LaneState, Round, StoreCommit, Trouble, Waiting,
};

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
    phase: Phase,
    /// Next offset to apply.
    pub next: i64,
    pub belief: Belief,
    /// Committed by the log, not yet by the store.
    pub outstanding: Option<StoreCommit>,
    checked_ms: i64,
    resume_ms: i64,
    failures: u32,
}

#[derive(Debug, Clone)]
enum Phase {
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
}

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
        self.recover(lane, "rebuild", true);
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.phase = Phase::Recovering(Box::new(Recovery::rebuilding()));
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
        let mut wait = self.config.poll_ms;
        for lane in self.lanes.values() {
            let due = match lane.phase {
                Phase::Recovering(_) => lane.resume_ms - now,
                Phase::Ready if lane.outstanding.is_some() => 0,
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
        if let Some(lanes) = assigned {
            self.assigned(&lanes);
        }
        for (lane, reason) in broken {
            self.stop(lane, reason);
        }
        self.agenda.clear();
        if self.doubt {
            self.agenda.push_back(Task::Replace);
        }
        let idle = waiting.is_empty();
        self.schedule_batches(waiting);
        self.schedule_recoveries();
        if self.config.store && (idle || self.check_due().next().is_some()) {
            self.agenda.push_back(Task::Round);
        }
        self.next()
    }

    fn assigned(&mut self, lanes: &[LaneNo]) {
        for lane in std::mem::take(&mut self.lanes).into_keys() {
            self.told.push(Effect::Forget { lane });
        }
        for lane in lanes {
            self.told.push(Effect::Forget { lane: *lane });
            self.told.push(Effect::Recovering {
                lane: *lane,
                cause: "assigned",
            });
            self.lanes.insert(*lane, Lane::default());
        }
    }

    fn schedule_batches(&mut self, waiting: Vec<Waiting>) {
        let waiting: Vec<_> = waiting
            .into_iter()
            .filter(|w| self.ready(w.lane).is_some_and(|next| w.end > next))
            .collect();
        if waiting.is_empty() {
            return;
        }
        if self.solo
            || waiting
                .iter()
                .any(|w| self.suspicions.contains_key(&w.lane))
        {
            self.agenda
                .extend(waiting.into_iter().map(|w| Task::Batch(vec![w])));
        } else {
            self.agenda.push_back(Task::Batch(waiting));
        }
    }

    fn schedule_recoveries(&mut self) {
        let now = self.now.mono_ms;
        let due = |lane: &Lane| matches!(lane.phase, Phase::Recovering(_)) && lane.resume_ms <= now;
        let lanes: Vec<_> = self
            .lanes
            .iter()
            .filter(|(_, lane)| due(lane))
            .map(|(no, _)| *no)
            .collect();
        self.agenda.extend(lanes.into_iter().map(Task::Recover));
    }

    fn check_due(&self) -> impl Iterator<Item = LaneNo> {
        let due = self.now.mono_ms - self.config.idle_check_ms;
        let lanes: Vec<_> = self
            .lanes
            .iter()
            .filter(|(_, l)| matches!(l.phase, Phase::Ready) && l.checked_ms <= due)
            .map(|(no, _)| *no)
            .collect();
        lanes.into_iter()
    }

    // --- recovery -----------------------------------------------------------------------------------------------------------------

    /// Any doubt about a lane ends here: nothing of it is kept, and it begins again at R1.
    pub(super) fn recover(&mut self, lane: LaneNo, cause: &'static str, at_once: bool) {
        let now = self.now.mono_ms;
        let Some(state) = self.lanes.get_mut(&lane) else {
            return;
        };
        if matches!(state.phase, Phase::Stopped(_)) {
            return;
        }
        state.failures = if at_once {
            0
        } else {
            (state.failures + 1).min(6)
        };
        state.resume_ms = if at_once {
            now
        } else {
            now + (25_i64 << state.failures)
        };
        state.outstanding = None;
        match &mut state.phase {
            Phase::Recovering(recovery) => recovery.restart(),
            phase => *phase = Phase::default(),
        }
        self.told.push(Effect::Forget { lane });
        self.told.push(Effect::Recovering { lane, cause });
    }

    pub(super) fn stop(&mut self, lane: LaneNo, reason: String) {
        let Some(state) = self.lanes.get_mut(&lane) else {
            return;
        };
        state.phase = Phase::Stopped(reason.clone());
        state.outstanding = None;
        self.told.push(Effect::Forget { lane });
        self.told.push(Effect::Stopped { lane, reason });
    }

    fn context(&self, lane: LaneNo) -> Context<'_> {
        Context {
            lane,
            now_ms: self.now.mono_ms,
            wall_ms: self.now.wall_ms,
            own_id: &self.config.own_id,
            store: self.config.store,
            installation: &self.config.installation,
            rebuild_after_ms: self.config.rebuild_after_ms,
        }
    }

    fn begin_recovery(&mut self, lane: LaneNo) -> Option<Effect> {
        let mut recovery = self.take_recovery(lane)?;
        let effect = recovery.resume(&self.context(lane));
        self.put_recovery(lane, recovery);
        self.state = State::Recovering(lane);
        Some(effect)
    }

    fn take_recovery(&mut self, lane: LaneNo) -> Option<Box<Recovery>> {
        match &mut self.lanes.get_mut(&lane)?.phase {
            Phase::Recovering(recovery) => Some(std::mem::take(recovery)),
            Phase::Ready | Phase::Stopped(_) => None,
        }
    }

    fn put_recovery(&mut self, lane: LaneNo, recovery: Box<Recovery>) {
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.phase = Phase::Recovering(recovery);
        }
    }

    /// One step of one lane; the next one comes after the next poll, so polling goes on.
    fn recovery_step(&mut self, lane: LaneNo, event: Event) -> Effect {
        let Some(mut recovery) = self.take_recovery(lane) else {
            return self.next();
        };
        let next = recovery.step(&self.context(lane), event);
        if let Some(message) = recovery.warning.take() {
            self.told.push(Effect::Warn { lane, message });
        }
        self.put_recovery(lane, recovery);
        match next {
            Next::Do(effect @ Effect::Fence { .. }) => {
                self.state = State::Recovering(lane);
                return effect;
            }
            // The effect is made again by `resume` after the next poll.
            Next::Do(_) => self.resume_at(lane, 0),
            Next::Wait => self.resume_at(lane, 50),
            Next::Later => self.recover(lane, "trouble", false),
            Next::Again => self.recover(lane, "again", false),
            Next::Ready(belief, offset) => self.set_ready(lane, belief, offset),
            Next::Stop(reason) => self.stop(lane, reason),
        }
        self.next()
    }

    fn resume_at(&mut self, lane: LaneNo, after_ms: i64) {
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.resume_ms = self.now.mono_ms + after_ms;
        }
    }

    fn set_ready(&mut self, lane: LaneNo, belief: Belief, offset: i64) {
        let Some(state) = self.lanes.get_mut(&lane) else {
            return;
        };
        *state = Lane {
            phase: Phase::Ready,
            next: offset,
            belief,
            checked_ms: self.now.mono_ms,
            failures: state.failures,
            ..Lane::default()
        };
        self.told.push(Effect::Ready { lane });
    }

    fn rewound(&mut self, lane: LaneNo, event: &Event) -> Effect {
        if !matches!(event, Event::Started(Ok(()))) {
            self.recover(lane, "trouble", false);
        }
        self.next()
    }

    // --- producers ----------------------------------------------------------------------------------------------------------------

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

    // --- store commits alone and idle checks (B6, B8) ---------------------------------------------------------------------------------

    fn begin_flush(&mut self) -> Option<Effect> {
        let commits = self.outstanding();
        let checks: Vec<_> = self.check_due().collect();
        if commits.is_empty() && checks.is_empty() {
            return None;
        }
        Some(self.flush(commits, checks, true))
    }

    fn flush(&mut self, commits: Vec<StoreCommit>, checks: Vec<LaneNo>, again: bool) -> Effect {
        let loads = checks.iter().map(|lane| (*lane, 0, 0)).collect();
        let effect = Effect::Round {
            commits: commits.clone(),
            loads,
        };
        self.state = State::Flushing {
            commits,
            checks,
            again,
        };
        effect
    }

    pub(super) fn outstanding(&self) -> Vec<StoreCommit> {
        self.lanes
            .values()
            .filter_map(|lane| lane.outstanding)
            .collect()
    }

    fn flushed(
        &mut self,
        commits: Vec<StoreCommit>,
        checks: Vec<LaneNo>,
        again: bool,
        event: Event,
    ) -> Effect {
        match event {
            Event::Rounded(Ok(round)) => {
                self.settle(&commits, &checks, &round);
                self.next()
            }
            // No answer: the identical call again, once; it does not matter how often a commit is executed.
            _ if again => self.flush(commits, checks, false),
            _ => {
                self.store_lost(&commits, &checks);
                self.next()
            }
        }
    }

    /// Nobody knows what the store did: the lanes concerned begin again.
    pub(super) fn store_lost(&mut self, commits: &[StoreCommit], loads: &[LaneNo]) {
        let lanes: BTreeSet<_> = commits
            .iter()
            .map(|c| c.lane)
            .chain(loads.iter().copied())
            .collect();
        for lane in lanes {
            self.recover(lane, "store", false);
        }
    }

    /// Compares what the store says with what is believed. Lanes that differ recover; the others are returned.
    pub(super) fn settle(
        &mut self,
        commits: &[StoreCommit],
        loads: &[LaneNo],
        round: &Round,
    ) -> Vec<LaneNo> {
        for (commit, answer) in commits.iter().zip(&round.answers) {
            match (answer, self.lanes.get_mut(&commit.lane)) {
                (Answer::Done, Some(lane)) => {
                    lane.belief = commit.target;
                    lane.outstanding = None;
                }
                (Answer::Refused, _) => self.recover(commit.lane, "refused", true),
                (Answer::Done, None) => {}
            }
        }
        let mut good = Vec::with_capacity(loads.len());
        for (lane, position) in loads.iter().zip(&round.positions) {
            if self.ready(*lane).is_none() {
                continue;
            }
            if self.lanes[lane].belief != position.belief() {
                self.recover(*lane, "mismatch", true);
                continue;
            }
            if let Some(state) = self.lanes.get_mut(lane) {
                state.checked_ms = self.now.mono_ms;
                state.failures = 0;
            }
            good.push(*lane);
        }
        good
    }
}
