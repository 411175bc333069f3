//! The field table: every key of the language, in one place.
//!
//! The parser refuses what is not here, "did you mean" searches here, and the reference and the JSON Schema are made from here.
//!
//! Absent on purpose: what keys mean together (see the modules that lower them).

/// Part of the language, in the order the releases bring them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Sequences of commands with compensation.
    Core,
    /// Outcomes, branches, loops, waiting.
    Flow,
    /// Contracts, decisions, fragments, child sagas.
    Reuse,
    /// People: tasks, labels with data, service levels.
    People,
    /// Rollout, migration, priorities, masking.
    Operation,
}

impl Part {
    /// Does this release have it?
    pub fn is_supported(self) -> bool {
        self == Self::Core
    }
}

/// What the value of a key looks like.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Text for people.
    Text,
    /// A name.
    Name,
    /// A Kafka topic.
    Topic,
    /// `service.operation`.
    Operation,
    /// A whole number within bounds.
    Integer(i64, i64),
    /// A number within bounds.
    Number(f64, f64),
    /// A duration, e.g. `30s`.
    Duration,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An expression, written bare.
    Expression,
    /// Data; text that starts with `=` is an expression.
    Data,
    /// A mapping with these keys.
    Mapping(&'static Object),
    /// A mapping of names the author chooses.
    Names,
    /// A list of steps.
    Steps,
    /// Several of the above; the doc sentence says which.
    Several,
}

/// A key.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// Must it be there?
    pub required: bool,
    /// What its value looks like.
    pub shape: Shape,
    /// What it is for, as one sentence.
    pub doc: &'static str,
    /// Since which part of the language.
    pub part: Part,
}

/// A mapping of the language.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    /// What it is called in messages, e.g. "a step".
    pub name: &'static str,
    /// Its keys.
    pub fields: &'static [Field],
}

impl Object {
    /// The key called `name`.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// A verb: the one key that says what a step does.
#[derive(Debug, Clone, Copy)]
pub struct Verb {
    /// The key.
    pub name: &'static str,
    /// Keys of a step with this verb, common ones and the verb included.
    pub object: &'static Object,
    /// Since which part of the language.
    pub part: Part,
}

const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    field(name, true, shape, Part::Core, doc)
}

const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    field(name, false, shape, Part::Core, doc)
}

const fn later(name: &'static str, part: Part, doc: &'static str) -> Field {
    field(name, false, Shape::Several, part, doc)
}

const fn field(
    name: &'static str,
    required: bool,
    shape: Shape,
    part: Part,
    doc: &'static str,
) -> Field {
    Field {
        name,
        required,
        shape,
        doc,
        part,
    }
}

