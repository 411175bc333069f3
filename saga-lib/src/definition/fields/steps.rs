//! Keys of steps, by verb.

use super::parts::{ALTERNATIVE, ARM, AWAITED, CATCH as CAUGHT, COMPENSATE, FALLBACK, OTHERWISE};
use super::parts::{DIRECTIVES, RETRY, UNTIL};
use super::{Field, Object, Part, Shape, Verb, optional, required};

/// Most executions of a loop and elements of a for_each.
const EXECUTIONS_MAX: i64 = 1000;

/// Most executions at once, and most branches that a join can count.
const CONCURRENT_MAX: i64 = 100;

const ID_DOC: &str = "Position, name of the result, and path of the command.";
const ID: Field = optional("id", Shape::Name, ID_DOC);
const REQUIRED_ID: Field = required("id", Shape::Name, ID_DOC);
const LABEL: Field = optional("label", Shape::Text, "What people read.");
const WHEN: Field = optional(
    "when",
    Shape::Expression,
    "The step runs only if this is true.",
);
const CATCH: Field = optional(
    "catch",
    Shape::Map(&Shape::Either(&[
        Shape::Word(DIRECTIVES),
        Shape::Mapping(&CAUGHT),
    ])),
    "What to do with an outcome: a direction, or `{ do: [steps], then: direction }`.",
);
const MILESTONE: Field = optional(
    "milestone",
    Shape::Name,
    "A point that counts for the business, reached when the step succeeds.",
);
const SLA: Field = optional(
    "sla",
    Shape::Duration,
    "A warning is due if the step takes longer.",
);
const COMPENSATION: Shape = Shape::Either(&[
    Shape::Word(&["none"]),
    Shape::Operation,
    Shape::Mapping(&COMPENSATE),
]);

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
            Shape::Map(&Shape::Data),
            "What is kept of the reply, by name; everything without it.",
        ),
        optional(
            "compensate",
            COMPENSATION,
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
            "How long one attempt may take (the contract's, else 30s).",
        ),
        optional(
            "retry",
            Shape::Either(&[Shape::Word(&["none", "forever"]), Shape::Mapping(&RETRY)]),
            "Attempts and their spacing, `none` or `forever`.",
        ),
        optional(
            "fallback",
            Shape::Either(&[Shape::Operation, Shape::Mapping(&FALLBACK)]),
            "A second provider: at once after a refusal, after `failed` or `timeout` when the first one is compensated.",
        ),
        WHEN,
        LABEL,
        CATCH,
        MILESTONE,
        SLA,
    ],
};

/// A step that waits for an event.
pub const AWAIT: Object = Object {
    name: "an `await` step",
    fields: &[
        REQUIRED_ID,
        required(
            "await",
            Shape::Either(&[
                Shape::Mapping(&AWAITED),
                Shape::List(&Shape::Mapping(&ALTERNATIVE)),
            ]),
            "An event, or a list of alternatives.",
        ),
        optional(
            "keep",
            Shape::Map(&Shape::Data),
            "What is kept of the event (`event`), by name; everything without it.",
        ),
        optional(
            "timeout",
            Shape::Duration,
            "How long to wait; then the outcome is `timeout`.",
        ),
        WHEN,
        LABEL,
        CATCH,
        MILESTONE,
        SLA,
    ],
};

/// A step that waits for a time.
pub const DELAY: Object = Object {
    name: "a `delay` step",
    fields: &[
        ID,
        required(
            "delay",
            Shape::Either(&[Shape::Duration, Shape::Mapping(&UNTIL)]),
            "A duration, or `{ until: expression }`.",
        ),
        WHEN,
        LABEL,
        MILESTONE,
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
        required("set", Shape::Map(&Shape::Data), "New values of variables."),
        WHEN,
        LABEL,
        MILESTONE,
    ],
};

/// A step that takes one of several ways.
pub const CHOICE: Object = Object {
    name: "a `choice` step",
    fields: &[
        ID,
        required(
            "choice",
            Shape::List(&Shape::Either(&[
                Shape::Mapping(&ARM),
                Shape::Mapping(&OTHERWISE),
            ])),
            "Arms; the first whose `when` is true is taken, else `otherwise`, else none.",
        ),
        WHEN,
        LABEL,
        MILESTONE,
    ],
};

