//! Absolute counters of a lane: how many instances it stores by definition and status, and how many it ever started and finished.
//!
//! They travel in the lane's journal header as absolute values, so they survive a catch-up that skips images.
//!
//! Absent on purpose: increments in the store.

use std::collections::BTreeMap;

use saga_lib::instance::{Instance, Status};

/// Counters by name: `<name>@<version>/<status>` (stored now), `.../!<incident kind>` (open now), `.../+started`, `.../+<final status>` (ever).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters(pub BTreeMap<String, i64>);

impl Counters {
    /// An instance changed from one state to another (or came, or went).
    pub fn moved(&mut self, before: Option<&Instance>, after: Option<&Instance>) {
        let (from, to) = (before.map(|i| i.status), after.map(|i| i.status));
        let Some(definition) = after.or(before).map(|i| versioned(&i.definition)) else {
            return;
        };
        if from != to {
            self.add_status(&definition, from, -1);
            self.add_status(&definition, to, 1);
        }
        let incident = |i: Option<&Instance>| i.and_then(|i| i.incident.as_ref()).map(|i| i.kind);
        let (closed, opened) = (incident(before), incident(after));
        if closed != opened {
            for (kind, by) in [(closed, -1), (opened, 1)] {
                if let Some(kind) = kind {
                    self.add(format!("{definition}/!{}", kind.word()), by);
                }
            }
        }
        // A document that only keeps early events is no saga yet.
        let begun = |i: Option<&Instance>| i.is_some_and(|i| i.status != Status::Early);
        if !begun(before) && begun(after) {
            self.add(format!("{definition}/+started"), 1);
        }
        // Only the first end counts: an instance that returns to compensating for a late success ends twice.
        let ended = after.and_then(|i| i.finished_ms).is_some()
            && before.and_then(|i| i.finished_ms).is_none();
        if let (true, Some(status)) = (ended, to) {
            self.add(format!("{definition}/+{}", status.word()), 1);
        }
    }

    fn add_status(&mut self, definition: &str, status: Option<Status>, by: i64) {
        if let Some(status) = status {
            self.add(format!("{definition}/{}", status.word()), by);
        }
    }

    fn add(&mut self, name: String, by: i64) {
        let value = self.0.entry(name).or_default();
        *value += by;
    }
}

/// `name@version` of `name@version#hash`.
pub fn versioned(reference: &str) -> String {
    reference.split('#').next().unwrap_or_default().to_owned()
}
