//! Planted bugs, for the tests that show that the simulation and the requirement tests catch them.
//!
//! Compiled in with the feature `mutants` only, which the crate `tests` and the tests of `connectors` turn on; one of them is chosen per
//! thread and at run time, so all share one build. Without the feature [`planted`] is `false` and costs nothing.
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

    // Transition, beside the requirements.
    /// Transition: a success that comes after its compensation was confirmed is taken for a duplicate (D5).
    LateSuccessIgnored,
    /// Transition: a finished instance keeps nothing for late replies.
    NoTombstone,
    /// Transition: what is in flight in a part that is being left is given up at once, not awaited (E2).
    CompensationOvertakes,
    /// Transition: a late refusal closes an obligation although its compensation is under way (E4).
    RefusalClosesCompensation,

    // Requirements A to E, one line per rule in orchestrator/docs/requirements.md.
    /// A1: a step of unknown outcome owes nothing.
    A1UnknownOwesNothing,
    /// A2: a confirmed compensation takes the step's result out of the data.
    A2ConfirmedTakesResultBack,
    /// A3: an instance is compensated while compensations are not confirmed.
    A3CompensatedWhileOwed,
    /// A3: a compensation that keeps failing opens no incident.
    A3FailingIsSilent,
    /// A4: a refused step is compensated like one of unknown outcome.
    A4RefusedIsOwed,
    /// B1: a compensation does not wait for those that came after it.
    B1AllAtOnce,
    /// B1: compensations go out in the order of completion.
    B1FirstComesFirst,
    /// B1: a step of unknown outcome is compensated before the steps in `catch` that ran for it, once they are done.
    B1UnknownIsUndoneFirst,
    /// B2: a step owes one compensation, however often it was executed.
    B2OncePerStep,
    /// B2: every execution of a step is compensated with the data of the last one.
    B2LastDataForAll,
    /// B3: the body of a compensation is computed when it is sent.
    B3DataOfTheFailure,
    /// B3: the request is not sent back.
    B3RequestIsLost,
    /// B3: the reply is not visible to the compensation of a step that succeeded.
    B3ReplyIsLost,
    /// B4: a refused compensation counts as confirmed.
    B4RefusalConfirms,
    /// B4: a compensation is tried again by the policy of its step.
    B4PolicyOfTheStep,
    /// B5: a failure in a part that is being left turns back once more. Two checks cover each other, so both are out.
    B5TurnsBackAgain,
    /// B6: a step with nothing to compensate is an error when it succeeds.
    B6NothingIsAnError,
    /// B6: a step before the pivot need not say how it is compensated.
    B6UndeclaredIsAccepted,
    /// C1: a path may have several pivots.
    C1SecondPivot,
    /// C1: a step after the pivot may say how it is compensated.
    C1CompensatableAfterPivot,
    /// C1: a step may be past the pivot on some paths only.
    C1TornPivot,
    /// C2: a failure past the pivot turns back.
    C2BackAfterPivot,
    /// C2: what was done before the pivot is owed past it.
    C2OwedAfterPivot,
    /// C3: a pivot of unknown outcome turns back.
    C3UnknownPivotTurnsBack,
    /// C3: a failure beside a pivot in flight does not wait for its answer.
    C3SiblingDoesNotWait,
    /// C4: a block that catches `compensated` does not stop the way back.
    C4PassesTheSavePoint,
    /// C4: what was done before a save-point is undone with what was done behind it.
    C4UndoesWhatWasBefore,
    /// C5: a step is tried again for ever.
    C5TriesForEver,
    /// C5: a failed attempt is followed by the next at once.
    C5NoBackoff,
    /// C6: a cancel past the pivot turns back.
    C6CancelAfterPivot,
    /// C6: a cancel that waits for the pivot is not recorded.
    C6CancelIsForgotten,
    /// C6: a terminated instance owes nothing.
    C6TerminateForgets,
    /// D1: every attempt is an execution of its own.
    D1IdPerAttempt,
    /// D1: every attempt of a compensation is an execution of its own.
    D1IdPerCompensation,
    /// D2: a command runs although its compensation came before it.
    D2RunsAfterCompensation,
    /// D3: a failure that comes twice uses up two attempts.
    D3FailureCountsTwice,
    /// D3: a confirmation that comes twice is applied twice.
    D3ConfirmationCountsTwice,
    /// D3: a signal that comes twice is applied twice.
    D3SignalCountsTwice,
    /// D4: an attempt that is not answered in time is the last one.
    D4TimeoutEndsTheLadder,
    /// D4: what the definition says about an unknown outcome is ignored.
    D4DeclaredIsIgnored,
    /// D5: a late success is dropped.
    D5SuccessIsDropped,
    /// D5: a late refusal leaves its obligation open.
    D5RefusalLeavesItOpen,
    /// D5: a late reply is not told.
    D5IsNotTold,
    /// D6: a reply for a command that was never sent is dropped.
    D6ReplyIsDropped,
    /// D6: an event that was kept for nothing is dropped.
    D6EventIsDropped,
    /// D7: a batch of unknown fate is made again from where it began.
    D7AgainWithoutRecovery,
    /// E1: executions in different frames wait for nothing.
    E1FramesAreIndependent,
    /// E1: branches are compensated one after the other.
    E1BranchesInARow,
    /// E2: a sibling of a branch that failed goes on. Two checks cover each other, so both are out.
    E2SiblingGoesOn,
    /// E2: compensations do not wait for what is in flight.
    E2OvertakesItsCommand,
    /// E4: a timeout that comes after the cancel is forgotten.
    E4TimeoutAfterCancel,
    // End of the requirements.
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
        Self::LateSuccessIgnored,
        Self::NoTombstone,
        Self::CompensationOvertakes,
        Self::RefusalClosesCompensation,
        // Requirements A to E.
        Self::A1UnknownOwesNothing,
        Self::A2ConfirmedTakesResultBack,
        Self::A3CompensatedWhileOwed,
        Self::A3FailingIsSilent,
        Self::A4RefusedIsOwed,
        Self::B1AllAtOnce,
        Self::B1FirstComesFirst,
        Self::B1UnknownIsUndoneFirst,
        Self::B2OncePerStep,
        Self::B2LastDataForAll,
        Self::B3DataOfTheFailure,
        Self::B3RequestIsLost,
        Self::B3ReplyIsLost,
        Self::B4RefusalConfirms,
        Self::B4PolicyOfTheStep,
        Self::B5TurnsBackAgain,
        Self::B6NothingIsAnError,
        Self::B6UndeclaredIsAccepted,
        Self::C1SecondPivot,
        Self::C1CompensatableAfterPivot,
        Self::C1TornPivot,
        Self::C2BackAfterPivot,
        Self::C2OwedAfterPivot,
        Self::C3UnknownPivotTurnsBack,
        Self::C3SiblingDoesNotWait,
        Self::C4PassesTheSavePoint,
        Self::C4UndoesWhatWasBefore,
        Self::C5TriesForEver,
        Self::C5NoBackoff,
        Self::C6CancelAfterPivot,
        Self::C6CancelIsForgotten,
        Self::C6TerminateForgets,
        Self::D1IdPerAttempt,
        Self::D1IdPerCompensation,
        Self::D2RunsAfterCompensation,
        Self::D3FailureCountsTwice,
        Self::D3ConfirmationCountsTwice,
        Self::D3SignalCountsTwice,
        Self::D4TimeoutEndsTheLadder,
        Self::D4DeclaredIsIgnored,
        Self::D5SuccessIsDropped,
        Self::D5RefusalLeavesItOpen,
        Self::D5IsNotTold,
        Self::D6ReplyIsDropped,
        Self::D6EventIsDropped,
        Self::D7AgainWithoutRecovery,
        Self::E1FramesAreIndependent,
        Self::E1BranchesInARow,
        Self::E2SiblingGoesOn,
        Self::E2OvertakesItsCommand,
        Self::E4TimeoutAfterCancel,
        // End of the requirements.
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
