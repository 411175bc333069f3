//! What expressions read and commands carry, compared with what is known of their types.
//!
//! Absent on purpose: a type for every expression. Only paths have one; whatever is computed is unknown.

use std::rc::Rc;

use super::codes;
use super::context::{Context, nearest};
use super::diagnostic::{Diagnostic, Span};
use super::names::{Names, word_in};
use super::tree::{Kind, Tree};
use super::types::{Found, Slot, Type};
use crate::expr::{Expr, Read};
use crate::ir::Template;

impl Names {
    /// Reports fields that do not exist, words that an enumeration does not have, and values that may be missing.
    pub(super) fn check_fields(&self, context: &mut Context, expr: &Expr, span: Span) {
        let reads = expr.reads();
        for read in &reads {
            let Some((root, fields)) = read.path.split_first() else {
                continue;
            };
            let Some(slot) = self.slot(root) else {
                continue;
            };
            let found = match slot.follow(fields) {
                Found::Unknown => continue,
                Found::Missing(at, known) => missing_field(read, at, &known, context, span),
                Found::Slot(found, doubtful) => {
                    let asked = reads.iter().any(|other| other.asks && covers(other, read));
                    match wrong_symbol(found, read, context, span) {
                        Some(found) => found,
                        None if doubtful && !asked && !read.asks => {
                            doubtful_field(read, context, span)
                        }
                        None => continue,
                    }
                }
            };
            context.report(found);
        }
    }

    /// The type of an expression, if it is a path whose type is known.
    pub(super) fn slot_of(&self, expr: &Expr) -> Option<&Slot> {
        let reads = expr.reads();
        let [read] = reads.as_slice() else {
            return None;
        };
        let (root, fields) = read.path.split_first()?;
        if read.path.join(".") != expr.source().trim() {
            return None;
        }
        match self.slot(root)?.follow(fields) {
            Found::Slot(slot, _) => Some(slot),
            _ => None,
        }
    }

    /// The type of data.
    pub(super) fn type_of_data(&self, template: &Template) -> Type {
        match template {
            Template::Literal(serde_json::Value::Bool(_)) => Type::Boolean,
            Template::Literal(serde_json::Value::Number(_)) => Type::Number,
            Template::Literal(serde_json::Value::String(_)) => Type::Text,
            Template::Literal(_) => Type::Any,
            Template::Expr(expr) => self.slot_of(expr).map_or(Type::Any, |s| s.r#type.clone()),
            Template::Array(_) => Type::List(Rc::new(Slot::of(Type::Any))),
            Template::Object(fields) => {
                let slot = |field| Slot::of(self.type_of_data(field));
                let fields = fields.iter().map(|(name, f)| (name.clone(), slot(f)));
                Type::Record {
                    fields: Rc::new(fields.collect()),
                    open: false,
                }
            }
        }
    }
}

/// Does asking `asked` answer for reading `read`?
fn covers(asked: &Read, read: &Read) -> bool {
    let (asked, read) = (&asked.path, &read.path);
    asked.len() <= read.len() && asked.iter().zip(read).all(|(a, b)| a == b) && asked.len() > 1
        || read.len() <= asked.len() && read.iter().zip(asked).all(|(a, b)| a == b)
}

fn missing_field(
    read: &Read,
    at: usize,
    known: &[&str],
    context: &Context,
    span: Span,
) -> Diagnostic {
    let name = read.path.get(at + 1).map_or("", String::as_str);
    let owner = read.path.get(..=at).unwrap_or_default().join(".");
    let span = place(context, span, &read.path, at + 1);
    let message = format!("`{owner}` has no field `{name}`");
    Diagnostic::new(codes::UNKNOWN_FIELD, span, message)
        .help(format!("its fields are {}", known.join(", ")))
        .suggest(nearest(name, known.iter().copied()))
}

fn wrong_symbol(slot: &Slot, read: &Read, context: &Context, span: Span) -> Option<Diagnostic> {
    let Type::Symbols(symbols) = &slot.r#type else {
        return None;
    };
    let wrong = read.compared.iter().find(|text| !symbols.contains(text))?;
    let message = format!("`{}` is never \"{wrong}\"", read.path.join("."));
    let known = symbols.iter().map(String::as_str);
    let found = Diagnostic::new(
        codes::UNKNOWN_SYMBOL,
        word_in(&context.source(), span, wrong),
        message,
    )
    .help(format!("it is one of {}", symbols.join(", ")))
    .suggest(nearest(wrong, known));
    Some(found)
}

