//! An expression that needs the evaluator.
//!
//! Absent on purpose: state between evaluations. The environment below is immutable, so every evaluation starts the same.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use cel::parser::{ParseErrors, Parser};
use cel::{Context, Env, IdedExpr, Value as Cel};
use serde_json::Value;

use super::arithmetic::{self, Fuel};
use super::reads::{self, Read};
use super::rewrite::{Pass, Use};
use super::{CompileError, Scope, fault, json};

/// Most brackets and operators of a source.
const SIGNS_MAX: usize = 400;

/// Most brackets open at once: an unoptimised build of the parser takes up to 190 KiB of stack for each.
const BRACKETS_MAX: usize = 8;

/// Deepest nesting the parser follows.
const NESTING_MAX: u16 = 24;

/// A parsed, checked and rewritten expression.
#[derive(Debug)]
pub(super) struct Program {
    tree: IdedExpr,
    roots: BTreeMap<String, Use>,
}

impl Program {
    /// Parses and checks `source`.
    pub(super) fn compile(source: &str) -> Result<Self, CompileError> {
        check_signs(source)?;
        let mut tree = parse(source)?;
        let mut pass = Pass::default();
        pass.run(&mut tree)?;
        let roots = pass.roots;
        Ok(Self { tree, roots })
    }

    /// Root names, sorted.
    pub(super) fn roots(&self) -> impl Iterator<Item = &str> {
        self.roots.keys().map(String::as_str)
    }

    /// What it reads.
    pub(super) fn reads(&self) -> Vec<Read> {
        reads::reads(&self.tree)
    }

    /// The value in this scope, or what is wrong.
    pub(super) fn run(&self, scope: &Scope<'_>) -> Result<Value, String> {
        let fuel = Fuel::new();
        let mut context = Context::with_env(environment());
        arithmetic::register(&mut context, &fuel)?;
        self.bind(&mut context, scope);
        let result = guarded(|| Cel::resolve(&self.tree, &context))?;
        if fuel.is_spent() {
            return Err(arithmetic::budget_message());
        }
        json::from_cel(&result.map_err(|error| fault::message(&error))?)
    }

    fn bind(&self, context: &mut Context<'_, '_>, scope: &Scope<'_>) {
        for (name, how) in &self.roots {
            let value = match scope.root(name) {
                Some(value) => json::to_cel(value),
                // A skipped step: it has no fields, and `has` may say so.
                None if *how == Use::Fields => json::to_cel(&Value::Object(serde_json::Map::new())),
                None => continue,
            };
            context.add_variable_from_value(name.as_str(), value);
        }
    }
}

/// Functions and types of CEL, the same for every evaluation.
fn environment() -> Arc<Env> {
    static ENVIRONMENT: OnceLock<Arc<Env>> = OnceLock::new();
    let shared = ENVIRONMENT.get_or_init(|| Arc::new(Env::stdlib().with_optional_support(false)));
    Arc::clone(shared)
}

fn parse(source: &str) -> Result<IdedExpr, CompileError> {
    let parser: Parser = environment().parser().max_recursion_depth(NESTING_MAX);
    let parsed = guarded(|| parser.parse(source)).map_err(|message| CompileError {
        message,
        offset: None,
    })?;
    parsed.map_err(|errors| syntax(source, &errors))
}

/// Runs code of the evaluator. It asserts in places that data of others can reach, and such a panic must cost one instance, not a
/// lane: nothing of ours is borrowed mutably inside, so nothing is left half changed.
fn guarded<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|_| "the evaluator gave up".to_owned())
}

/// Refuses, before the parser sees it, what would need too much of its stack.
fn check_signs(source: &str) -> Result<(), CompileError> {
    let sign = |b: &u8| b.is_ascii_punctuation() && !matches!(b, b'_' | b'"' | b'\'');
    let signs = source.bytes().filter(|b| sign(b)).count();
    if signs > SIGNS_MAX || bracket_depth(source) > BRACKETS_MAX {
        let message = "too large: split it over several steps".to_owned();
        return Err(CompileError {
            message,
            offset: None,
        });
    }
    Ok(())
}

/// Most brackets open at once. Those in text count as well: telling them apart is the parser's work, and this runs before it.
fn bracket_depth(source: &str) -> usize {
    let mut depth: usize = 0;
    let mut deepest = 0;
    for byte in source.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn syntax(source: &str, errors: &ParseErrors) -> CompileError {
    let Some(first) = errors.errors.first() else {
        let message = "not an expression".to_owned();
        return CompileError {
            message,
            offset: None,
        };
    };
    CompileError {
        message: wording(&first.msg),
        offset: offset(source, first.pos),
    }
}

/// The parser's message without what only its authors read.
fn wording(message: &str) -> String {
    if message.contains("Recursion limit") {
        return "too large: split it over several steps".to_owned();
    }
    let text = message.lines().next().unwrap_or_default();
    let text = text.strip_prefix("Syntax error: ").unwrap_or(text);
    // The parser lists every token that could follow; nobody reads that.
    let found = text.split(" expecting ").next().unwrap_or(text);
    let found = found
        .replace("mismatched input", "unexpected")
        .replace("extraneous input", "unexpected")
        .replace("no viable alternative at input", "unexpected");
    match found {
        found if found.contains("'<EOF>'") || found.starts_with("Incomplete ") => {
            "it ends too early".to_owned()
        }
        found => found,
    }
}

/// The byte at a line and column, both from 1.
fn offset(source: &str, (line, column): (isize, isize)) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let at = start + column;
    source.is_char_boundary(at).then_some(at)
}
