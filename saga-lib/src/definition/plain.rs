//! Plain data in YAML: files that are no definitions, such as scenarios.
//!
//! The same strict YAML as everywhere: no anchors, no tags, each key once. Without quotes, `true`, `false`, nothing and the numbers of
//! JSON are what they look like; everything else is text.
//!
//! Absent on purpose: expressions.

use serde_json::{Map, Number, Value};

use super::context::Context;
use super::diagnostic::Diagnostic;
use super::tree::{self, Kind, Tree};

/// Reads a file as data. `file_name` is only shown.
///
/// # Errors
/// Every mistake of the file.
pub fn data(file_name: &str, source: &str) -> Result<Value, Vec<Diagnostic>> {
    let mut context = Context::new(file_name, source);
    let tree = tree::parse(&mut context);
    match tree {
        Some(tree) if context.is_clean() => Ok(value(&tree)),
        _ => {
            context.give_up();
            Err(context.finish().0)
        }
    }
}

/// Recursion is bounded by the depth of the tree.
fn value(tree: &Tree) -> Value {
    match &tree.kind {
        Kind::Scalar { text, plain: true } => scalar(text),
        Kind::Scalar { text, .. } => Value::String(text.clone()),
        Kind::List(items) => Value::Array(items.iter().map(value).collect()),
        Kind::Map(entries) => {
            let fields = entries.iter().map(|e| (e.key.clone(), value(&e.value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Kind::Broken => Value::Null,
    }
}

fn scalar(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "" | "~" | "null" => Value::Null,
        number => serde_json::from_str::<Number>(number)
            .map_or_else(|_| Value::String(text.to_owned()), Value::Number),
    }
}
