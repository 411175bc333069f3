//! Exploration: everything that can happen to a definition while at most so many things go wrong.
//!
//! The production transition function is driven through every order of answers, events and timers, with a budget of faults: refusals,
//! failures, silence until nobody asks any more, answers that come twice, late or out of order, an answer and a timer at the same
//! moment, limits that pass, a cancel, a success after its compensation. What must hold is judged by the books of model participants,
//! never by what the instance says of itself (see `judge`). States are visited once; the cheapest way to each is taken first, so a
//! counter-example has the fewest faults, and among those the fewest steps.
//!
//! What decides is explored both ways, whatever the data are (see `model`): a condition is true and false, a list is empty or has two
//! elements, a time is over or ahead. So no way is missed and no payload must be made up, at the price that two conditions over the same
//! field may contradict each other in a story. A condition that is evaluated more than once in one transition has one value there.
//!
//! Absent on purpose: expressions that fail (they park wherever they stand, and that is a listed end), acts of operators other than a
//! cancel, lost records, the engine around the transition, and more than [`Limits::states`] states: then the report says so.

mod act;
mod books;
mod judge;
mod model;
mod moves;
mod save;
mod search;
mod story;
mod synthesis;
mod world;

use std::collections::BTreeMap;

use crate::ir::Definition;

pub use save::{Saved, save};
pub use story::CounterExample;

/// Virtual time of the trigger, ms.
const START_MS: i64 = 1_700_000_000_000;

/// How far an exploration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Things that may go wrong in one story.
    pub faults: u32,
    /// Different states at most; those with the most faults are left out first. The bound is a number, never a time, so that every machine finds the same.
    pub states: usize,
}

impl Limits {
    /// What `skald check` does by itself.
    pub const USUAL: Self = Self {
        faults: 2,
        states: 20_000,
    };
    /// What `skald check --deep` does.
    pub const DEEP: Self = Self {
        faults: 4,
        states: 200_000,
    };
}

/// What an exploration found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Different states visited.
    pub states: usize,
    /// How often it came to each end, e.g. `compensated`, `parked (unknown_pivot)`.
    pub ends: BTreeMap<String, usize>,
    /// Faults for which everything was tried: [`Limits::faults`], unless the bound on states was reached. `None`: not even without one.
    pub faults: Option<u32>,
    /// A story that breaks a law; then nothing was explored behind it.
    pub broken: Option<CounterExample>,
}

impl Report {
    /// Was everything tried that the limits ask for?
    pub fn is_exhaustive(&self, limits: Limits) -> bool {
        self.broken.is_none() && self.faults == Some(limits.faults)
    }
}

/// Explores a definition.
pub fn explore(definition: &Definition, limits: Limits) -> Report {
    search::run(definition, limits)
}

#[cfg(test)]
mod tests;
