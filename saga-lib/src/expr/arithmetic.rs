//! `+ - * /` for values of JSON, and the budget.
//!
//! An integer and a fraction may meet: 10 and 10.0 are the same number to a sender. Where that would round an integer, it is a fault.
//!
//! Absent on purpose: rounding, and wrapping around.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cel::objects::Map;
use cel::{Context, ExecutionError, Value};

use super::FUEL;
use super::compare::{COMPARE, compare};
use super::fault::with_kind;
use super::pattern::{MATCHES, Patterns, matches};

/// Integers up to this one have an exact `f64`.
const EXACT_MAX: u64 = 1 << 53;

/// Bytes of text that weigh as much as one element.
pub(super) const BYTES_PER_STEP: usize = 64;

/// Names of the functions that the rewritten tree calls; `@` cannot be written in a source.
pub(super) const ADD: &str = "@add";
/// Subtraction.
pub(super) const SUBTRACT: &str = "@subtract";
/// Multiplication.
pub(super) const MULTIPLY: &str = "@multiply";
/// Division.
pub(super) const DIVIDE: &str = "@divide";
/// Pays for an element of a new list or map.
pub(super) const PAY: &str = "@pay";
/// Pays for a walk and puts the keys of a map in order.
pub(super) const WALK: &str = "@walk";

type Outcome = Result<Value, ExecutionError>;

/// What is left of an evaluation's budget. Shared with the functions of one evaluation, which the evaluator wants `'static`.
#[derive(Debug, Clone)]
pub(super) struct Fuel(Arc<AtomicU64>);

impl Fuel {
    /// A full tank.
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(FUEL)))
    }

    /// Was more asked for than there was? The evaluator may swallow the error: `x || true` is true whatever became of x.
    pub(super) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Pays for what two operands have beyond that of scalars, which their nodes of the tree have paid.
    pub(super) fn pay_operands(&self, a: &Value, b: &Value) -> Result<(), ExecutionError> {
        match weight(a) + weight(b) {
            2 => Ok(()),
            steps => self.pay(steps),
        }
    }

    pub(super) fn pay(&self, steps: u64) -> Result<(), ExecutionError> {
        let left = self.0.load(Ordering::Relaxed).saturating_sub(steps);
        self.0.store(left, Ordering::Relaxed);
        if left == 0 {
            return Err(error(budget_message()));
        }
        Ok(())
    }
}

/// The sentence for an evaluation that took too many steps.
pub(super) fn budget_message() -> String {
    format!("more than {FUEL} steps")
}

/// Adds the functions that the rewritten tree calls.
pub(super) fn register(context: &mut Context<'_, '_>, fuel: &Fuel) -> Result<(), String> {
    let (adding, paying, walking) = (fuel.clone(), fuel.clone(), fuel.clone());
    let (comparing, patterns) = (fuel.clone(), Patterns::default());
    let matching = fuel.clone();
    let added = context
        .add_function(ADD, move |a: Value, b: Value| add(&adding, a, b))
        .and_then(|()| context.add_function(SUBTRACT, paid(fuel, subtract)))
        .and_then(|()| context.add_function(MULTIPLY, paid(fuel, multiply)))
        .and_then(|()| context.add_function(DIVIDE, paid(fuel, divide)))
        .and_then(|()| {
            context.add_function(COMPARE, move |a: Value, b: Value, place: i64| {
                comparing.pay_operands(&a, &b)?;
                compare(a, b, place)
            })
        })
        .and_then(|()| {
            context.add_function(MATCHES, move |text: Value, pattern: Value| {
                matches(&matching, &patterns, &text, &pattern)
            })
        })
        .and_then(|()| context.add_function(PAY, move |v: Value| pay(&paying, v)))
        .and_then(|()| context.add_function(WALK, move |v: Value, n: i64| walk(&walking, v, n)));
    added.map_err(|e| e.to_string())
}

/// An operator that pays for its operands: the evaluator copies them, however little the operator looks at.
fn paid(
    fuel: &Fuel,
    operator: fn(Value, Value) -> Outcome,
) -> impl Fn(Value, Value) -> Outcome + use<> {
    let fuel = fuel.clone();
    move |a, b| {
        fuel.pay_operands(&a, &b)?;
        operator(a, b)
    }
}

fn add(fuel: &Fuel, a: Value, b: Value) -> Outcome {
    fuel.pay(weight(&a) + weight(&b))?;
    match (&a, &b) {
        (Value::String(x), Value::String(y)) => Ok(Value::from(format!("{x}{y}"))),
        (Value::List(x), Value::List(y)) => Ok(Value::from([x.as_slice(), y.as_slice()].concat())),
        _ => numeric("+", &a, &b, i64::checked_add, u64::checked_add, |x, y| {
            x + y
        }),
    }
}

