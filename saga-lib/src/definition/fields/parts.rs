//! Keys of the mappings inside steps.

use super::{Object, Shape, optional, required};

/// Largest number of attempts.
const ATTEMPTS_MAX: i64 = 1000;

/// A counter-command.
pub const COMPENSATE: Object = Object {
    name: "a compensation",
    fields: &[
        required("command", Shape::Operation, "Operation of a participant."),
        optional("with", Shape::Data, "Body; the forward request without it."),
    ],
};

/// A second provider.
pub const FALLBACK: Object = Object {
    name: "a fallback",
    fields: &[
        required("command", Shape::Operation, "Operation of a participant."),
        optional("with", Shape::Data, "Body; that of the step without it."),
        optional(
            "compensate",
            Shape::Either(&[
                Shape::Word(&["none"]),
                Shape::Operation,
                Shape::Mapping(&COMPENSATE),
            ]),
            "Counter-command, if the contract has none.",
        ),
        optional(
            "because",
            Shape::Text,
            "Why there is nothing to compensate.",
        ),
    ],
};

/// A question for an unknown outcome.
pub const QUERY: Object = Object {
    name: "a query",
    fields: &[
        required("command", Shape::Operation, "A read-only operation."),
        optional("with", Shape::Data, "Body; that of the step without it."),
    ],
};

/// Spread of waits.
pub const JITTER: &[&str] = &["none", "full", "equal"];

/// What is tried again.
pub const AFTER: &[&str] = &["failed", "timeout"];

/// Attempts and their spacing.
pub const RETRY: Object = Object {
    name: "a retry",
    fields: &[
        optional(
            "max",
            Shape::Integer(1, ATTEMPTS_MAX),
            "Attempts at most (5).",
        ),
        optional("first", Shape::Duration, "First wait (200ms)."),
        optional(
            "factor",
            Shape::Number(1.0, 100.0),
            "Growth of the wait (2).",
        ),
        optional("cap", Shape::Duration, "Longest wait (10s)."),
        optional("jitter", Shape::Word(JITTER), "Spread of the wait (full)."),
        optional(
            "within",
            Shape::Duration,
            "No new attempt later than this after the first.",
        ),
        optional(
            "after",
            Shape::List(&Shape::Word(AFTER)),
            "What is tried again: a list of failed, timeout (both).",
        ),
    ],
};

/// Directions after an outcome.
pub const DIRECTIVES: &[&str] = &["compensate", "continue", "retry", "park"];

/// Steps for an outcome, and the direction after them.
pub const CATCH: Object = Object {
    name: "a catch with steps",
    fields: &[
        required("do", Shape::Steps, "Steps to run first."),
        required("then", Shape::Word(DIRECTIVES), "And then."),
    ],
};

/// An awaited event.
pub const AWAITED: Object = Object {
    name: "an awaited event",
    fields: &[
        required("topic", Shape::Topic, "Business topic."),
        optional(
            "type",
            Shape::Text,
            "Event type; without it every record counts.",
        ),
        required(
            "key",
            Shape::Expression,
            "The saga's key inside the event (`event`).",
        ),
        optional(
            "is",
            Shape::Data,
            "What the key must equal: the `key` of the start, which is also the meaning without it.",
        ),
        optional(
            "where",
            Shape::Expression,
            "Only events for which this is true count (`event` and the saga's names).",
        ),
    ],
};

/// One of several awaited events.
pub const ALTERNATIVE: Object = Object {
    name: "one of several awaited events",
    fields: &[
        required("name", Shape::Name, "Name of the alternative: its outcome."),
        AWAITED.fields[0],
        AWAITED.fields[1],
        AWAITED.fields[2],
        AWAITED.fields[3],
        AWAITED.fields[4],
    ],
};

/// A delay until a time.
pub const UNTIL: Object = Object {
    name: "a delay until a time",
    fields: &[required(
        "until",
        Shape::Expression,
        "Time to go on at: ms since 1970, or text as 2026-01-31T00:00:00Z.",
    )],
};

/// An arm of a choice.
pub const ARM: Object = Object {
    name: "an arm of a choice",
    fields: &[
        required("when", Shape::Expression, "The arm is taken if it is true."),
        required("steps", Shape::Steps, "Its steps; may be empty."),
    ],
};

/// The last arm of a choice.
pub const OTHERWISE: Object = Object {
    name: "the last arm of a choice",
    fields: &[required(
        "otherwise",
        Shape::Steps,
        "The steps if no other arm is taken; may be empty.",
    )],
};
