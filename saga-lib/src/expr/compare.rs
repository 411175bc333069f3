//! `== != < <= > >=` for values of JSON.
//!
//! An integer and a fraction are compared as the numbers they are. The evaluator would round the integer first, and two different
//! numbers beyond 2^53 would be equal.
//!
//! Absent on purpose: that care inside lists and maps, which are compared as the evaluator does.

use std::cmp::Ordering;

use cel::common::ast::operators;
use cel::{ExecutionError, Value};

use super::arithmetic::not_taken;

/// Name of the function that the rewritten tree calls, with the operator's place in [`OPERATORS`].
pub(super) const COMPARE: &str = "@compare";

/// The operators and how they are written.
const OPERATORS: [(&str, &str); 6] = [
    (operators::EQUALS, "=="),
    (operators::NOT_EQUALS, "!="),
    (operators::LESS, "<"),
    (operators::LESS_EQUALS, "<="),
    (operators::GREATER, ">"),
    (operators::GREATER_EQUALS, ">="),
];

/// The place of an operator, if it compares.
pub(super) fn place(function: &str) -> Option<i64> {
    let place = OPERATORS.iter().position(|(name, _)| *name == function)?;
    i64::try_from(place).ok()
}

/// Applies the operator at `place`.
pub(super) fn compare(a: Value, b: Value, place: i64) -> Result<Value, ExecutionError> {
    let operator = usize::try_from(place).ok().and_then(|i| OPERATORS.get(i));
    let spelling = operator.map_or("", |(_, spelling)| spelling);
    let result = match spelling {
        "==" => is_equal(&a, &b),
        "!=" => !is_equal(&a, &b),
        _ => {
            let order = order(&a, &b).ok_or_else(|| not_taken(spelling, &a, &b))?;
            holds(spelling, order)
        }
    };
    Ok(Value::Bool(result))
}

fn holds(spelling: &str, order: Ordering) -> bool {
    match spelling {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn is_equal(a: &Value, b: &Value) -> bool {
    match mixed(a, b) {
        Some(order) => order == Some(Ordering::Equal),
        None => a == b,
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Null, _) => None,
        _ => mixed(a, b).unwrap_or_else(|| a.partial_cmp(b)),
    }
}

/// The order of an integer and a fraction; the outer `None`, if they are not that.
fn mixed(a: &Value, b: &Value) -> Option<Option<Ordering>> {
    match (a, b) {
        (Value::Float(f), other) => Some(exact(integer(other)?, *f).map(Ordering::reverse)),
        (other, Value::Float(f)) => Some(exact(integer(other)?, *f)),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Int(i) => Some(i128::from(*i)),
        Value::UInt(u) => Some(i128::from(*u)),
        _ => None,
    }
}

/// Compares with the whole part first; `as` saturates, and no integer here comes near the bounds of 128 bits.
fn exact(integer: i128, fraction: f64) -> Option<Ordering> {
    if fraction.is_nan() {
        return None;
    }
    let whole = fraction.trunc();
    #[allow(clippy::cast_possible_truncation)]
    let order = integer.cmp(&(whole as i128));
    Some(order.then_with(|| whole.total_cmp(&fraction)))
}