fn subtract(a: Value, b: Value) -> Outcome {
    numeric("-", &a, &b, i64::checked_sub, u64::checked_sub, |x, y| {
        x - y
    })
}

fn multiply(a: Value, b: Value) -> Outcome {
    numeric("*", &a, &b, i64::checked_mul, u64::checked_mul, |x, y| {
        x * y
    })
}

fn divide(a: Value, b: Value) -> Outcome {
    if matches!(b, Value::Int(0) | Value::UInt(0)) || matches!(b, Value::Float(x) if x == 0.0) {
        return Err(error(format!("{} divided by zero", with_kind(&a))));
    }
    numeric("/", &a, &b, i64::checked_div, u64::checked_div, |x, y| {
        x / y
    })
}

/// Applies the operation for the type that both sides have or can have.
fn numeric(
    operator: &str,
    a: &Value,
    b: &Value,
    signed: fn(i64, i64) -> Option<i64>,
    unsigned: fn(u64, u64) -> Option<u64>,
    double: fn(f64, f64) -> f64,
) -> Outcome {
    let result = match (a, b) {
        (Value::Int(x), Value::Int(y)) => signed(*x, *y).map(Value::Int),
        (Value::UInt(x), Value::UInt(y)) => unsigned(*x, *y).map(Value::UInt),
        (Value::Float(x), Value::Float(y)) => Some(Value::Float(double(*x, *y))),
        (Value::Float(x), y) => Some(Value::Float(double(*x, exact(operator, a, b, y)?))),
        (x, Value::Float(y)) => Some(Value::Float(double(exact(operator, a, b, x)?, *y))),
        _ => return Err(not_taken(operator, a, b)),
    };
    result.ok_or_else(|| {
        let (a, b) = (with_kind(a), with_kind(b));
        error(format!("{a} {operator} {b} does not fit in 64 bits"))
    })
}

/// The integer `value` as a fraction, if that is the same number.
fn exact(operator: &str, a: &Value, b: &Value, value: &Value) -> Result<f64, ExecutionError> {
    let magnitude = match value {
        Value::Int(i) => i.unsigned_abs(),
        Value::UInt(u) => *u,
        _ => return Err(not_taken(operator, a, b)),
    };
    if magnitude > EXACT_MAX {
        let (a, b) = (with_kind(a), with_kind(b));
        return Err(error(format!(
            "{a} {operator} {b} would round an integer beyond 2^53"
        )));
    }
    let negative = matches!(value, Value::Int(i) if *i < 0);
    #[allow(clippy::cast_precision_loss)] // The bound above makes it exact.
    let float = magnitude as f64;
    Ok(if negative { -float } else { float })
}

/// The error for values an operator does not take.
pub(super) fn not_taken(operator: &str, a: &Value, b: &Value) -> ExecutionError {
    let (a, b) = (with_kind(a), with_kind(b));
    error(format!("`{operator}` does not take {a} and {b}"))
}

fn pay(fuel: &Fuel, value: Value) -> Outcome {
    fuel.pay(weight(&value))?;
    Ok(value)
}

/// What a walk over `value` with a body of `nodes` nodes costs, paid before its body starts.
fn walk(fuel: &Fuel, value: Value, nodes: i64) -> Outcome {
    // The evaluator copies what it walks over, with everything inside.
    let copied = weight(&value);
    let (length, walked) = match value {
        Value::Map(map) => (map.map.len(), sorted_keys(&map)),
        Value::List(items) => (items.len(), Value::List(items)),
        other => return Err(error(format!("{} is not a list", with_kind(&other)))),
    };
    let bodies = (length as u64).saturating_mul(nodes.unsigned_abs());
    fuel.pay(bodies.saturating_add(copied))?;
    Ok(walked)
}

/// The keys of a map in their order, because its own order is that of hashes.
fn sorted_keys(map: &Map) -> Value {
    let mut keys: Vec<_> = map.map.keys().cloned().collect();
    keys.sort();
    Value::from(keys)
}

/// How large a value is, in steps.
pub(super) fn weight(value: &Value) -> u64 {
    match value {
        Value::String(s) => 1 + (s.len() / BYTES_PER_STEP) as u64,
        Value::Bytes(b) => 1 + (b.len() / BYTES_PER_STEP) as u64,
        Value::List(items) => 1 + items.iter().map(weight).sum::<u64>(),
        Value::Map(map) => 1 + map.map.values().map(weight).sum::<u64>(),
        _ => 1,
    }
}

pub(super) fn error(message: String) -> ExecutionError {
    ExecutionError::FunctionError {
        function: String::new(),
        message,
    }
}
