//! The engine's calls of the store, and what recoveries read of the log (R3-R5, B2).
//!
//! Absent on purpose: what follows from an answer (the machine's).

use std::time::{Duration, Instant};

use connectors::log::Log;
use connectors::store::{self, Load, Store};
use saga_lib::lane::{Answer, Event, LaneNo, Round, Sample, StoreCommit, Trouble};
use schemas::record::Partition;

use super::super::journal;
use super::Engine;
use crate::crash;
use crate::metric::label::StoreOp;

/// How long one read of the journal may wait.
const JOURNAL_WAIT: Duration = Duration::from_millis(200);

impl<S: Store> Engine<S> {
    /// R3.
    pub(super) fn sample<L: Log>(&self, log: &mut L, lane: LaneNo) -> Result<Sample, Trouble> {
        let inbox = Partition::new(self.setup.names.inbox(), lane);
        let journal = log
            .extent(&self.journal_partition(lane))
            .map_err(|e| Trouble::Later(e.to_string()))?;
        let inbox = log
            .extent(&inbox)
            .map_err(|e| Trouble::Later(e.to_string()))?;
        Ok(Sample {
            journal_begin: journal.begin,
            journal_end: journal.end,
            inbox_begin: inbox.begin,
        })
    }

    /// R4: `Held` when nothing comes although the end is not reached: an open transaction stands before it.
    pub(super) fn read_journal<L: Log>(
        &mut self,
        log: &mut L,
        lane: LaneNo,
        from: i64,
        to: i64,
    ) -> Event {
        let partition = self.journal_partition(lane);
        let read = log.read(&partition, from, to, journal::CHUNK_RECORDS, JOURNAL_WAIT);
        let read = match read {
            Ok(chunk) if chunk.next <= from && from < to => Err(Trouble::Held),
            Ok(chunk) => {
                journal::keep(&mut self.lane_data(lane).chunks, chunk).map_err(Trouble::Stop)
            }
            Err(error) => Err(crate::worker::trouble(&error)),
        };
        Event::JournalRead(read)
    }

    /// R5.
    pub(super) fn apply(&mut self, chunk: StoreCommit) -> Event {
        let Some(images) = self.lane_data(chunk.lane).chunks.pop_front() else {
            return Event::Applied(Err(Trouble::Later("the chunk is gone".to_owned())));
        };
        let commit = store::Commit {
            documents: images.documents,
            counters: images.counters,
            ..self.commit(chunk)
        };
        let applied = self.setup.store.round(&[commit], &[]);
        Event::Applied(
            applied
                .map_err(|e| self.store_trouble(&e))
                .map(|(answers, _)| answer(answers.first())),
        )
    }

    pub(super) fn commit(&self, commit: StoreCommit) -> store::Commit {
        store::Commit {
            lane: commit.lane,
            owner: self.setup.own_id.clone(),
            ep: commit.expect.ep,
            wm: commit.expect.wm,
            jpos: commit.expect.jpos,
            wm_to: commit.target.wm,
            jpos_to: commit.target.jpos,
            at_ms: commit.at_ms,
            installation: self.setup.installation.clone(),
            ..store::Commit::default()
        }
    }

    /// B2 (and the flush of B6, and the check of B8): one round trip.
    pub(super) fn round(&mut self, commits: &[StoreCommit], loads: &[(LaneNo, i64, u32)]) -> Event {
        let begun = Instant::now();
        let writes = commits.iter().map(|c| self.write(*c)).collect::<Vec<_>>();
        let mut questions = Vec::with_capacity(loads.len());
        for (lane, from, records) in loads {
            let ids = if *records == 0 {
                Vec::new()
            } else {
                self.lane_data(*lane).take(*from, *records)
            };
            questions.push(Load { lane: *lane, ids });
        }
        let result = self.setup.store.round(&writes, &questions);
        self.setup
            .observer
            .store_round_trip(StoreOp::Load, begun.elapsed());
        match result {
            Err(error) => Event::Rounded(Err(self.store_trouble(&error))),
            Ok((answers, loaded)) => {
                self.setup.observer.store_well();
                Event::Rounded(Ok(self.rounded(commits, &answers, questions, loaded)))
            }
        }
    }

    pub(super) fn write(&mut self, commit: StoreCommit) -> store::Commit {
        let write = self
            .lane_data(commit.lane)
            .outstanding
            .clone()
            .unwrap_or_default();
        store::Commit {
            documents: write.documents,
            counters: write.counters,
            ..self.commit(commit)
        }
    }

    pub(super) fn rounded(
        &mut self,
        commits: &[StoreCommit],
        answers: &[store::Answer],
        questions: Vec<Load>,
        loaded: Vec<store::Loaded>,
    ) -> Round {
        if !commits.is_empty() {
            crash::point("engine", "B6.stored");
        }
        for (commit, given) in commits.iter().zip(answers) {
            if answer(Some(given)) == Answer::Refused {
                self.setup.observer.fence_conflict();
            }
            let write = self
                .lane_data(commit.lane)
                .outstanding
                .take()
                .unwrap_or_default();
            for (id, document) in &write.documents {
                self.timers.stored(commit.lane, id, document.as_deref());
            }
            for (saga, arm) in write.timers {
                self.timers.came_by(commit.lane, &saga, arm);
            }
        }
        let positions = loaded.iter().map(|l| l.position.clone()).collect();
        for (question, loaded) in questions.into_iter().zip(loaded) {
            if !question.ids.is_empty() || self.lane_data(question.lane).taken > 0 {
                self.lane_data(question.lane).loaded(question.ids, loaded);
            }
        }
        Round {
            answers: answers.iter().map(|a| answer(Some(a))).collect(),
            positions,
        }
    }
}

fn answer(given: Option<&store::Answer>) -> Answer {
    match given {
        Some(store::Answer::Done) => Answer::Done,
        Some(store::Answer::Refused(_)) | None => Answer::Refused,
    }
}
