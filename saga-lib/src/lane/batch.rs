//! One batch (B1-B7): load, plan, produce, send offsets, commit; and what follows when it cannot be committed.
//!
//! Invariant: a store commit exists only for a transaction whose commit was answered positively, and everything else ends in a
//! recovery of the batch's lanes.
//!
//! Absent on purpose: the idle check (B8) and scheduling, see `worker`.

use super::worker::{State, Task, Worker};
use super::{Belief, Effect, Event, Failure, LaneNo, Planned, Round, StoreCommit, Waiting};

/// A batch on its way.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    stage: Stage,
    /// Lanes with the number of records taken and whether more were polled.
    taken: Vec<Waiting>,
    /// Lanes of which only a part was taken.
    partial: Vec<LaneNo>,
    commits: Vec<StoreCommit>,
    /// New offset per lane, as planned.
    ends: Vec<(LaneNo, i64)>,
    /// Offset of each lane's header.
    headers: Vec<i64>,
    refused: Vec<(LaneNo, i64, String)>,
    set_aside: Option<String>,
    resent: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Probe,
    Round,
    Plan,
    Begin,
    Produce,
    Offsets,
    Commit,
    /// An output was refused: abort, then plan again without it.
    AbortReplan,
    /// A dead letter cannot be written: abort, then the lane stops.
    AbortStop,
}

impl Worker {
    pub(super) fn begin_batch(&mut self, waiting: Vec<Waiting>) -> Option<Effect> {
        let mut batch = Batch::default();
        for w in waiting.into_iter().filter(|w| self.ready(w.lane).is_some()) {
            let bound = self
                .suspicions
                .get(&w.lane)
                .map_or(w.records, |s| s.bound(w.records));
            if bound < w.records {
                batch.partial.push(w.lane);
            }
            batch.taken.push(Waiting {
                records: bound,
                ..w
            });
        }
        let first = batch.taken.first()?.lane;
        if self
            .suspicions
            .get(&first)
            .is_some_and(super::suspicion::Suspicion::wants_probe)
        {
            self.state = State::Batch(batch);
            return Some(Effect::Probe { lane: first });
        }
        Some(self.load(batch))
    }

    /// B2: outstanding commits and the loads of this batch in one round trip (an ingress has neither).
    fn load(&mut self, mut batch: Batch) -> Effect {
        if let [only] = batch.taken.as_slice()
            && self
                .suspicions
                .get(&only.lane)
                .is_some_and(super::suspicion::Suspicion::convicts)
        {
            batch.set_aside = Some(
                "the record could not be committed, alone and repeatedly, while others could"
                    .to_owned(),
            );
        }
        batch.stage = Stage::Round;
        batch.commits = self.outstanding();
        let loads = batch
            .taken
            .iter()
            .map(|w| (w.lane, self.ready(w.lane).unwrap_or(0), w.records))
            .collect();
        let effect = Effect::Round {
            commits: batch.commits.clone(),
            loads,
        };
        self.state = State::Batch(batch);
        effect
    }

    pub(super) fn batch_step(&mut self, batch: Batch, event: Event) -> Effect {
        match (batch.stage, event) {
            (Stage::Probe, Event::Probed(ok)) => self.probed(batch, ok),
            (Stage::Round, Event::Rounded(Ok(round))) => self.loaded(batch, &round),
            (Stage::Round, _) if !batch.resent => self.load(Batch {
                resent: true,
                ..batch
            }),
            (Stage::Round, _) => {
                self.store_lost(&batch.commits, &batch.lanes());
                self.next()
            }
            (Stage::Plan, Event::Planned(planned)) => self.planned(batch, planned),
            (Stage::Begin, Event::Begun(Ok(()))) => {
                let lanes = batch.lanes();
                self.stage(batch, Stage::Produce, Effect::Produce { lanes })
            }
            (Stage::Produce, Event::Produced(Ok(headers))) => {
                let offsets = batch.ends.clone();
                self.stage(
                    Batch { headers, ..batch },
                    Stage::Offsets,
                    Effect::SendOffsets { offsets },
                )
            }
            (Stage::Offsets, Event::OffsetsSent(Ok(()))) => {
                self.stage(batch, Stage::Commit, Effect::CommitTransaction)
            }
            (Stage::Commit, Event::Committed(Ok(tainted))) => self.committed(batch, tainted),
            (Stage::AbortReplan, Event::Aborted(Ok(()))) => self.plan(batch),
            (Stage::AbortStop, _) => self.dead_letter_failed(batch),
            (
                _,
                Event::Begun(Err(failure))
                | Event::Produced(Err(failure))
                | Event::OffsetsSent(Err(failure))
                | Event::Committed(Err(failure))
                | Event::Aborted(Err(failure)),
            ) => self.failed(batch, failure),
            (_, event) => self.failed(
                batch,
                Failure::Other(format!("unexpected answer {event:?}")),
            ),
        }
    }

    fn stage(&mut self, mut batch: Batch, stage: Stage, effect: Effect) -> Effect {
        batch.stage = stage;
        self.state = State::Batch(batch);
        effect
    }

