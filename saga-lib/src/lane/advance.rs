//! How the worker's lanes move between recovering, ready and stopped.
//!
//! Invariant: whatever ends a lane's readiness passes [`Worker::recover`] or [`Worker::stop`], which forget everything about it.
//!
//! Absent on purpose: the steps of a recovery (see `recovery`).

use crate::mutant::{Mutant, planted};

use super::recovery::{Context, Next, Recovery};
use super::worker::{Lane, Phase, State, Worker};
use super::{Belief, Effect, Event, LaneNo};

impl Worker {
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
        if !planted(Mutant::ForgetsNothing) {
            self.told.push(Effect::Forget { lane });
        }
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

    pub(super) fn begin_recovery(&mut self, lane: LaneNo) -> Option<Effect> {
        let mut recovery = self.take_recovery(lane)?;
        let effect = recovery.resume(&self.context(lane));
        self.put_recovery(lane, recovery);
        self.state = State::Recovering(lane);
        self.advanced = true;
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
    pub(super) fn recovery_step(&mut self, lane: LaneNo, event: Event) -> Effect {
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
        if self
            .suspicions
            .get(&lane)
            .is_some_and(|s| !s.stands_at(offset))
        {
            self.suspicions.remove(&lane);
        }
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

    pub(super) fn rewound(&mut self, lane: LaneNo, event: &Event) -> Effect {
        if !matches!(event, Event::Started(Ok(()))) {
            self.recover(lane, "trouble", false);
        }
        self.next()
    }
}
