//! From a lane's records to its plan (B3): verdicts, look-ups, and the plan itself.
//!
//! Absent on purpose: what a plan contains (see `plan`).

use std::time::Duration;

use connectors::log::Log;
use connectors::store::Store;
use saga_lib::instance::IncidentKind;
use saga_lib::lane::LaneNo;

use super::super::plan::{self, Context, Outcome, Problem, Verdict};
use super::Engine;
use crate::clock;

impl<S: Store> Engine<S> {
    /// Verdicts of what the log refused, before the lane is planned again.
    pub(super) fn judge(
        &mut self,
        lane: LaneNo,
        refused: &[(LaneNo, i64, String)],
        set_aside: Option<&str>,
    ) {
        let last = refused.last().filter(|(l, _, _)| *l == lane);
        let last = last.filter(|(_, input, reason)| !self.learn(lane, *input, reason));
        let data = self.lane_data(lane);
        // Before the refusals, and once: a refusal of the dead letter's or the incident's own outputs must add to the verdict.
        if let (Some(reason), Some(entry)) = (set_aside, data.entries.first()) {
            let verdict = Verdict {
                kind: IncidentKind::Poison,
                reason: reason.to_owned(),
            };
            data.verdicts
                .entry(entry.record.offset)
                .or_insert_with(|| vec![verdict]);
        }
        if let Some((_, input, reason)) = last {
            let verdict = Verdict {
                kind: IncidentKind::OutputRefused,
                reason: reason.clone(),
            };
            data.verdicts.entry(*input).or_default().push(verdict);
        }
    }

    /// B3: plans a lane, looking up what the plan asks for.
    pub(super) fn plan_lane<L: Log>(
        &mut self,
        log: &mut L,
        lane: LaneNo,
    ) -> Result<Outcome, String> {
        loop {
            let problem = match self.try_plan(lane) {
                Ok(outcome) => return Ok(outcome),
                Err(problem) => problem,
            };
            match problem {
                Problem::Stop(reason) => return Err(reason),
                Problem::Judge(offset, verdict) => {
                    tracing::warn!(
                        lane,
                        offset,
                        reason = verdict.reason,
                        "Input cannot be applied; its saga is parked."
                    );
                    self.lane_data(lane)
                        .verdicts
                        .entry(offset)
                        .or_default()
                        .push(verdict);
                }
                Problem::NeedDefinition(reference) => self.seek_definition(log, reference),
                Problem::NeedTopic(topic) => {
                    if let Err(error) = self.topics.look_up(log, &topic) {
                        tracing::warn!(topic, %error, "Topic could not be looked up; waiting for the broker.");
                        self.setup.observer.stepped();
                        clock::sleep(Duration::from_millis(100));
                    }
                }
            }
        }
    }

    /// `false`: which topic takes no records is not known, so only the input itself can be judged.
    pub(super) fn learn(&mut self, lane: LaneNo, input: i64, reason: &str) -> bool {
        let outcome = self.data.get(&lane).and_then(|data| data.outcome.as_ref());
        outcome.is_some_and(|outcome| self.topics.learn(&outcome.plan.outputs, input, reason))
    }

    pub(super) fn try_plan(&mut self, lane: LaneNo) -> Result<Outcome, Problem> {
        let definitions = self.setup.registry.snapshot();
        let data = self.data.entry(lane).or_default();
        let cx = Context {
            names: &self.setup.names,
            lanes: self.setup.lanes,
            lane,
            keys: &self.setup.keys,
            require_signature: self.setup.require_signature,
            definitions: &definitions,
            topics: &self.topics,
            unknown: &self.unknown,
            group: &self.setup.group,
            owner: &self.setup.own_id,
        };
        plan::plan(
            &cx,
            &data.entries[..data.taken],
            &data.loaded,
            &data.counters,
            &data.verdicts,
        )
    }

    /// An unknown hash: the definitions topic is read to its end; what is not there parks.
    pub(super) fn seek_definition<L: Log>(&mut self, log: &mut L, reference: String) {
        match self.setup.registry.refresh(log) {
            Ok(()) => {
                if self
                    .setup
                    .registry
                    .snapshot()
                    .by_reference(&reference)
                    .is_none()
                {
                    self.unknown.insert(reference);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "Definitions could not be read; waiting for the broker.");
                self.setup.observer.stepped();
                clock::sleep(Duration::from_millis(100));
            }
        }
    }
}
