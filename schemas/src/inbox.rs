//! Inbox records: everything that moves an instance, one record each.
//!
//! | `skald-kind` | key | value | written by |
//! |---|---|---|---|
//! | `event` | saga key | payload, canonical JSON | ingress |
//! | `awaited` | saga key | payload, canonical JSON | ingress |
//! | (missing), `reply` | means nothing | JSON or nothing | participants, ingress |
//! | `timer` | saga key | nothing | engine |
//! | `signal` | saga key | the signal, JSON | admin API, CLI |
//! | `expire` | `@expire` | up to 100 (saga id, arm) | engine |
//!
//! All but replies name the instance in `ce_correlationid`; a reply echoes the command id in `ce_causationid` or
//! `kafka_correlationId`. An input's time is the record's log append time, which no writer can choose.
//!
//! Absent on purpose: whether the record stands in the right lane and is signed (see [`crate::lane`], [`crate::signature`]).

mod decode;
mod encode;

use saga_lib::id::{self, CommandId, SagaId};
use saga_lib::input::Input;

use crate::{headers, ids, json, limits};

pub use decode::{cause, decode};
pub use encode::{
    Origin, encode_awaited, encode_event, encode_expire, encode_reply, encode_signal, encode_timer,
    forward,
};

/// Most ids of one `expire` record.
pub const EXPIRE_ENTRIES_MAX: usize = 100;

/// A decoded inbox record.
#[derive(Debug, Clone, PartialEq)]
pub enum Inbox {
    /// A business event for one definition.
    Event {
        /// The instance it starts.
        saga: SagaId,
        /// `name@version#hash` it was evaluated under.
        definition: String,
        /// The input.
        input: Input,
        /// Incoming W3C trace context.
        traceparent: Option<String>,
    },
    /// A business event that an instance awaits.
    Awaited {
        /// The instance.
        saga: SagaId,
        /// `name@version#hash` it was evaluated under: the document of an instance that has not begun is made for it.
        definition: String,
        /// The input.
        input: Input,
    },
    /// A participant's answer.
    Reply {
        /// The command it answers.
        command: CommandId,
        /// The input.
        input: Input,
        /// It was copied from another lane before: a second miss is an orphan.
        forwarded: bool,
    },
    /// A timer came due.
    Timer {
        /// The instance.
        saga: SagaId,
        /// The input.
        input: Input,
    },
    /// An operator's act.
    Signal {
        /// The instance.
        saga: SagaId,
        /// The input.
        input: Input,
    },
    /// Finished instances whose `retain` may be over.
    Expire {
        /// Ids and the arm sequences of their expiry entries.
        entries: Vec<(SagaId, u64)>,
        /// Identity of the record.
        id: String,
        /// The record's time, ms.
        time_ms: i64,
    },
}

/// Why a record is no inbox record. Each is a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Beyond a limit.
    #[error(transparent)]
    Limit(#[from] limits::Error),
    /// A header is missing or cannot be read.
    #[error(transparent)]
    Header(#[from] headers::Error),
    /// A text is too long, empty or not printable.
    #[error(transparent)]
    Text(#[from] ids::Error),
    /// A header names no saga or command.
    #[error("header `{header}`: {error}")]
    Id {
        /// The header.
        header: &'static str,
        /// What is wrong.
        error: id::Error,
    },
    /// The value is not acceptable JSON.
    #[error("value: {0}")]
    Json(#[from] json::Error),
    /// The value is JSON of another shape.
    #[error("value: {problem}")]
    Shape {
        /// What is wrong, with the field.
        problem: String,
    },
    /// A reply that echoes no command id.
    #[error(
        "reply without command id: echo the command's `ce_id` in `ce_causationid` (or keep `kafka_correlationId`)"
    )]
    NoCommand,
    /// A kind that this release does not know.
    #[error("header `skald-kind`: unknown kind `{kind}`; a newer release may have written it")]
    UnknownKind {
        /// The kind.
        kind: String,
    },
}

/// Words of `skald-kind`.
pub(crate) mod kind {
    pub(crate) const EVENT: &str = "event";
    pub(crate) const AWAITED: &str = "awaited";
    pub(crate) const REPLY: &str = "reply";
    pub(crate) const TIMER: &str = "timer";
    pub(crate) const SIGNAL: &str = "signal";
    pub(crate) const EXPIRE: &str = "expire";
}

#[cfg(test)]
mod tests;
