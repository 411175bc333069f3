//! One batch (B1-B7): load, plan, produce, send offsets, commit; and what follows when it cannot be committed.
//!
//! Invariant: a store commit exists only for a transaction whose commit was answered positively, and everything else ends in a
//! recovery of the batch's lanes.
//!
//! Absent on purpose: what follows a failure (see `doubt`), the idle check (B8, see `flush`) and scheduling (see `worker`).

use crate::mutant::{Mutant, planted};

use super::suspicion::Suspicion;
use super::worker::{State, Task, Worker};
use super::{Belief, Effect, Event, Failure, LaneNo, Planned, Round, StoreCommit, Waiting};

/// A batch on its way.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    pub(super) stage: Stage,
    /// Lanes with the number of records taken and whether more were polled.
    pub(super) taken: Vec<Waiting>,
    /// Lanes of which only a part was taken.
    partial: Vec<LaneNo>,
    commits: Vec<StoreCommit>,
    /// New offset per lane, as planned.
    ends: Vec<(LaneNo, i64)>,
    /// Offset of each lane's header.
    headers: Vec<i64>,
    pub(super) refused: Vec<(LaneNo, i64, String)>,
    set_aside: Option<String>,
    resent: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stage {
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
        let batch = self.bounded(waiting);
        let first = batch.taken.first()?.lane;
        let suspicion = self.suspicions.get(&first);
        if suspicion.is_some_and(Suspicion::wants_probe) {
            self.state = State::Batch(batch);
            return Some(Effect::Probe { lane: first });
        }
        Some(self.load(batch))
    }

    /// Takes as much of each ready lane as suspicion allows.
    fn bounded(&self, waiting: Vec<Waiting>) -> Batch {
        let mut batch = Batch::default();
        for w in waiting.into_iter().filter(|w| self.ready(w.lane).is_some()) {
            let suspicion = self.suspicions.get(&w.lane);
            let records = suspicion.map_or(w.records, |s| s.bound(w.records));
            if records < w.records {
                batch.partial.push(w.lane);
            }
            batch.taken.push(Waiting { records, ..w });
        }
        batch
    }

    /// B2: outstanding commits and the loads of this batch in one round trip (an ingress has neither).
    pub(super) fn load(&mut self, mut batch: Batch) -> Effect {
        batch.set_aside = self.verdict(&batch);
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

    /// B7: why the only record of this batch is set aside, if it is.
    fn verdict(&self, batch: &Batch) -> Option<String> {
        let [only] = batch.taken.as_slice() else {
            return None;
        };
        self.suspicions.get(&only.lane).filter(|s| s.convicts())?;
        Some(
            "the record could not be committed, alone and repeatedly, while others could"
                .to_owned(),
        )
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
            (Stage::Produce, Event::Produced(Ok(headers))) => self.produced(batch, headers),
            (Stage::Offsets, Event::OffsetsSent(Ok(()))) => {
                self.stage(batch, Stage::Commit, Effect::CommitTransaction)
            }
            (Stage::Commit, Event::Committed(Ok(tainted))) => self.committed(&batch, tainted),
            (Stage::Commit, Event::Committed(Err(Failure::Other(_))))
                if planted(Mutant::UnknownIsCommitted) =>
            {
                self.committed(&batch, true)
            }
            (Stage::AbortReplan, Event::Aborted(Ok(()))) => self.plan(batch),
            (Stage::AbortStop, _) => self.dead_letter_failed(&batch),
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

    pub(super) fn stage(&mut self, mut batch: Batch, stage: Stage, effect: Effect) -> Effect {
        batch.stage = stage;
        self.state = State::Batch(batch);
        effect
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

    /// B4 done: a store commit needs the header's offset, so a transaction without it is not committed.
    fn produced(&mut self, batch: Batch, headers: Vec<i64>) -> Effect {
        let known = headers.len() == batch.ends.len() && headers.iter().all(|h| *h >= 0);
        if self.config.store && !known {
            return self.failed(
                batch,
                Failure::Other("a header was not acknowledged".to_owned()),
            );
        }
        let offsets = batch.ends.clone();
        self.stage(
            Batch { headers, ..batch },
            Stage::Offsets,
            Effect::SendOffsets { offsets },
        )
    }

    /// B6: only a positive answer creates the store commits.
    fn committed(&mut self, batch: &Batch, tainted: bool) -> Effect {
        self.told.push(Effect::Transaction {
            outcome: "committed",
        });
        self.doubt |= tainted && !planted(Mutant::TaintIgnored);
        for (i, (lane, end)) in batch.ends.iter().enumerate() {
            self.suspicions.remove(lane);
            self.advanced(*lane, *end, batch.headers.get(i).copied());
            if batch.partial.contains(lane) && !planted(Mutant::PartNotRewound) {
                self.agenda.push_front(Task::Rewind(*lane, *end));
            }
        }
        for suspicion in self.suspicions.values_mut() {
            suspicion.something_went_through();
        }
        let more = self.agenda.iter().any(|t| matches!(t, Task::Batch(_)));
        self.solo &= more;
        if self.doubt {
            self.replace_then_next()
        } else {
            self.next()
        }
    }

    /// The lane stands at `end` in the log, and will in the store.
    fn advanced(&mut self, lane: LaneNo, end: i64, header: Option<i64>) {
        let (store, at_ms) = (self.config.store, self.now.wall_ms);
        let Some(state) = self.lanes.get_mut(&lane) else {
            return;
        };
        state.next = end;
        state.failures = 0;
        if !store {
            return;
        }
        let expect = state.belief;
        let jpos = header.map(|offset| offset + 1);
        if jpos <= expect.jpos {
            // What the store knows of the old journal cannot be repaired from the new one, so nothing more is built upon it.
            return self.stop(
                lane,
                format!(
                    "the journal went back from {:?} to {jpos:?}: its topic lost data or was re-created",
                    expect.jpos
                ),
            );
        }
        state.outstanding = Some(StoreCommit {
            lane,
            expect,
            target: Belief {
                ep: expect.ep,
                wm: Some(end),
                jpos,
            },
            at_ms,
        });
    }
}

impl Batch {
    pub(super) fn lanes(&self) -> Vec<LaneNo> {
        self.taken.iter().map(|w| w.lane).collect()
    }
}
