//! Due timers of ready lanes, written back into the inbox between polls.
//!
//! Absent on purpose: what a timer does (the transition's).

use connectors::log::Log;
use connectors::store::{self, Store};
use saga_lib::lane::{LaneNo, Worker};
use schemas::signature;

use super::Engine;
use crate::crash;
use crate::worker::wall_ms;

impl<S: Store> Engine<S> {
    /// Writes due timers of ready lanes.
    pub(super) fn tick<L: Log>(&mut self, log: &mut L, machine: &mut Worker) {
        let lanes: Vec<LaneNo> = self
            .data
            .keys()
            .copied()
            .filter(|lane| machine.ready(*lane).is_some())
            .collect();
        for lane in lanes {
            if self.timers.room(lane) == 0 || self.lane_data(lane).outstanding.is_some() {
                continue;
            }
            let now = self.lane_data(lane).clock.now_ms(wall_ms());
            let ask = self.timers.ask(lane);
            match self.setup.store.due(lane, now, ask) {
                Ok(due) => self.fire(log, machine, lane, &due),
                Err(error) => {
                    self.store_trouble(&error);
                    return;
                }
            }
        }
    }

    pub(super) fn fire<L: Log>(
        &mut self,
        log: &mut L,
        machine: &mut Worker,
        lane: LaneNo,
        due: &[store::Due],
    ) {
        let fired = self
            .timers
            .fire(&self.setup.names, self.setup.lanes, lane, due);
        for due_ms in fired.due_ms {
            self.setup.observer.timer_written(due_ms, wall_ms());
        }
        for (mut record, token) in fired.records {
            signature::sign(&self.setup.keys, self.setup.names.app(), lane, &mut record);
            if let Err(error) = log.produce_plain(&record, token) {
                tracing::debug!(%error, "Timer could not be written; it is written again.");
                self.timers.delivered(token, false);
            }
            crash::point("engine", "B8.timers");
        }
        if let Some(id) = fired.lost {
            tracing::error!(
                lane,
                saga_id = id,
                "The store lost a document; the lane is rebuilt from the journal."
            );
            machine.rebuild(lane);
        }
    }
}
