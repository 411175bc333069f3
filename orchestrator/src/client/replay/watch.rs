//! Watching what becomes of dead letters that were sent back.
//!
//! Absent on purpose: sending.

use std::time::Instant;

use connectors::log::Log;
use schemas::audit::State;
use schemas::record::{Partition, Received};
use schemas::{dead_letter, history};

use super::Effect;
use super::item::Item;
use crate::client::dead_letters::partitions;
use crate::client::read::{Follow, PAUSE};
use crate::client::{Error, Installation};

/// Facts and dead letters written since the replay began.
pub(super) struct Watch {
    history: Follow,
    dead: Follow,
}

impl Watch {
    /// Begins now: call it before anything is sent.
    pub fn begin<L: Log>(log: &mut L, installation: &Installation) -> Result<Self, Error> {
        let name = installation.names.history();
        let lanes = (0..installation.lanes).map(|lane| Partition::new(&name, lane));
        let dead = partitions(log, installation)?;
        Ok(Self {
            history: Follow::begin(log, lanes.collect())?,
            dead: Follow::begin(log, dead)?,
        })
    }

    /// Waits until the effect of every item is known, or the time is over.
    pub fn until_known<L: Log>(
        &mut self,
        log: &mut L,
        installation: &Installation,
        items: &mut [Item],
    ) -> Result<(), Error> {
        let deadline = Instant::now() + installation.wait;
        while items.iter().any(|item| item.effect.is_none()) {
            self.dead
                .turn(log, |record| note_dead_letter(items, &record))?;
            self.history.turn(log, |record| note_fact(items, &record))?;
            if Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

fn note_fact(items: &mut [Item], record: &Received) {
    let Ok(fact) = history::decode(record) else {
        return;
    };
    for item in items.iter_mut().filter(|item| item.effect.is_none()) {
        if item.is_told_by(&fact) {
            item.entry.saga = Some(fact.saga.clone());
            item.entry.before = State::of_instance(fact.status_before, fact.revision_before);
            item.entry.after = State::of_instance(fact.status_after, fact.revision_after);
            item.effect = Some(Effect::Fact {
                saga: fact.saga.to_string(),
                applied: fact.applied,
                reason: fact.reason.clone(),
                status: fact.status_after,
            });
        }
    }
}

fn note_dead_letter(items: &mut [Item], record: &Received) {
    let Ok(again) = dead_letter::decode(record) else {
        return;
    };
    for item in items.iter_mut().filter(|item| item.effect.is_none()) {
        if item.is_dead_again_in(&again) {
            item.effect = Some(Effect::DeadAgain {
                class: again.class.clone(),
                message: again.message.clone(),
            });
        }
    }
}
