//! Store commits without a batch (B6) and idle checks (B8), and what every answer of the store means.
//!
//! Invariant: a belief changes only by an answer to a commit; a lane whose position is not the believed one recovers.
//!
//! Absent on purpose: the loads of a batch (see `batch`), which are settled here all the same.

use std::collections::BTreeSet;

use crate::mutant::{Mutant, planted};

use super::worker::{State, Worker};
use super::{Answer, Effect, Event, LaneNo, Round, StoreCommit};

impl Worker {
    pub(super) fn begin_flush(&mut self) -> Option<Effect> {
        let commits = self.outstanding();
        let checks = self.check_due();
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

    pub(super) fn flushed(
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
                (Answer::Refused, Some(lane)) if planted(Mutant::RefusedIsDone) => {
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
            let belief = self.lanes[lane].belief;
            let ahead = planted(Mutant::WatermarkMayBeAhead) && position.wm >= belief.wm;
            if belief != position.belief() && !planted(Mutant::NoCheckOnLoad) && !ahead {
                self.recover(*lane, "mismatch", true);
                continue;
            }
            // A lane that fails in its transactions keeps its backoff, although the store answers.
            let calm = !self.solo && !self.suspicions.contains_key(lane);
            if let Some(state) = self.lanes.get_mut(lane) {
                state.checked_ms = self.now.mono_ms;
                state.failures = if calm { 0 } else { state.failures };
            }
            good.push(*lane);
        }
        good
    }
}