/// Largest number of attempts.
const ATTEMPTS_MAX: i64 = 1000;

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
            Shape::Several,
            "The event that starts an instance, or a list of them.",
        ),
        required("steps", Shape::Steps, "What is done, in order."),
        optional("owner", Shape::Text, "Who answers for it."),
        optional("labels", Shape::Names, "Words to search by."),
        optional(
            "data",
            Shape::Names,
            "Mutable variables with type and initial value.",
        ),
        optional(
            "finally",
            Shape::Mapping(&FINALLY),
            "What to publish at the end, by final status.",
        ),
        optional(
            "retain",
            Shape::Duration,
            "How long a finished instance stays in the store (1h).",
        ),
        later("uses", Part::Reuse, "Contract, fragment and type files."),
        later("deadline", Part::Flow, "Bound on the whole instance."),
        later("measure", Part::Operation, "Business numbers for metrics."),
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
            "What a second event with the same key means (ignore).",
        ),
        optional(
            "from",
            Shape::Several,
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

const ID: Field = optional(
    "id",
    Shape::Name,
    "Position, name of the result, and path of the command.",
);
const REQUIRED_ID: Field = required(
    "id",
    Shape::Name,
    "Position, name of the result, and path of the command.",
);
const LABEL: Field = optional("label", Shape::Text, "What people read.");
const WHEN: Field = optional(
    "when",
    Shape::Expression,
    "The step runs only if this is true.",
);
const CATCH: Field = later("catch", Part::Flow, "What to do with an outcome.");
const MILESTONE: Field = later(
    "milestone",
    Part::People,
    "A point that counts for the business.",
);
const SLA: Field = later("sla", Part::People, "When a warning is due.");

/// A step that sends a command.
pub const COMMAND: Object = Object {
    name: "a `command` step",
    fields: &[
        REQUIRED_ID,
        required("command", Shape::Operation, "Operation of a participant."),
        optional("with", Shape::Data, "Body of the command."),
        optional(
            "key",
            Shape::Expression,
            "Record key; the saga key without it.",
        ),
        optional(
            "keep",
            Shape::Names,
            "What is kept of the reply, by name; everything without it.",
        ),
        optional(
            "compensate",
            Shape::Several,
            "Counter-command: an operation, `{ command, with }`, or `none`.",
        ),
        optional(
            "because",
            Shape::Text,
            "Why there is nothing to compensate.",
        ),
        optional(
            "pivot",
            Shape::Flag,
            "The go/no-go point: before it a failure compensates, after it the saga only goes forward.",
        ),
        optional(
            "timeout",
            Shape::Duration,
            "How long one attempt may take (30s).",
        ),
        optional(
            "retry",
            Shape::Several,
            "Attempts and their spacing, `none` or `forever`.",
        ),
        WHEN,
        LABEL,
        later("fallback", Part::Flow, "A second provider."),
        CATCH,
        MILESTONE,
        SLA,
    ],
};

/// A step that publishes an event.
pub const PUBLISH: Object = Object {
    name: "a `publish` step",
    fields: &[
        ID,
        required("publish", Shape::Topic, "Topic."),
        required("type", Shape::Text, "Event type."),
        optional(
            "key",
            Shape::Expression,
            "Record key; the saga key without it.",
        ),
        optional("with", Shape::Data, "Body of the event."),
        WHEN,
        LABEL,
        MILESTONE,
    ],
};

/// A step that assigns variables.
pub const SET: Object = Object {
    name: "a `set` step",
    fields: &[
        ID,
        required("set", Shape::Names, "New values of variables."),
        WHEN,
        LABEL,
        MILESTONE,
    ],
};

/// A counter-command.
pub const COMPENSATE: Object = Object {
    name: "a compensation",
    fields: &[
        required("command", Shape::Operation, "Operation of a participant."),
        optional("with", Shape::Data, "Body; the forward request without it."),
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
            Shape::Several,
            "What is tried again: a list of failed, timeout (both).",
        ),
    ],
};

/// What to publish at the end.
pub const FINALLY: Object = Object {
    name: "`finally`",
    fields: &[
        optional(
            "completed",
            Shape::Several,
            "When completed: one event or a list.",
        ),
        optional(
            "compensated",
            Shape::Several,
            "When compensated: one event or a list.",
        ),
        optional(
            "parked",
            Shape::Several,
            "When parked: one event or a list.",
        ),
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
        later("use", Part::Reuse, "A fragment."),
    ],
};

/// A verb of a later release: what else such a step has is not checked.
const UNKNOWN: Object = Object {
    name: "a step",
    fields: &[],
};

const fn verb(name: &'static str, object: &'static Object, part: Part) -> Verb {
    Verb { name, object, part }
}

/// Every verb of the language.
pub const VERBS: &[Verb] = &[
    verb("command", &COMMAND, Part::Core),
    verb("publish", &PUBLISH, Part::Core),
    verb("set", &SET, Part::Core),
    verb("await", &UNKNOWN, Part::Flow),
    verb("delay", &UNKNOWN, Part::Flow),
    verb("block", &UNKNOWN, Part::Flow),
    verb("choice", &UNKNOWN, Part::Flow),
    verb("parallel", &UNKNOWN, Part::Flow),
    verb("for_each", &UNKNOWN, Part::Flow),
    verb("loop", &UNKNOWN, Part::Flow),
    verb("stop", &UNKNOWN, Part::Flow),
    verb("saga", &UNKNOWN, Part::Reuse),
    verb("use", &UNKNOWN, Part::Reuse),
    verb("decide", &UNKNOWN, Part::Reuse),
    verb("task", &UNKNOWN, Part::People),
];

/// Every mapping of the language, for whoever describes it.
pub const OBJECTS: &[&Object] = &[
    &SAGA,
    &START,
    &VARIABLE,
    &COMMAND,
    &PUBLISH,
    &SET,
    &COMPENSATE,
    &RETRY,
    &FINALLY,
    &FINAL_PUBLISH,
];
