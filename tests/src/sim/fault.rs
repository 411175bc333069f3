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
    StoreLost = 1500,
    /// A call is executed, its answer is lost.
    StoreAnswerLost = 1500,
    /// A call is executed late, and nobody learns of it.
    StoreLate = 1500,
    /// Everything is lost.
    StoreFlushed = 150,
    /// The newest writes are lost.
    StoreBack = 250,
    /// Nothing is answered for a while.
    StoreOutage = 40,
    /// One document is lost, its timer entry is not.
    DocumentLost = 100,
    // The log.
    /// Nothing is answered for a while.
    LogOutage = 40,
    /// Reading offsets, extents or records fails.
    ReadFails = 800,
    /// A transaction does not begin.
    BeginFails = 500,
    /// Some records of a transaction are lost.
    ProduceLost = 800,
    /// All records are written, an acknowledgement is lost.
    ProduceAnswerLost = 800,
    /// Offsets are not sent.
    OffsetsLost = 800,
    /// Offsets are sent, the answer is lost.
    OffsetsAnswerLost = 800,
    /// A commit is lost.
    CommitLost = 1500,
    /// A commit happens, its answer is lost.
    CommitAnswerLost = 1500,
    /// A commit without an answer happens late.
    CommitLate = 1500,
    /// A commit is answered after a repeat that is still on its way.
    CommitRepeated = 2500,
    /// An abort is lost.
    AbortLost = 2000,
    /// An abort without an answer happens late.
    AbortLate = 2000,
    /// Markers of an ended transaction are written late.
    MarkersLate = 5000,
    /// A producer is not initialised.
    InitFails = 800,
    /// A plain record is lost.
    PlainLost = 800,
    /// A plain record is written, its acknowledgement is lost.
    PlainAnswerLost = 800,
    /// A transaction is open for too long: the coordinator aborts it.
    TransactionTimesOut = 60,
    /// The group moves partitions.
    Rebalance = 200,
    /// The journal is compacted.
    Compaction = 1000,
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
    ReplyLost = 2000,
    /// A command is answered twice.
    ReplyTwice = 2000,
    /// A command is answered late.
    ReplyLate = 2500,
    /// A reply is written to another lane.
    ReplyElsewhere = 1500,
    /// A participant fails technically.
    ParticipantFails = 1500,
    /// A participant fails after it had its effect.
    ParticipantForgets = 800,
    /// A command is delivered again.
    CommandAgain = 1000,
    /// A trigger is delivered again.
    TriggerAgain = 2500,
    /// A long time passes.
    Leap = 100,
}
