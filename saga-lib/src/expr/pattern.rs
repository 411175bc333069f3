//! `matches`: regular expressions in linear time, and within bounds.
//!
//! The evaluator's own function compiles its pattern for every call and lets a short one become 10 MiB, so a list of texts would take
//! minutes. Here the last pattern is kept, a compiled one is small, and both compiling and looking are paid for.
//!
//! Absent on purpose: back references and look-around, which no linear engine has.

use std::sync::{Arc, Mutex, PoisonError};

use cel::{ExecutionError, Value};
use regex::{Regex, RegexBuilder};

use super::arithmetic::{Fuel, error, not_taken};

/// Name of the function that the rewritten tree calls.
pub(super) const MATCHES: &str = "@matches";

/// Largest compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// What compiling a pattern costs beside its length, in steps.
const COMPILE_STEPS: u64 = 1000;

/// Bytes of text that are looked at in one step.
const BYTES_PER_STEP: usize = 8;

/// The last pattern of an evaluation, compiled.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns(Arc<Mutex<Option<Regex>>>);

impl Patterns {
    fn compiled(&self, fuel: &Fuel, pattern: &str) -> Result<Regex, ExecutionError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(regex) = last.as_ref().filter(|regex| regex.as_str() == pattern) {
            return Ok(regex.clone());
        }
        fuel.pay(COMPILE_STEPS + pattern.len() as u64)?;
        let built = RegexBuilder::new(pattern)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX)
            .build();
        let regex = built.map_err(|problem| error(explain(&problem)))?;
        Ok(last.insert(regex).clone())
    }
}

/// Does `pattern` occur in `text`?
pub(super) fn matches(
    fuel: &Fuel,
    patterns: &Patterns,
    text: &Value,
    pattern: &Value,
) -> Result<Value, ExecutionError> {
    let (Value::String(text), Value::String(pattern)) = (text, pattern) else {
        fuel.pay_operands(text, pattern)?;
        return Err(not_taken("matches", text, pattern));
    };
    fuel.pay(1 + (text.len() / BYTES_PER_STEP) as u64)?;
    let regex = patterns.compiled(fuel, pattern)?;
    Ok(Value::Bool(regex.is_match(text)))
}

fn explain(problem: &regex::Error) -> String {
    match problem {
        regex::Error::CompiledTooBig(_) => {
            "the pattern of `matches` is too large: use smaller counts".to_owned()
        }
        other => {
            // The last line tells what is wrong; those before draw the pattern.
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            let cause = last.trim().trim_start_matches("error: ");
            format!("the pattern of `matches` is no regular expression: {cause}")
        }
    }
}