    /// B7: nobody is blamed while nothing goes through.
    fn probed(&mut self, batch: Batch, ok: bool) -> Effect {
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

    /// B2 answered: lanes that stand elsewhere recover, the others go on.
    fn loaded(&mut self, mut batch: Batch, round: &Round) -> Effect {
        let good = self.settle(&batch.commits, &batch.lanes(), round);
        batch.taken.retain(|w| good.contains(&w.lane));
        if batch.taken.is_empty() {
            self.next()
        } else {
            self.plan(batch)
        }
    }

    /// B3.
    fn plan(&mut self, batch: Batch) -> Effect {
        let effect = Effect::Plan {
            lanes: batch.lanes(),
            refused: batch.refused.clone(),
            set_aside: batch.set_aside.clone(),
        };
        self.stage(batch, Stage::Plan, effect)
    }

    fn planned(&mut self, mut batch: Batch, planned: Vec<Planned>) -> Effect {
        batch.ends.clear();
        for plan in planned {
            match plan.end {
                Ok(end) => batch.ends.push((plan.lane, end)),
                Err(reason) => {
                    batch.taken.retain(|w| w.lane != plan.lane);
                    self.stop(plan.lane, reason);
                }
            }
        }
        if batch.taken.is_empty() {
            return self.next();
        }
        self.stage(batch, Stage::Begin, Effect::Begin)
    }

    /// B6: only a positive answer creates the store commits.
    fn committed(&mut self, batch: Batch, tainted: bool) -> Effect {
        self.told.push(Effect::Transaction {
            outcome: "committed",
        });
        self.doubt |= tainted;
        for (i, (lane, end)) in batch.ends.iter().enumerate() {
            self.suspicions.remove(lane);
            let header = batch.headers.get(i).copied();
            let store = self.config.store;
            if let Some(state) = self.lanes.get_mut(lane) {
                state.next = *end;
                let target = Belief {
                    ep: state.belief.ep,
                    wm: Some(*end),
                    jpos: header.map(|offset| offset + 1),
                };
                state.outstanding = store.then_some(StoreCommit {
                    lane: *lane,
                    expect: state.belief,
                    target,
                });
            }
            if batch.partial.contains(lane) {
                self.agenda.push_front(Task::Rewind(*lane, *end));
            }
        }
        for suspicion in self.suspicions.values_mut() {
            suspicion.something_went_through();
        }
        self.solo &= self
            .agenda
            .iter()
            .any(|task| matches!(task, Task::Batch(_)));
        if self.doubt {
            self.replace_then_next()
        } else {
            self.next()
        }
    }

    /// B7.
    fn failed(&mut self, mut batch: Batch, failure: Failure) -> Effect {
        match failure {
            Failure::Output {
                lane,
                input,
                reason,
            } if batch.stage == Stage::Produce => {
                batch.refused.push((lane, input, reason));
                self.stage(batch, Stage::AbortReplan, Effect::Abort)
            }
            Failure::DeadLetter { lane, reason } if batch.stage == Stage::Produce => {
                batch.refused = vec![(lane, 0, reason)];
                self.stage(batch, Stage::AbortStop, Effect::Abort)
            }
            Failure::Ownership(_) => self.abandon(&batch, "fenced"),
            Failure::Output { .. } | Failure::DeadLetter { .. } | Failure::Other(_) => {
                self.suspect(&batch);
                self.abandon(
                    &batch,
                    if batch.stage == Stage::Commit {
                        "timeout"
                    } else {
                        "aborted"
                    },
                )
            }
        }
    }

    /// A failure that may be somebody's fault: commit lane by lane, then fewer records, then one.
    fn suspect(&mut self, batch: &Batch) {
        if let [only] = batch.taken.as_slice() {
            self.suspicions
                .entry(only.lane)
                .or_default()
                .failed_alone(only.records);
        } else {
            self.solo = true;
        }
    }

    fn abandon(&mut self, batch: &Batch, outcome: &'static str) -> Effect {
        self.told.push(Effect::Transaction { outcome });
        self.doubt = true;
        for lane in batch.lanes() {
            self.recover(lane, "transaction", outcome == "fenced");
        }
        self.replace_then_next()
    }

    fn dead_letter_failed(&mut self, batch: Batch) -> Effect {
        self.told.push(Effect::Transaction { outcome: "aborted" });
        self.doubt = true;
        for (lane, _, reason) in &batch.refused {
            self.stop(*lane, format!("a dead letter cannot be written: {reason}; create the topic or grant the right, then restart"));
        }
        for lane in batch.lanes() {
            self.recover(lane, "transaction", true);
        }
        self.replace_then_next()
    }

    fn replace_then_next(&mut self) -> Effect {
        self.agenda.push_front(Task::Replace);
        self.next()
    }
}

impl Batch {
    fn lanes(&self) -> Vec<LaneNo> {
        self.taken.iter().map(|w| w.lane).collect()
    }
}
