//! What follows when a batch cannot be committed (B7): whose fault it is, and what is not believed any more.
//!
//! Invariant: every way out of a transaction that was not answered by a positive commit or abort replaces the producers before the
//! next begin, and recovers the lanes of the batch.
//!
//! Absent on purpose: the counting itself (see `suspicion`).

use crate::mutant::{Mutant, planted};

use super::batch::{Batch, Stage};
use super::suspicion::Suspicion;
use super::worker::{Task, Worker};
use super::{Effect, Failure, LaneNo};

/// Refusals of outputs of one input after which its lane stops: one parks the instance, one makes a dead letter, and a plan that is
/// refused still would be made for ever.
const REFUSALS_MAX: usize = 4;

impl Worker {
    /// B7: nobody is blamed while nothing goes through.
    pub(super) fn probed(&mut self, batch: Batch, ok: bool) -> Effect {
        let lane = batch.taken[0].lane;
        if ok {
            if let Some(suspicion) = self.suspicions.get_mut(&lane) {
                suspicion.something_went_through();
            }
            return self.load(batch);
        }
        self.doubt = true;
        self.recover(lane, "probe", false);
        self.replace_then_next()
    }

    /// B7.
    pub(super) fn failed(&mut self, batch: Batch, failure: Failure) -> Effect {
        match failure {
            Failure::Output {
                lane,
                input,
                reason,
            } if batch.stage == Stage::Produce => self.output_refused(batch, lane, input, reason),
            Failure::DeadLetter { lane, reason } if batch.stage == Stage::Produce => {
                self.abort_and_stop(batch, lane, reason)
            }
            Failure::Ownership(_) => self.abandon(&batch, "fenced"),
            Failure::Output { .. } | Failure::DeadLetter { .. } | Failure::Other(_) => {
                self.suspect(&batch);
                let unknown = batch.stage == Stage::Commit;
                self.abandon(&batch, if unknown { "timeout" } else { "aborted" })
            }
        }
    }

    /// The result named its record: the batch is planned again at once, without that output.
    fn output_refused(
        &mut self,
        mut batch: Batch,
        lane: LaneNo,
        input: i64,
        reason: String,
    ) -> Effect {
        let same = |(l, i, _): &&(LaneNo, i64, String)| (*l, *i) == (lane, input);
        if batch.refused.iter().filter(same).count() + 1 >= REFUSALS_MAX {
            return self.abort_and_stop(batch, lane, reason);
        }
        batch.refused.push((lane, input, reason));
        self.stage(batch, Stage::AbortReplan, Effect::Abort)
    }

    /// Nothing may be skipped without a dead letter.
    fn abort_and_stop(&mut self, mut batch: Batch, lane: LaneNo, reason: String) -> Effect {
        batch.refused = vec![(lane, 0, reason)];
        self.stage(batch, Stage::AbortStop, Effect::Abort)
    }

    pub(super) fn dead_letter_failed(&mut self, batch: &Batch) -> Effect {
        for (lane, _, reason) in &batch.refused {
            self.stop(*lane, format!("a dead letter cannot be written: {reason}; create the topic or grant the right, then restart"));
        }
        self.abandon(batch, "aborted")
    }

    /// A failure that may be somebody's fault: commit lane by lane, then fewer records, then one.
    fn suspect(&mut self, batch: &Batch) {
        // Before anything was produced no record can be the cause.
        if !matches!(batch.stage, Stage::Produce | Stage::Offsets | Stage::Commit) {
            return;
        }
        let [only] = batch.taken.as_slice() else {
            self.solo = true;
            return;
        };
        let next = self.ready(only.lane).unwrap_or_default();
        let suspicion = self.suspicions.entry(only.lane);
        let suspicion = suspicion.or_insert_with(|| Suspicion::new(next));
        suspicion.failed_alone(only.records);
    }

    fn abandon(&mut self, batch: &Batch, outcome: &'static str) -> Effect {
        self.told.push(Effect::Transaction { outcome });
        self.doubt = true;
        for lane in batch.lanes() {
            match self.ready(lane).filter(|_| planted(Mutant::NoReread)) {
                Some(next) => self.agenda.push_front(Task::Rewind(lane, next)),
                None if planted(Mutant::D7AgainWithoutRecovery) => {}
                None => self.recover(lane, "transaction", outcome == "fenced"),
            }
        }
        self.replace_then_next()
    }

    pub(super) fn replace_then_next(&mut self) -> Effect {
        if planted(Mutant::ProducerKept) {
            self.doubt = false;
            return self.next();
        }
        self.agenda.push_front(Task::Replace);
        self.next()
    }
}
