//! The limit of dead letters per topic: after a bad deploy ingress stops instead of draining a topic into dead letters.
//!
//! Two bounds, because a topic goes bad in two ways: everything dies (the count in a row strikes soon), or a part of it does while the
//! rest goes through (only the ratio sees that).
//!
//! Absent on purpose: records that nobody wants. They say nothing about definitions, so they count neither way.

use std::collections::VecDeque;
use std::fmt;

/// How many dead letters a topic may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Dead letters without a good record between them, at most.
    pub in_a_row: u32,
    /// Share of dead letters among the newest [`WINDOW`] records, at most, above 0 and up to 1; 1 never strikes.
    pub ratio: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            in_a_row: 1_000,
            ratio: 0.5,
        }
    }
}

/// Records over which the ratio is taken. Ten times the default count in a row, so that the count judges a sudden end of all good
/// records and the ratio a lasting mixture.
pub const WINDOW: usize = 10_000;

/// Records below which a ratio says nothing.
pub const SAMPLE: usize = 1_000;

/// What became of the records of one topic, over all partitions of it that this process reads.
///
/// Invariant: `committed` counts exactly the records whose transactions were committed, in their order; `planned` is `committed` and
/// then what was planned since the last [`Limit::begin`]. An excess is never taken back: the records behind it were not committed.
#[derive(Debug)]
pub struct Limit {
    bounds: Bounds,
    committed: Tally,
    planned: Tally,
    excess: Option<Excess>,
}

impl Limit {
    /// Nothing was read yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            committed: Tally::default(),
            planned: Tally::default(),
            excess: None,
        }
    }

    /// A batch is planned (anew): what was planned before was not committed.
    pub fn begin(&mut self) {
        self.planned = self.committed.clone();
    }

    /// Counts planned records in their order, `true` for a dead letter, all of them; the first excess is the one that is kept.
    pub fn plan(&mut self, dead: &[bool]) {
        for dead in dead {
            self.planned.count(*dead);
            self.excess = self.excess.or_else(|| self.planned.excess(&self.bounds));
        }
    }

    /// The bound that was exceeded, if one was.
    pub fn excess(&self) -> Option<Excess> {
        self.excess
    }

    /// What was planned is committed.
    pub fn commit(&mut self) {
        self.committed = self.planned.clone();
    }
}

/// Invariant: `window` holds the newest records, at most [`WINDOW`]; `dead` of them are dead letters; `in_a_row` is the number of dead
/// letters since the last good record.
#[derive(Debug, Clone, Default)]
struct Tally {
    window: VecDeque<bool>,
    dead: usize,
    in_a_row: u32,
}

impl Tally {
    fn count(&mut self, dead: bool) {
        if self.window.len() == WINDOW {
            self.dead -= usize::from(self.window.pop_front() == Some(true));
        }
        self.window.push_back(dead);
        self.dead += usize::from(dead);
        self.in_a_row = if dead { self.in_a_row + 1 } else { 0 };
    }

    fn excess(&self, bounds: &Bounds) -> Option<Excess> {
        let (dead, of) = (self.dead, self.window.len());
        if self.in_a_row > bounds.in_a_row {
            return Some(Excess::InARow(self.in_a_row));
        }
        let over = of >= SAMPLE && dead as f64 > bounds.ratio * of as f64;
        over.then_some(Excess::Ratio { dead, of })
    }
}

/// A bound that was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// So many dead letters without a good record between them.
    InARow(u32),
    /// So many dead letters among the newest records.
    Ratio {
        /// Dead letters.
        dead: usize,
        /// Records.
        of: usize,
    },
}

impl Excess {
    /// The setting that holds the bound.
    pub fn setting(self) -> &'static str {
        match self {
            Self::InARow(_) => "ingress.dead_letters_in_a_row",
            Self::Ratio { .. } => "ingress.dead_letters_ratio",
        }
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InARow(n) => write!(f, "{n} dead letters in a row"),
            Self::Ratio { dead, of } => write!(f, "{dead} dead letters among {of} records"),
        }
    }
}

#[cfg(test)]
mod tests;
