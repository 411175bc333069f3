//! Closed sets of label values, and families of metrics with one child bound per value.
//!
//! Absent on purpose: text labels. A value that is not in its enum cannot become a series.

use prometheus::core::{Metric, MetricVec, MetricVecBuilder};

/// A closed set of label values.
pub trait Label: Copy + 'static {
    /// Every value, in the order of its index.
    const ALL: &'static [Self];
    /// As it stands in the series.
    fn word(self) -> &'static str;
    /// Its place in [`Label::ALL`].
    fn index(self) -> usize;
}

/// One child per value of `L`, bound when the process starts: counting is an array access.
pub struct Family<L, M> {
    children: Vec<M>,
    label: std::marker::PhantomData<fn(L)>,
}

impl<L: Label, M: Metric> Family<L, M> {
    /// Binds every child of a metric whose only label is `L`.
    pub fn bind<T: MetricVecBuilder<M = M>>(vector: &MetricVec<T>) -> Self {
        Self::bind_with(|word| vector.with_label_values(&[word]))
    }

    /// Binds every child through `child`, for metrics with further labels.
    pub fn bind_with(child: impl Fn(&str) -> M) -> Self {
        Self {
            children: L::ALL.iter().map(|value| child(value.word())).collect(),
            label: std::marker::PhantomData,
        }
    }

    /// The child of `value`.
    pub fn at(&self, value: L) -> &M {
        &self.children[value.index()]
    }
}

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $value:ident = $word:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$inner])* $value),+ }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn word(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

labels! {
    /// Stages of a batch, B1 to B8.
    Stage {
        /// Waiting for records and taking them.
        Poll = "poll",
        /// Reading envelopes.
        Decode = "decode",
        /// Loading documents.
        Load = "load",
        /// Transitions.
        Decide = "decide",
        /// Writing documents.
        Store = "store",
        /// Handing over and awaiting outputs.
        Produce = "produce",
        /// Offsets and the end of the transaction.
        Commit = "commit",
    }

    /// Kinds of inbox records.
    InputKind {
        /// A business event.
        Event = "event",
        /// A business event that an instance awaits.
        Awaited = "awaited",
        /// A participant's answer.
        Reply = "reply",
        /// A timer.
        Timer = "timer",
        /// An operator's act.
        Signal = "signal",
        /// The end of retention.
        Expire = "expire",
        /// Not to be told: undecodable or of a later release.
        Unknown = "unknown",
    }

    /// Why a record had no effect.
    Skip {
        /// No definition starts from it.
        NoMatch = "no_match",
        /// It came before.
        Duplicate = "duplicate",
        /// The definition's filter refused it.
        Filtered = "filtered",
        /// Its step is decided.
        Late = "late",
        /// A timer that came before its due time.
        EarlyTimer = "early_timer",
        /// Nothing waits for it.
        Orphan = "orphan",
        /// A record without a value.
        Tombstone = "tombstone",
        /// A timer whose time was taken back, or whose instance is gone.
        Stale = "stale",
        /// A reply that stood in another lane than its saga; it has its effect there.
        Forwarded = "forwarded",
        /// An instance keeps no more early events.
        QueueFull = "queue_full",
    }

    /// What a produced record is.
    TopicClass {
        /// To a participant.
        Command = "command",
        /// A published business event.
        Event = "event",
        /// A fact.
        History = "history",
        /// A state image or header.
        Journal = "journal",
        /// A timer, a forwarded reply, ingress.
        Inbox = "inbox",
        /// Set aside.
        DeadLetter = "dead_letter",
    }

    /// Ends of a transaction.
    TransactionOutcome {
        /// Committed.
        Committed = "committed",
        /// Aborted by us or the broker.
        Aborted = "aborted",
        /// Refused: a newer producer exists.
        Fenced = "fenced",
        /// No answer in time.
        Timeout = "timeout",
    }

    /// Parts of the end of a transaction.
    TransactionPhase {
        /// Adding offsets.
        SendOffsets = "send_offsets",
        /// Committing.
        Commit = "commit",
    }

    /// Why a lane was recovered.
    RecoveryCause {
        /// It was assigned.
        Assigned = "assigned",
        /// The outcome of a transaction is unknown, or it was aborted.
        Doubt = "doubt",
        /// The store refused a commit.
        Refused = "refused",
        /// The store's position differs from the belief.
        Mismatch = "mismatch",
        /// The store lost the lane.
        Lost = "lost",
        /// It was not delivered what is there.
        Stalled = "stalled",
    }

    /// Why a lane stands still although its partition goes on.
    StallCause {
        /// A record can be read and is not delivered.
        NotDelivered = "not_delivered",
        /// An open transaction holds up what comes.
        OpenTransaction = "open_transaction",
    }

    /// States of a lane.
    LaneState {
        /// Being recovered.
        Recovering = "recovering",
        /// Waiting for the store.
        Waiting = "waiting",
        /// Working.
        Ready = "ready",
        /// Stopped: somebody must act.
        Stopped = "stopped",
    }

    /// Calls of the store.
    StoreOp {
        /// Loading documents.
        Load = "load",
        /// Writing documents.
        Store = "store",
        /// Reading due timers.
        Timer = "timer",
        /// Anything else.
        Query = "query",
    }

    /// Kinds of store errors.
    StoreError {
        /// No answer in time.
        Timeout = "timeout",
        /// Not permitted.
        NoPerm = "noperm",
        /// Out of memory.
        Oom = "oom",
        /// A read-only replica.
        ReadOnly = "readonly",
        /// No connection.
        Connection = "conn",
        /// A script failed.
        Script = "script",
    }

    /// What started an instance.
    Trigger {
        /// A business event.
        Event = "event",
        /// A schedule.
        Schedule = "schedule",
        /// A parent saga.
        Child = "child",
        /// A dead letter sent back.
        Redrive = "redrive",
    }

    /// Final statuses.
    SagaOutcome {
        /// Every step has its effect.
        Completed = "completed",
        /// Every effect is compensated.
        Compensated = "compensated",
        /// Ended by an operator.
        Terminated = "terminated",
    }

    /// Ends of a step.
    StepOutcome {
        /// Its effect exists.
        Succeeded = "succeeded",
        /// Definitely no effect.
        Refused = "refused",
        /// Nobody knows.
        Unknown = "unknown",
        /// Its condition was false.
        Skipped = "skipped",
    }

    /// Answers to a compensating command.
    CompensationOutcome {
        /// Confirmed.
        Confirmed = "confirmed",
        /// The participant refused: an operator must act.
        Refused = "refused",
        /// Failed technically; it is tried again.
        Failed = "failed",
    }

    /// What became of a dead letter that was sent back. What an instance made of an event, history tells.
    ReplayOutcome {
        /// A business event is in an inbox, or a record of an inbox changed its instance.
        Accepted = "accepted",
        /// No definition wanted it, or its instance does not.
        NoEffect = "no_effect",
        /// It became a dead letter again.
        DeadAgain = "dead_again",
    }
}
