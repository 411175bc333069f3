//! What an evaluator's error says to people.
//!
//! Absent on purpose: the evaluator's own wording. It shows values in their debug form, and that of a map follows its hashes; a fault
//! is part of the state and must be the same on every machine.

use cel::ExecutionError as Error;
use cel::Value;

use super::json::{describe_cel, kind};

/// The sentence for `error`.
pub(super) fn message(error: &Error) -> String {
    match error {
        Error::NoSuchKey(field) => format!("no field `{field}`"),
        Error::UndeclaredReference(name) => format!("no value `{name}` here"),
        Error::DivisionByZero(v) | Error::RemainderByZero(v) => {
            format!("{} divided by zero", describe_cel(v))
        }
        Error::IndexOutOfBounds(v) => format!("no element {}", describe_cel(v)),
        Error::Overflow(_, a, b) => {
            let (a, b) = (describe_cel(a), describe_cel(b));
            format!("the result for {a} and {b} does not fit in 64 bits")
        }
        Error::FunctionError { message, .. } => message.clone(),
        other => types(other),
    }
}

/// The sentence for an error about types.
fn types(error: &Error) -> String {
    match error {
        Error::NoSuchOverload(o) => {
            let types = o.argument_types().join(", ");
            format!("`{}` does not take ({types})", spelling(o.function()))
        }
        Error::UnexpectedType { got, want } => format!("expected a {want}, found a {got}"),
        Error::ValuesNotComparable(a, b) => {
            let (a, b) = (with_kind(a), with_kind(b));
            format!("{a} cannot be compared with {b}")
        }
        Error::UnsupportedIndex(value, index) => {
            let (value, index) = (with_kind(value), with_kind(index));
            format!("{value} has no element {index}")
        }
        Error::UnsupportedKeyType(v) => format!("{} cannot be a key", with_kind(v)),
        Error::UnsupportedTargetType { target } => format!("{} does not fit", with_kind(target)),
        Error::InvalidArgumentCount { expected, actual } => {
            format!("expected {expected} arguments, found {actual}")
        }
        Error::DuplicateKey(key) => format!("the key {} comes twice", describe_cel(key)),
        Error::UnsupportedBinaryOperator(_, a, b) => {
            let (a, b) = (with_kind(a), with_kind(b));
            format!("the operator does not take {a} and {b}")
        }
        _ => "cannot be evaluated".to_owned(),
    }
}

/// A value with the name of its type.
pub(super) fn with_kind(value: &Value) -> String {
    match value {
        Value::List(_) | Value::Map(_) | Value::Null => describe_cel(value),
        scalar => format!("{} ({})", describe_cel(scalar), kind(scalar)),
    }
}

/// An operator as authors write it: `_>_` is `>`.
fn spelling(function: &str) -> &str {
    match function {
        "@in" => "in",
        "_?_:_" => "?:",
        "_[_]" => "[]",
        name => name.trim_matches('_'),
    }
}
