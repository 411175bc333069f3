//! The kinds of faults.
//!
//! Absent on purpose: what a fault does, which stands where it strikes.

macro_rules! faults {
    ($($(#[doc = $doc:literal])* $name:ident = $most:literal,)*) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[doc = $doc])* $name,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: [Self; KINDS] = [$(Self::$name,)*];

            /// The highest rate a run may draw, per 10,000 opportunities.
            pub fn most(self) -> u32 {
                match self {
                    $(Self::$name => $most,)*
                }
            }
        }

        /// Number of kinds.
        pub const KINDS: usize = [$($most,)*].len();
    };
}

faults! {
    // The store.
    /// A call is lost.
    StoreLost = 2000,
    /// A call is executed, its answer is lost.
    StoreAnswerLost = 2000,
    /// A call is executed late, and nobody learns of it.
    StoreLate = 2000,
    /// Everything is lost.
    StoreFlushed = 120,
    /// The newest writes are lost.
    StoreBack = 250,
    /// Nothing is answered for a while.
    StoreOutage = 40,
    // The log.
    /// Nothing is answered for a while.
    LogOutage = 40,
    /// Reading offsets, extents or records fails.
    ReadFails = 1500,
    /// A command is refused by its topic.
    OutputRefused = 400,
    /// A transaction does not begin.
    BeginFails = 500,
    /// Some records of a transaction are lost.
    ProduceLost = 800,
    /// All records are written, an acknowledgement is lost.
    ProduceAnswerLost = 2000,
    /// Offsets are not sent.
    OffsetsLost = 2000,
    /// Offsets are sent, the answer is lost.
    OffsetsAnswerLost = 2000,
    /// A commit is lost.
    CommitLost = 3000,
    /// A commit happens, its answer is lost.
    CommitAnswerLost = 3000,
    /// A commit without an answer happens late.
    CommitLate = 3000,
    /// A commit is answered after a repeat that is still on its way.
    CommitRepeated = 4000,
    /// An abort is lost.
    AbortLost = 4000,
    /// An abort without an answer happens late.
    AbortLate = 4000,
    /// Markers of an ended transaction are written late.
    MarkersLate = 5000,
    /// A producer is not initialised.
    InitFails = 2000,
    /// A plain record is lost.
    PlainLost = 8000,
    /// A plain record is written, its acknowledgement is lost.
    PlainAnswerLost = 5000,
    /// A transaction is open for too long: the coordinator aborts it.
    TransactionTimesOut = 60,
    /// The group moves partitions.
    Rebalance = 200,
    /// The journal is compacted.
    Compaction = 400,
    // Instances.
    /// One dies between two steps.
    Crash = 150,
    /// One dies in the middle of a step.
    CrashInside = 150,
    /// One stands still and goes on later.
    Freeze = 250,
    /// One leaves the group and ends in order.
    Leave = 40,
    // Participants and triggers.
    /// A command is not answered.
    ReplyLost = 3000,
    /// A command is answered twice.
    ReplyTwice = 3000,
    /// A command is answered late.
    ReplyLate = 2500,
    /// A reply is written to another lane.
    ReplyElsewhere = 3000,
    /// A participant fails technically.
    ParticipantFails = 1500,
    /// A participant fails after it had its effect.
    ParticipantForgets = 2000,
    /// A command is delivered again.
    CommandAgain = 2500,
    /// A trigger is delivered again.
    TriggerAgain = 2500,
    /// A long time passes.
    Leap = 100,
}
