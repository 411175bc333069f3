//! The field table: every key of the language, in one place.
//!
//! The parser refuses what is not here, "did you mean" searches here, and the reference and the JSON Schema are made from here.
//!
//! Absent on purpose: what keys mean together (see the modules that lower them).

mod files;
mod header;
mod parts;
mod steps;

pub use self::files::{CONTRACT, EFFECTS, FORMATS, FRAGMENT, OPERATION, REPLIES};
pub use self::header::{
    DEADLINE, DEADLINE_THEN, DUPLICATES, FINAL_EVENT, FINAL_PUBLISH, FINAL_USE, FINALLY, SAGA,
    START, TYPES, VARIABLE,
};
pub use self::parts::{
    AFTER, ALTERNATIVE, ARM, AWAITED, CATCH, COMPENSATE, DIRECTIVES, FALLBACK, JITTER, OTHERWISE,
    QUERY, RETRY, UNTIL,
};
pub use self::steps::{
    AWAIT, BLOCK, CHOICE, COMMAND, DELAY, FOR_EACH, LOOP, PARALLEL, PUBLISH, SET, STOP, USE, VERBS,
};

/// Part of the language, in the order the releases bring them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Commands, structure, waiting, contracts and fragments.
    Core,
    /// Decisions and child sagas.
    Composition,
    /// People: tasks.
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
    /// A file, relative to the one that names it.
    File,
    /// A whole number within bounds.
    Integer(i64, i64),
    /// A number within bounds.
    Number(f64, f64),
    /// A duration, e.g. `30s`.
    Duration,
    /// A percentage, e.g. `80%`.
    Percent,
    /// A time, e.g. `2026-01-31T00:00:00Z`.
    Time,
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
    /// A mapping of names the author chooses to values of this shape.
    Map(&'static Shape),
    /// A list of values of this shape.
    List(&'static Shape),
    /// One value of this shape, or a list of them.
    OneOrMany(&'static Shape),
    /// A value of one of these shapes.
    Either(&'static [Shape]),
    /// A list of steps.
    Steps,
    /// A later release says it.
    Later,
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
    /// Outcomes besides those that every step has, as one sentence; empty where there are none.
    pub outcomes: &'static str,
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
    field(name, false, Shape::Later, part, doc)
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

/// Every mapping of the language, for whoever describes it.
pub const OBJECTS: &[&Object] = &[
    &SAGA,
    &START,
    &VARIABLE,
    &DEADLINE,
    &FINALLY,
    &FINAL_EVENT,
    &FINAL_PUBLISH,
    &FINAL_USE,
    &COMMAND,
    &AWAIT,
    &DELAY,
    &PUBLISH,
    &SET,
    &CHOICE,
    &PARALLEL,
    &FOR_EACH,
    &LOOP,
    &BLOCK,
    &USE,
    &STOP,
    &COMPENSATE,
    &FALLBACK,
    &RETRY,
    &CATCH,
    &AWAITED,
    &ALTERNATIVE,
    &UNTIL,
    &ARM,
    &OTHERWISE,
    &CONTRACT,
    &OPERATION,
    &REPLIES,
    &QUERY,
    &FRAGMENT,
];
