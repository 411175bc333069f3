//! Due timers of ready lanes, written back into the inbox between polls.
//!
//! Absent on purpose: what a timer does (the transition's), and which may wait (see `timers`).

use connectors::log::Log;
use connectors::store::Store;
use saga_lib::lane::{LaneNo, Worker};
use schemas::signature;

use super::super::timers::{Fired, Now};
use super::Engine;
use crate::clock;
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
            if !self.timers.has_room(lane) || self.lane_data(lane).outstanding.is_some() {
                continue;
            }
            let now = Now {
                lane_ms: self.lane_data(lane).clock.now_ms(wall_ms()),
                monotonic: clock::now(),
            };
            let place = (&self.setup.names, self.setup.lanes);
            let (fired, result) = self.timers.tick(&mut self.setup.store, place, lane, now);
            self.write_timers(log, machine, lane, fired);
            if let Err(error) = result {
                // The next tick asks again; nothing recovers for it.
                self.setup.observer.store_error(&error);
                return;
            }
            let waiting = self.timers.waiting(lane);
            self.setup.observer.resends_waiting(lane, waiting);
        }
    }

    fn write_timers<L: Log>(
        &mut self,
        log: &mut L,
        machine: &mut Worker,
        lane: LaneNo,
        fired: Fired,
    ) {
        for due_ms in fired.due_ms {
            self.setup.observer.timer_written(due_ms, wall_ms());
        }
        for target in fired.delayed {
            self.setup.observer.resend_delayed(&target);
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
