//! The codes of diagnostics. A code is never given a second meaning.
//!
//! E00xx: the file as YAML. E01xx: keys and values. E02xx: names and expressions. E03xx: the saga as a whole.
//!
//! Absent on purpose: what an operator can meet at run time (`SK0001` and so on).

mod explain;

pub use self::explain::{Explanation, explain, files_of};

/// A code and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The code.
    pub code: &'static str,
    /// What it stands for, as one sentence.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: &str = $code;)*

        /// Every code, in order.
        pub const ALL: &[Code] = &[$(Code { code: $code, meaning: $meaning }),*];
    };
}

codes! {
    SYNTAX = "E0001", "The file is not YAML.";
    BUDGET = "E0002", "The file is too large or nested too deeply.";
    FORBIDDEN_YAML = "E0003", "The file uses anchors, aliases, tags, merges or a second document.";
    DUPLICATE_KEY = "E0004", "A mapping has one key twice.";
    WRONG_SHAPE = "E0101", "A value is of another shape: text, list or mapping.";
    UNKNOWN_KEY = "E0102", "A key does not exist there.";
    MISSING_KEY = "E0103", "A required key is absent.";
    NOT_SUPPORTED = "E0104", "A part of the language that this release does not have yet.";
    BAD_NAME = "E0105", "A name has characters that names do not have, or is reserved.";
    BAD_TOPIC = "E0106", "A topic's name is not legal in Kafka.";
    BAD_NUMBER = "E0107", "A number is malformed, out of range, or would lose digits.";
    BAD_DURATION = "E0108", "A duration is not a whole number followed by ms, s, m, h or d.";
    BAD_WORD = "E0109", "A value is not one of the words that are possible there.";
    NO_VERB = "E0110", "A step does nothing: it has no verb.";
    SEVERAL_VERBS = "E0111", "A step has more than one verb.";
    BAD_OPERATION = "E0112", "An operation is not of the form `service.operation`.";
    BAD_TIME = "E0113", "A time is not of the form 2026-01-31T00:00:00Z.";
    EMPTY = "E0114", "A list, mapping or text that must have content is empty.";
    BAD_USE = "E0115", "A used file or fragment cannot be used so.";
    UNKNOWN_OPERATION = "E0116", "A contract does not have this operation.";
    BAD_EXPRESSION = "E0201", "An expression does not compile.";
    UNKNOWN_NAME = "E0202", "An expression reads, or a step sets, a name that is not defined there.";
    NAME_NOT_HERE = "E0203", "An expression reads a name that exists, but not in this place.";
    NAME_TAKEN = "E0204", "A name is defined twice.";
    DOUBTFUL_NAME = "E0205", "An expression reads a result that may be missing.";
    WRONG_TYPE = "E0206", "A value is not of the type that is declared for it.";
    UNKNOWN_FIELD = "E0207", "A field that is read or sent does not exist.";
    MISSING_FIELD = "E0208", "A command lacks a field that its schema requires.";
    UNKNOWN_SYMBOL = "E0209", "A text is none of the symbols that its schema has.";
    DOUBTFUL_FIELD = "E0210", "A field is read that its schema does not require.";
    BAD_SCHEMA = "E0211", "A schema is missing or cannot be read.";
    NO_AVRO = "E0212", "A message is sent in Avro, and its Avro type cannot be used.";
    SECOND_PIVOT = "E0301", "A path has two pivots.";
    NO_COMPENSATION = "E0302", "A step before the pivot does not say how it is compensated.";
    USELESS_COMPENSATION = "E0303", "The pivot or a step after it declares a compensation.";
    ENDLESS_RETRY = "E0304", "A step before the pivot is retried for ever.";
    NO_REASON = "E0305", "`compensate: none` and `because` do not come together.";
    MISPLACED_PIVOT = "E0306", "The pivot stands where it could not be the last step that can fail.";
    TORN_PIVOT = "E0307", "Paths that passed the pivot meet paths that did not.";
    UNREACHABLE = "E0308", "A step or an arm is never reached.";
    UNKNOWN_OUTCOME = "E0309", "`catch` names an outcome that the step does not have.";
    UNHANDLED = "E0310", "A further success of the contract is not handled.";
    BAD_DIRECTION = "E0311", "`catch` leads where the saga cannot go.";
    CONCURRENT_SET = "E0312", "Steps that run at the same time set one variable.";
    OUTLIVES = "E0313", "An inner time is not shorter than the one around it.";
    SLOW_ATTEMPTS = "E0314", "The attempts of a step take longer than the time around it.";
    ENDLESS_WAIT = "E0315", "A wait has no end if its event does not come.";
    WEAK_IDENTITY = "E0316", "`duplicates: new` needs events that have an identity.";
    HASTY_RETRY = "E0317", "A definite answer leads to the same command at once.";
    UNREACHED_WAIT = "E0318", "A saga whose instances share a key (`duplicates: new`) awaits an event by that key.";
}

/// What `code` stands for.
pub fn meaning(code: &str) -> Option<&'static str> {
    ALL.iter().find(|c| c.code == code).map(|c| c.meaning)
}
