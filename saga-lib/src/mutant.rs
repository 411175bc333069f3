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
    /// Lane: a catch-up takes the end of what is decided for the end of the journal (R4).
    CatchUpIgnoresOpen,
    /// Lane: the first chunk of a catch-up moves the watermark (R5).
    FirstChunkMovesWatermark,
    /// Lane: what was kept of a lane is not forgotten when it recovers.
    ForgetsNothing,
    /// Lane: a lane that stays assigned keeps its belief over a change of the assignment (B1).
    KeepsBelief,
    /// Lane: the position of an idle lane is not read (B8).
    NoIdleCheck,
    /// Lane: the committed offset is not read again after a doubt (B7).
    NoReread,
    /// Lane: an offset that a transaction still holds up is taken as the store has it (R2).
    OffsetNotStable,
    /// Lane: what was polled behind a part of it is not delivered again.
    PartNotRewound,
    /// Lane: the producers are not replaced after a doubt (B7).
    ProducerKept,
    /// Lane: a commit that the store refused counts as done.
    RefusedIsDone,
    /// Lane: a record that failed once is set aside.
    SuspectConvicted,
    /// Lane: a commit that was answered in doubt counts as any other.
    TaintIgnored,
    /// Lane: a commit without an answer counts as done (B6).
    UnknownIsCommitted,
    /// Lane: a store that is ahead of the belief is taken as it is (B2).
    WatermarkMayBeAhead,

    // The worker's shell and the engine, planted in `orchestrator`.
    /// Engine: documents are kept from batch to batch, also over a recovery.
    CacheSurvives,
    /// Shell: records of a transaction that were not acknowledged are not missed (B4).
    DeliveriesUnchecked,
    /// Shell: forwarded replies that were not acknowledged are not missed (B5).
    ForwardsUnchecked,
    /// Engine: only sagas that began in a batch have images in the journal (B4).
    ImagesOfNewOnly,
    /// Engine: a timer whose record was lost is not written again.
    TimerNotRewritten,
}

impl Mutant {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::NoCheckOnLoad,
        Self::CatchUpIgnoresOpen,
        Self::FirstChunkMovesWatermark,
        Self::ForgetsNothing,
        Self::KeepsBelief,
        Self::NoIdleCheck,
        Self::NoReread,
        Self::OffsetNotStable,
        Self::PartNotRewound,
        Self::ProducerKept,
        Self::RefusedIsDone,
        Self::SuspectConvicted,
        Self::TaintIgnored,
        Self::UnknownIsCommitted,
        Self::WatermarkMayBeAhead,
        Self::CacheSurvives,
        Self::DeliveriesUnchecked,
        Self::ForwardsUnchecked,
        Self::ImagesOfNewOnly,
        Self::TimerNotRewritten,
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
