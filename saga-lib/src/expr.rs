//! Expressions: CEL, compiled once; a pure path such as `order.total` becomes a direct look-up.
//!
//! Every evaluation is bounded. A source has at most [`SOURCE_BYTES_MAX`] bytes and a bounded syntax tree; a result has at most
//! [`RESULT_BYTES_MAX`] bytes and [`RESULT_DEPTH_MAX`] levels; and an evaluation has a budget of [`FUEL`] steps. The budget is an
//! approximation from above that needs no hook in the evaluator: whatever walks a list pays, before it starts, the length of the list
//! times the size of its body; whatever makes a larger value (an addition, an element of a new list or map), and whatever reads all of
//! one (a comparison, `in`, `contains`, a pattern), pays for the size of that value. Everything else runs at most once per node of the
//! tree, so the bound on the tree bounds it.
//!
//! Three rules differ from plain CEL, because a JSON sender decides by chance whether it writes `10` or `10.0`, and because the same
//! inputs must give the same bytes: `+ - * /` take an integer and a fraction together (and refuse integers beyond 2^53 there, instead
//! of rounding them), and comparing the two is exact; maps are walked in the order of their keys; a step that was skipped reads as a value without fields, so
//! `has(step.field)` answers false for it.
//!
//! Absent on purpose: a clock, randomness, the environment, and CEL's optional syntax, messages and time types. `now` is the time of
//! the record.

mod arithmetic;
mod compare;
mod fault;
mod json;
mod pattern;
mod program;
mod reads;
mod rewrite;
mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::program::Program;
pub use self::reads::Read;

/// Longest source of an expression, in bytes.
pub const SOURCE_BYTES_MAX: usize = 4096;

/// Largest result of an expression, in bytes of JSON (estimated).
pub const RESULT_BYTES_MAX: usize = 64 * 1024;

/// Deepest nesting of a result: that of a document from outside, and half of what a reader of JSON follows.
pub const RESULT_DEPTH_MAX: usize = 64;

/// Steps that one evaluation may take.
pub const FUEL: u64 = 100_000;

/// A compiled expression. It serialises as its source and compiles when read.
#[derive(Debug, Clone)]
pub struct Expr {
    source: String,
    form: Form,
}

/// How an expression is evaluated.
#[derive(Debug, Clone)]
enum Form {
    /// Field by field, without the evaluator.
    Path(Vec<String>),
    /// By the evaluator.
    Program(Arc<Program>),
}

/// An expression that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the source, if known.
    pub offset: Option<usize>,
}

/// An evaluation that failed: it parks the instance and is never a silent false.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{expression}`: {message}")]
pub struct Fault {
    /// Source of the expression.
    pub expression: String,
    /// What is wrong, naming the value.
    pub message: String,
}

/// Names visible to an expression. Later layers hide earlier ones.
#[derive(Debug, Clone, Default)]
pub struct Scope<'a> {
    maps: Vec<&'a BTreeMap<String, Value>>,
    names: Vec<(&'a str, &'a Value)>,
}

impl<'a> Scope<'a> {
    /// No names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds every entry of `map`.
    #[must_use]
    pub fn with_map(mut self, map: &'a BTreeMap<String, Value>) -> Self {
        self.maps.push(map);
        self
    }

    /// Adds one name.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: &'a Value) -> Self {
        self.names.push((name, value));
        self
    }

    /// The value of a root name.
    pub fn root(&self, name: &str) -> Option<&'a Value> {
        let named = self
            .names
            .iter()
            .rev()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| *v);
        named.or_else(|| self.maps.iter().rev().find_map(|m| m.get(name)))
    }
}

impl Expr {
    /// Compiles `source`.
    ///
    /// # Errors
    /// [`CompileError`] with the offset where it is known.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        if source.len() > SOURCE_BYTES_MAX {
            let message = format!("longer than {SOURCE_BYTES_MAX} bytes");
            return Err(CompileError {
                message,
                offset: None,
            });
        }
        let form = match path(source) {
            Some(path) => Form::Path(path),
            None => Form::Program(Arc::new(Program::compile(source)?)),
        };
        Ok(Self {
            source: source.to_owned(),
            form,
        })
    }

    /// The source text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Root names the expression reads, sorted.
    pub fn roots(&self) -> Vec<String> {
        match &self.form {
            Form::Path(path) => path.iter().take(1).cloned().collect(),
            Form::Program(program) => program.roots().map(str::to_owned).collect(),
        }
    }

    /// What the expression reads, in the order of the source.
    pub fn reads(&self) -> Vec<Read> {
        match &self.form {
            Form::Path(path) => vec![Read {
                path: path.clone(),
                asks: false,
                compared: Vec::new(),
            }],
            Form::Program(program) => program.reads(),
        }
    }

    /// The value in this scope.
    ///
    /// # Errors
    /// [`Fault`]: missing field, wrong type, division by zero, budget exceeded.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Fault> {
        let result = match &self.form {
            Form::Path(path) => follow(path, scope),
            Form::Program(program) => program.run(scope),
        };
        result.map_err(|message| Fault {
            expression: self.source.clone(),
            message,
        })
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Serialize for Expr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Expr {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        Self::compile(&source).map_err(serde::de::Error::custom)
    }
}

/// The fields of a pure path, root first; `None` for anything that needs the evaluator.
fn path(source: &str) -> Option<Vec<String>> {
    let fields: Vec<&str> = source.split('.').map(str::trim).collect();
    let plain = fields.iter().all(|field| is_identifier(field));
    let value = fields.first().is_some_and(|root| !is_word_of_cel(root));
    (plain && value).then(|| fields.into_iter().map(str::to_owned).collect())
}

/// Can `text` be written as a name in an expression?
pub fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Does the language of expressions give `text` a meaning of its own (a keyword, a reserved word or a type)?
pub fn is_word_of_cel(text: &str) -> bool {
    WORDS_OF_CEL.contains(&text)
}

const WORDS_OF_CEL: [&str; 31] = [
    "as",
    "bool",
    "break",
    "bytes",
    "const",
    "continue",
    "double",
    "dyn",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "int",
    "let",
    "list",
    "loop",
    "map",
    "namespace",
    "null",
    "null_type",
    "package",
    "return",
    "string",
    "true",
    "type",
    "uint",
    "var",
    "void",
];

/// The value at `path`.
fn follow(path: &[String], scope: &Scope<'_>) -> Result<Value, String> {
    let (root, fields) = path.split_first().ok_or("empty path")?;
    let mut value = scope
        .root(root)
        .ok_or_else(|| format!("no value `{root}` here"))?;
    let mut name = root.clone();
    for field in fields {
        value = value.get(field).ok_or_else(|| {
            let found = json::describe(value);
            format!("no field `{field}` in `{name}`, which is {found}")
        })?;
        name = format!("{name}.{field}");
    }
    json::check_size(value)?;
    Ok(value.clone())
}

#[cfg(test)]
mod tests;
