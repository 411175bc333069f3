//! Planted bugs, for the tests that show that the simulation and the requirement tests catch them.
//!
//! Compiled in with the feature `mutants` only, which the crate `tests` turns on; one of them is chosen per thread and at run time, so all
//! share one build. Without the feature [`planted`] is `false` and costs nothing.
//!
//! Absent on purpose: what each one breaks, which stands where it is planted, and who must catch it, which the tests say.

/// A planted bug. Each variant says what is wrong where it is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Lane: the store's position is not compared with the belief when documents are loaded (B2).
    NoCheckOnLoad,
    /// Transition: a step that was given up leaves no obligation (A4, D4).
    UnknownIsNotOwed,
    /// Transition: a success that comes after its compensation was confirmed is taken for a duplicate (D5).
    LateSuccessIgnored,
    /// Transition: a finished instance keeps nothing for late replies.
    NoTombstone,
    /// Transition: what is in flight in a part that is being left is given up at once, not awaited (E2).
    CompensationOvertakes,
    /// Transition: a late refusal closes an obligation although its compensation is under way (E4).
    RefusalClosesCompensation,
}

impl Mutant {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::NoCheckOnLoad,
        Self::UnknownIsNotOwed,
        Self::LateSuccessIgnored,
        Self::NoTombstone,
        Self::CompensationOvertakes,
        Self::RefusalClosesCompensation,
    ];
}

/// Is this bug planted in the current thread?
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn planted(_: Mutant) -> bool {
    false
}

#[cfg(feature = "mutants")]
pub use chosen::{planted, with};

#[cfg(feature = "mutants")]
mod chosen {
    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        static CHOSEN: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Is this bug planted in the current thread?
    pub fn planted(mutant: Mutant) -> bool {
        CHOSEN.with(|chosen| chosen.get() == Some(mutant))
    }

    /// Runs `work` with a bug planted in this thread.
    pub fn with<T>(mutant: Mutant, work: impl FnOnce() -> T) -> T {
        struct Restore(Option<Mutant>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CHOSEN.with(|chosen| chosen.set(self.0));
            }
        }
        let _restore = Restore(CHOSEN.with(|chosen| chosen.replace(Some(mutant))));
        work()
    }
}
