//! The specimen: the facts of one compensated saga that is worth showing.
//!
//! Absent on purpose: the facts of all sagas. Only those of sagas on their way are kept.

use std::collections::HashMap;

use saga_lib::id::SagaId;
use saga_lib::instance::Status;
use schemas::history::{Fact, Verdict};

/// The best compensated saga so far, and those that may become it.
#[derive(Debug, Default)]
pub(super) struct Specimen {
    alive: HashMap<SagaId, Vec<Fact>>,
    best: Vec<Fact>,
}

impl Specimen {
    /// Takes the next fact.
    pub(super) fn take(&mut self, fact: Fact) {
        // What comes after the end (a late reply) belongs to the story if it is the one that is told.
        if self.best.last().is_some_and(|last| last.saga == fact.saga) {
            self.best.push(fact);
            return;
        }
        match fact.status_after {
            Some(Status::Running | Status::Compensating) => {
                self.alive.entry(fact.saga.clone()).or_default().push(fact);
            }
            Some(Status::Compensated) => self.compensated(fact),
            _ => drop(self.alive.remove(&fact.saga)),
        }
    }

    /// The facts of the saga to show; empty if none was compensated.
    pub(super) fn facts(&self) -> &[Fact] {
        &self.best
    }

    fn compensated(&mut self, fact: Fact) {
        let Some(mut facts) = self.alive.remove(&fact.saga) else {
            return;
        };
        facts.push(fact);
        if worth(&facts) > worth(&self.best) {
            self.best = facts;
        }
    }
}

/// More steps to compensate are better, then a command that was sent again, then an input that was ignored; but all of it briefly.
fn worth(facts: &[Fact]) -> (usize, bool, bool, i64) {
    let commands = || facts.iter().flat_map(|fact| &fact.commands);
    let back = |attempt| {
        let first = move |c: &&schemas::history::SentCommand| c.attempt == attempt;
        commands()
            .filter(first)
            .filter(|c| c.id.compensation.is_some())
            .count()
    };
    let resent = commands().any(|c| c.attempt > 1);
    let ignored = facts.iter().any(|fact| fact.applied == Verdict::Ignored);
    let lines = i64::try_from(commands().count()).unwrap_or(i64::MAX);
    (back(1), resent, ignored, -lines)
}
