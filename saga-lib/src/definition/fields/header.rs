//! Keys of the header.

use super::{Object, Part, Shape, later, optional, required};

/// The whole file.
pub const SAGA: Object = Object {
    name: "a saga",
    fields: &[
        required("saga", Shape::Name, "Name of the saga."),
        required(
            "version",
            Shape::Integer(1, u32::MAX as i64),
            "Version, from 1; a published version never changes.",
        ),
        required(
            "start",
            Shape::OneOrMany(&Shape::Mapping(&START)),
            "The event that starts an instance, or a list of them.",
        ),
        required("steps", Shape::Steps, "What is done, in order."),
        optional("owner", Shape::Text, "Who answers for it."),
        optional("labels", Shape::Map(&Shape::Text), "Words to search by."),
        optional(
            "uses",
            Shape::List(&Shape::File),
            "Contract and fragment files, relative to this one.",
        ),
        optional(
            "data",
            Shape::Map(&Shape::Mapping(&VARIABLE)),
            "Mutable variables with type and initial value.",
        ),
        optional(
            "deadline",
            Shape::Either(&[Shape::Duration, Shape::Mapping(&DEADLINE)]),
            "Bound on the whole instance.",
        ),
        optional(
            "finally",
            Shape::Mapping(&FINALLY),
            "What to publish at the end, by final status.",
        ),
        optional(
            "measure",
            Shape::Map(&Shape::Data),
            "Business numbers for metrics, computed when an instance completes.",
        ),
        optional(
            "retain",
            Shape::Duration,
            "How long a finished instance stays in the store (1h).",
        ),
        later(
            "sensitive",
            Part::Operation,
            "Paths that are masked and encrypted.",
        ),
        later("flags", Part::Operation, "Rollout of alternatives."),
        later("priority", Part::Operation, "Which instances go first."),
        later(
            "migrate",
            Part::Operation,
            "How running instances change to this version.",
        ),
    ],
};

/// What happens to a second event with the same key.
pub const DUPLICATES: &[&str] = &["ignore", "new", "reject"];

/// An event that starts an instance.
pub const START: Object = Object {
    name: "a start",
    fields: &[
        required("topic", Shape::Topic, "Business topic."),
        optional(
            "type",
            Shape::Text,
            "Event type; without it every record starts an instance.",
        ),
        required("as", Shape::Name, "Name of the payload."),
        required(
            "key",
            Shape::Expression,
            "Business key: identity of the instance and record key of its messages.",
        ),
        optional(
            "where",
            Shape::Expression,
            "Only events for which this is true start an instance.",
        ),
        optional(
            "id",
            Shape::Expression,
            "Identity of the event where it has no `ce_id`.",
        ),
        optional(
            "duplicates",
            Shape::Word(DUPLICATES),
            "What a second event with the same key means (ignore); with `new` several instances have one key, and none can `await` by it.",
        ),
        optional(
            "from",
            Shape::Either(&[Shape::Word(&["earliest", "latest"]), Shape::Time]),
            "Where reading begins: earliest, latest or a time; without it, the activation.",
        ),
    ],
};

/// Types of variables.
pub const TYPES: &[&str] = &[
    "boolean", "integer", "number", "string", "list", "object", "any",
];

/// A variable.
pub const VARIABLE: Object = Object {
    name: "a variable",
    fields: &[
        optional("type", Shape::Word(TYPES), "Type of its values."),
        required("init", Shape::Data, "Initial value."),
    ],
};

/// What happens at a deadline.
pub const DEADLINE_THEN: &[&str] = &["compensate", "park"];

/// A deadline.
pub const DEADLINE: Object = Object {
    name: "a deadline",
    fields: &[
        required("after", Shape::Duration, "After the start."),
        optional(
            "then",
            Shape::Word(DEADLINE_THEN),
            "What happens then (compensate).",
        ),
        optional(
            "warn",
            Shape::Either(&[Shape::Percent, Shape::Duration]),
            "A warning, at this part of the time or after this duration.",
        ),
    ],
};

const FINAL: Shape = Shape::OneOrMany(&Shape::Mapping(&FINAL_EVENT));

/// What to publish at the end.
pub const FINALLY: Object = Object {
    name: "`finally`",
    fields: &[
        optional("completed", FINAL, "When completed: one event or a list."),
        optional(
            "compensated",
            FINAL,
            "When compensated: one event or a list.",
        ),
        optional("parked", FINAL, "When parked: one event or a list."),
    ],
};

/// An event published at the end.
pub const FINAL_PUBLISH: Object = Object {
    name: "an event of `finally`",
    fields: &[
        required("publish", Shape::Topic, "Topic."),
        required("type", Shape::Text, "Event type."),
        optional(
            "key",
            Shape::Expression,
            "Record key; the saga key without it.",
        ),
        optional("with", Shape::Data, "Body of the event."),
    ],
};

/// The events of a fragment published at the end.
pub const FINAL_USE: Object = Object {
    name: "a `use` of `finally`",
    fields: &[
        required("use", Shape::Text, "A fragment that only publishes."),
        optional("with", Shape::Map(&Shape::Data), "Its arguments."),
    ],
};

/// Either of the two, for those who describe the language.
pub const FINAL_EVENT: Object = Object {
    name: "an event or a `use` of `finally`",
    fields: &[
        optional("publish", Shape::Topic, "Topic; an event has it, or `use`."),
        optional("type", Shape::Text, "Event type; required with `publish`."),
        optional(
            "key",
            Shape::Expression,
            "Record key; the saga key without it.",
        ),
        optional(
            "with",
            Shape::Data,
            "Body of the event, or the fragment's arguments.",
        ),
        optional("use", Shape::Text, "A fragment that only publishes."),
    ],
};
