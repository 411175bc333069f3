//! A reader of the journal that goes on where it stopped.
//!
//! Absent on purpose: judgement (see `oracle`).

use std::collections::{BTreeMap, BTreeSet};

use saga_lib::instance::Instance;
use schemas::journal::{self, JournalRecord};
use schemas::record::Partition;

use super::world::State;

/// What the journal said so far.
#[derive(Debug, Default)]
pub struct Follower {
    cursors: BTreeMap<u32, i64>,
    instances: BTreeMap<String, Instance>,
    /// Every saga that ever had an image and had begun.
    pub ever: BTreeSet<String>,
}

impl Follower {
    /// Reads to the end.
    pub fn read_on(&mut self, state: &State) {
        for lane in 0..state.lanes {
            let cursor = self.cursors.entry(lane).or_default();
            let partition = Partition::new(state.names.journal(), lane);
            let read = state
                .broker
                .fetch(&partition, *cursor, i64::MAX, usize::MAX);
            let (records, next) = read.expect("the journal exists");
            *cursor = next;
            for record in records {
                let decoded = journal::decode(&record).expect("a journal record");
                if let JournalRecord::Image { id, document } = decoded {
                    self.take(id.to_string(), document.as_deref());
                }
            }
        }
    }

    fn take(&mut self, id: String, document: Option<&[u8]>) {
        let Some(document) = document else {
            self.instances.remove(&id);
            return;
        };
        let instance = schemas::state::decode(document).expect("a document");
        if instance.begun() {
            self.ever.insert(id.clone());
        }
        self.instances.insert(id, instance);
    }

    /// Instances that have not ended.
    pub fn open(&self) -> impl Iterator<Item = &Instance> {
        let open = |i: &&Instance| !i.status.is_final() || i.compensation_incomplete();
        self.instances.values().filter(open)
    }
}