fn doubtful_field(read: &Read, context: &Context, span: Span) -> Diagnostic {
    let path = read.path.join(".");
    let span = place(context, span, &read.path, read.path.len().saturating_sub(1));
    let message = format!("`{path}` may be missing");
    Diagnostic::warning(codes::DOUBTFUL_FIELD, span, message)
        .label("its schema does not require it, or lets what holds it be null")
        .help(format!("ask first: `has({path}) ? {path} : ...`"))
}

/// Where the field at `at` of a path stands.
fn place(context: &Context, span: Span, path: &[String], at: usize) -> Span {
    let source = context.source();
    let text = source.get(span.start..span.end).unwrap_or_default();
    let whole = path.get(..=at).unwrap_or_default().join(".");
    let last = path.get(at).map_or(0, String::len);
    text.find(&whole).map_or(span, |start| {
        let end = span.start + start + whole.len();
        Span::new(end - last, end)
    })
}

/// Compares the body of a command with its schema.
pub(super) fn check_body(
    context: &mut Context,
    names: &Names,
    schema: &Slot,
    body: &Template,
    at: &Tree,
) {
    match (&schema.r#type, body) {
        (Type::Record { fields, open }, Template::Object(given)) => {
            for (name, value) in given {
                let tree = inside(at, name);
                match fields.get(name) {
                    Some(slot) => check_body(context, names, slot, value, tree.1),
                    None if !open => {
                        let known: Vec<&str> = fields.keys().map(String::as_str).collect();
                        let message = format!("the schema has no field `{name}`");
                        let found = Diagnostic::new(codes::UNKNOWN_FIELD, tree.0, message)
                            .help(format!("its fields are {}", known.join(", ")))
                            .suggest(nearest(name, known.iter().copied()));
                        context.report(found);
                    }
                    None => {}
                }
            }
            let missing = fields.iter().filter(|(name, slot)| {
                slot.required && !slot.nullable && !given.contains_key(*name)
            });
            let missing: Vec<&str> = missing.map(|(name, _)| name.as_str()).collect();
            if !missing.is_empty() {
                let message = format!("the schema requires `{}`", missing.join("`, `"));
                context.report(Diagnostic::new(codes::MISSING_FIELD, at.span, message));
            }
        }
        (Type::Symbols(symbols), Template::Literal(serde_json::Value::String(text)))
            if !symbols.contains(text) =>
        {
            let message = format!("the schema has no symbol \"{text}\"");
            let known = symbols.iter().map(String::as_str);
            let found = Diagnostic::new(codes::UNKNOWN_SYMBOL, at.span, message)
                .help(format!("it has {}", symbols.join(", ")))
                .suggest(nearest(text, known));
            context.report(found);
        }
        (expected, body) => check_kind(context, names, expected, body, at),
    }
}

fn check_kind(context: &mut Context, names: &Names, expected: &Type, body: &Template, at: &Tree) {
    let found = names.type_of_data(body);
    if !expected.takes(&found) {
        let (expected, found) = (expected.describe(), found.describe());
        let message = format!("the schema wants {expected} here, this is {found}");
        context.report(Diagnostic::new(codes::WRONG_TYPE, at.span, message));
    }
}

/// Where a field of data stands: its key and its value.
fn inside<'t>(tree: &'t Tree, name: &str) -> (Span, &'t Tree) {
    let entry = match &tree.kind {
        Kind::Map(entries) => entries.iter().find(|e| e.key == name),
        _ => None,
    };
    entry.map_or((tree.span, tree), |entry| (entry.key_span, &entry.value))
}