/// A step with branches that run at the same time.
pub const PARALLEL: Object = Object {
    name: "a `parallel` step",
    fields: &[
        ID,
        required(
            "parallel",
            Shape::Map(&Shape::Steps),
            "Branches by name; they do not see each other's names.",
        ),
        optional(
            "join",
            Shape::Either(&[
                Shape::Word(&["all", "first"]),
                Shape::Integer(1, CONCURRENT_MAX),
            ]),
            "How many branches must arrive: all, first or a number (all). The others are given up and compensated.",
        ),
        WHEN,
        LABEL,
        CATCH,
        MILESTONE,
        SLA,
    ],
};

/// A step for each element of a list.
pub const FOR_EACH: Object = Object {
    name: "a `for_each` step",
    fields: &[
        REQUIRED_ID,
        required("for_each", Shape::Expression, "The list to walk."),
        required("as", Shape::Name, "Name of the element."),
        required("steps", Shape::Steps, "Steps for each element."),
        optional(
            "limit",
            Shape::Integer(1, CONCURRENT_MAX),
            "Elements at once (1).",
        ),
        optional(
            "max",
            Shape::Integer(1, EXECUTIONS_MAX),
            "Elements at most (1000): a longer list is the outcome `exhausted`.",
        ),
        optional(
            "collect",
            Shape::Data,
            "What an element leaves; the list of it is the result.",
        ),
        WHEN,
        LABEL,
        CATCH,
        MILESTONE,
        SLA,
    ],
};

/// A step that repeats steps.
pub const LOOP: Object = Object {
    name: "a `loop` step",
    fields: &[
        REQUIRED_ID,
        required("loop", Shape::Steps, "Steps to repeat."),
        required(
            "until",
            Shape::Expression,
            "The end, evaluated after each execution.",
        ),
        required(
            "max",
            Shape::Integer(1, EXECUTIONS_MAX),
            "Executions at most; then the outcome is `exhausted`.",
        ),
        WHEN,
        LABEL,
        CATCH,
        MILESTONE,
        SLA,
    ],
};

/// A step that holds steps together.
pub const BLOCK: Object = Object {
    name: "a `block` step",
    fields: &[
        ID,
        required(
            "block",
            Shape::Steps,
            "Steps with a time limit and a compensation scope of their own.",
        ),
        optional(
            "timeout",
            Shape::Duration,
            "How long all of it may take; then the outcome is `timeout`.",
        ),
        WHEN,
        LABEL,
        CATCH,
        MILESTONE,
        SLA,
    ],
};

/// A step that runs a fragment.
pub const USE: Object = Object {
    name: "a `use` step",
    fields: &[
        REQUIRED_ID,
        required("use", Shape::Name, "Name of the fragment."),
        optional("with", Shape::Map(&Shape::Data), "Its arguments."),
        optional(
            "timeout",
            Shape::Duration,
            "How long all of it may take; then the outcome is `timeout`.",
        ),
        WHEN,
        LABEL,
        CATCH,
        MILESTONE,
        SLA,
    ],
};

/// A step that ends the saga or a branch.
pub const STOP: Object = Object {
    name: "a `stop` step",
    fields: &[
        ID,
        required(
            "stop",
            Shape::Name,
            "`completed` or a name: ends the innermost parallel branch or for_each element around it, else the saga.",
        ),
        WHEN,
        LABEL,
        MILESTONE,
    ],
};

/// A verb of a later release: what else such a step has is not checked.
const UNKNOWN: Object = Object {
    name: "a step",
    fields: &[],
};

const fn verb(name: &'static str, object: &'static Object, outcomes: &'static str) -> Verb {
    Verb {
        name,
        object,
        outcomes,
        part: Part::Core,
    }
}

const fn later(name: &'static str, part: Part) -> Verb {
    Verb {
        name,
        object: &UNKNOWN,
        outcomes: "",
        part,
    }
}

/// Every verb of the language.
pub const VERBS: &[Verb] = &[
    verb(
        "command",
        &COMMAND,
        "The contract's success and refusal names (`ok`, `refused` without one).",
    ),
    verb(
        "await",
        &AWAIT,
        "`ok`, or the names of the alternatives; `timeout`.",
    ),
    verb("delay", &DELAY, ""),
    verb("publish", &PUBLISH, ""),
    verb("set", &SET, ""),
    verb("choice", &CHOICE, ""),
    verb("parallel", &PARALLEL, ""),
    verb("for_each", &FOR_EACH, "`exhausted`."),
    verb("loop", &LOOP, "`exhausted`."),
    verb("block", &BLOCK, "`timeout`, `compensated`."),
    verb("use", &USE, "`timeout`, `compensated`."),
    verb("stop", &STOP, ""),
    later("saga", Part::Composition),
    later("decide", Part::Composition),
    later("task", Part::People),
];
