//! A place of the program: what holds there on every path that leads to it.
//!
//! Absent on purpose: values. Which way an instance takes is known when it runs.

use super::names::{Names, Sure};

/// Where a place stands relative to the pivot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No path has passed it.
    Before,
    /// Every path has passed it.
    After,
    /// Some paths have.
    Mixed,
}

impl Phase {
    fn join(self, other: Self) -> Self {
        if self == other { self } else { Self::Mixed }
    }
}

/// The shortest time limit around a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// Its length.
    pub(super) ms: i64,
    /// What sets it.
    pub(super) owner: &'static str,
}

/// What holds at a place of the program.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Visible names.
    pub(super) names: Names,
    /// Relative to the pivot.
    pub(super) phase: Phase,
    /// Can execution come here?
    pub(super) open: bool,
    /// The time limit around it.
    pub(super) limit: Option<Limit>,
    /// Why the pivot cannot stand here.
    pub(super) no_pivot: Option<&'static str>,
}

impl Place {
    /// The beginning of a program that sees `names`.
    pub(super) fn new(names: Names) -> Self {
        Self {
            names,
            phase: Phase::Before,
            open: true,
            limit: None,
            no_pivot: None,
        }
    }

    /// The beginning of a part in which no pivot can stand.
    pub(super) fn inner(&self, no_pivot: &'static str) -> Self {
        Self {
            no_pivot: self.no_pivot.or(Some(no_pivot)),
            ..self.clone()
        }
    }

    /// The place where these paths meet; the surroundings are those of `self`.
    pub(super) fn meet(&mut self, paths: Vec<Self>) {
        let open = || paths.iter().filter(|path| path.open);
        let sure = Sure::all(open().map(|path| path.names.sure()));
        let phase = open().map(|path| path.phase).reduce(Phase::join);
        self.open = sure.is_some();
        for path in &paths {
            self.names.absorb(&path.names, true);
        }
        if let (Some(sure), Some(phase)) = (sure, phase) {
            self.names.doubt_all_but(&sure);
            self.phase = phase;
        }
    }

    /// Narrows the time limit.
    pub(super) fn narrow(&mut self, ms: Option<i64>, owner: &'static str) {
        let Some(ms) = ms else { return };
        if self.limit.is_none_or(|limit| ms < limit.ms) {
            self.limit = Some(Limit { ms, owner });
        }
    }
}
