//! What a plan did, for metrics: counted per batch and only after its transaction committed.
//!
//! Absent on purpose: metric names (see `metric`).

use std::collections::BTreeMap;

use saga_lib::effect::Note;
use schemas::headers;
use schemas::record::Received;

use crate::metric::label::ReplayOutcome;

/// Counts of one plan.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Inputs without effect by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Records that could not be decoded, by reason.
    pub undecodable: BTreeMap<&'static str, u64>,
    /// Dead letters by class.
    pub dead_letters: BTreeMap<String, u64>,
    /// What happened, by definition (`name@version`), with the instance's age at that time, ms.
    pub notes: Vec<(String, Note, i64)>,
    /// Replies without effect, by definition (`name@version`) and reason (`duplicate`, `late`, `orphan`).
    pub replies: BTreeMap<(String, &'static str), u64>,
    /// Dead letters that were sent back, by original topic and what came of them.
    pub redriven: BTreeMap<(String, ReplayOutcome), u64>,
    /// Facts written about inputs, and how many of them tell that nothing changed.
    pub facts: (u64, u64),
    /// Kind and record time of every input, ms.
    pub arrived: Vec<(&'static str, i64)>,
}

impl Stats {
    /// One more input.
    pub fn arrived(&mut self, kind: &'static str, time_ms: i64) {
        self.arrived.push((kind, time_ms));
    }

    /// One more record without effect.
    pub fn skip(&mut self, reason: &'static str) {
        *self.skipped.entry(reason).or_default() += 1;
    }

    /// One more reply without effect.
    pub fn reply(&mut self, definition: &str, reason: &'static str) {
        *self
            .replies
            .entry((definition.to_owned(), reason))
            .or_default() += 1;
    }

    /// One more dead letter.
    pub fn dead_letter(&mut self, class: &str) {
        *self.dead_letters.entry(class.to_owned()).or_default() += 1;
    }

    /// One more fact.
    pub fn fact(&mut self, changed: bool) {
        self.facts.0 += 1;
        self.facts.1 += u64::from(!changed);
    }

    /// One more record that was sent back: `dead` if it was set aside again, `None` if nobody wanted it. One that names no original
    /// topic was not sent back by anybody and does not count.
    pub fn redriven(&mut self, record: &Received, dead: Option<bool>) {
        let outcome = match dead {
            Some(true) => ReplayOutcome::DeadAgain,
            Some(false) => ReplayOutcome::Accepted,
            None => ReplayOutcome::NoEffect,
        };
        if let Some(topic) = record.headers.text(headers::REDRIVE_TOPIC) {
            let key = (topic.to_owned(), outcome);
            *self.redriven.entry(key).or_default() += 1;
        }
    }
}
