//! Keys of contract and fragment files.

use super::{COMPENSATE, Object, QUERY, Shape, optional, required};

/// A contract file. Every other key is an operation.
pub const CONTRACT: Object = Object {
    name: "a contract",
    fields: &[
        required("contract", Shape::Name, "Name of the contract."),
        optional(
            "types",
            Shape::File,
            "Folder of the schemas, relative to this file: `<message type>.avsc` or `<message type>.json`.",
        ),
        optional(
            "format",
            Shape::Word(FORMATS),
            "How its commands and `events` are sent (json).",
        ),
        optional(
            "events",
            Shape::Map(&Shape::OneOrMany(&Shape::Text)),
            "Events that sagas publish: by topic, their message types. They are sent in the contract's `format`.",
        ),
        optional(
            "uses",
            Shape::List(&Shape::File),
            "Further files, relative to this one.",
        ),
    ],
};

/// How a message is sent.
pub const FORMATS: &[&str] = &["json", "avro"];

/// Effects of an operation.
pub const EFFECTS: &[&str] = &["none", "compensatable", "final"];

/// An operation of a contract.
pub const OPERATION: Object = Object {
    name: "an operation",
    fields: &[
        optional(
            "topic",
            Shape::Topic,
            "Command topic (`<service>.commands`).",
        ),
        optional(
            "send",
            Shape::Text,
            "Message type of the command (the operation's name).",
        ),
        optional(
            "format",
            Shape::Word(FORMATS),
            "`avro`: the command is sent with the schema `<message type>.avsc` of `types` (the contract's `format`).",
        ),
        optional(
            "success",
            Shape::Map(&Shape::Text),
            "Outcomes that leave an effect, with the message type of each reply (`ok`).",
        ),
        optional(
            "refusal",
            Shape::Map(&Shape::Text),
            "Outcomes that definitely leave none, with the message type of each reply (`refused`).",
        ),
        optional(
            "effect",
            Shape::Word(EFFECTS),
            "`none`: read-only; `final`: cannot be taken back (compensatable).",
        ),
        optional(
            "compensate",
            Shape::Either(&[
                Shape::Word(&["none"]),
                Shape::Operation,
                Shape::Mapping(&COMPENSATE),
            ]),
            "Counter-command: an operation, `{ command, with }`, or `none`.",
        ),
        optional(
            "because",
            Shape::Text,
            "Why there is nothing to compensate.",
        ),
        optional(
            "timeout",
            Shape::Duration,
            "How long one attempt may take (30s).",
        ),
        optional(
            "replies",
            Shape::Mapping(&REPLIES),
            "The service's own reply topic.",
        ),
        optional(
            "query",
            Shape::Either(&[Shape::Operation, Shape::Mapping(&QUERY)]),
            "A read-only operation that tells an unknown outcome: ok, refused or unknown.",
        ),
        optional(
            "outcome",
            Shape::Expression,
            "The outcome of a reply that has neither `skald-outcome` nor a known type.",
        ),
    ],
};

/// A service's own reply topic.
pub const REPLIES: Object = Object {
    name: "`replies`",
    fields: &[
        required("topic", Shape::Topic, "Topic."),
        required(
            "command",
            Shape::Expression,
            "The command id inside the reply (`event`).",
        ),
        super::later(
            "key",
            super::Part::Composition,
            "The business key inside the reply.",
        ),
    ],
};

/// A fragment file.
pub const FRAGMENT: Object = Object {
    name: "a fragment",
    fields: &[
        required("fragment", Shape::Name, "Name of the fragment."),
        optional(
            "with",
            Shape::List(&Shape::Name),
            "Names of its arguments; all of them must be given.",
        ),
        optional(
            "uses",
            Shape::List(&Shape::File),
            "Further files, relative to this one.",
        ),
        required("steps", Shape::Steps, "Its steps."),
    ],
};
