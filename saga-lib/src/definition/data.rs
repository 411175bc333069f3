//! Expressions and data: what is computed when the saga runs.
//!
//! Data is literal unless it begins with `=`. Without quotes, `true`, `false`, nothing and the numbers of JSON are what they look like;
//! everything else is text, so `no`, `on` and `010` are.
//!
//! Absent on purpose: `${...}` in text.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use super::codes;
use super::context::Context;
use super::diagnostic::{Diagnostic, Span};
use super::names::Names;
use super::object::Reader;
use super::scalar;
use super::tree::{Entry, Kind, Tree};
use crate::expr::{CompileError, Expr};
use crate::ir::Template;

/// Most digits of a fraction that survive the way through 64 bits.
const DIGITS_MAX: usize = 15;

impl Reader<'_> {
    /// An expression, written bare.
    pub(super) fn expression(
        &self,
        context: &mut Context,
        names: &Names,
        name: &str,
    ) -> Option<Expr> {
        let tree = self.get(name)?;
        let text = scalar::text(context, tree, "an expression")?;
        if let Some(bare) = text.strip_prefix('=') {
            let message = format!("`{name}` is always an expression");
            let found = Diagnostic::new(codes::BAD_EXPRESSION, tree.span, message)
                .help(format!("write it without `=`: {bare}"));
            context.report(found);
            return None;
        }
        compile(context, names, text, tree.span)
    }

    /// Data; an empty object, if the key is absent.
    pub(super) fn data(
        &self,
        context: &mut Context,
        names: &Names,
        name: &str,
    ) -> Option<Template> {
        match self.get(name) {
            Some(tree) => template(context, names, tree),
            None => Some(Template::Object(BTreeMap::new())),
        }
    }

    /// Names the author chose, each with data.
    pub(super) fn named_data(
        &self,
        context: &mut Context,
        names: &Names,
        name: &str,
    ) -> Option<BTreeMap<String, Template>> {
        let mut out = BTreeMap::new();
        for entry in entries(context, self.get(name)?)? {
            let key = scalar::field(context, &entry.key, entry.key_span);
            let value = template(context, names, &entry.value);
            out.extend(key.zip(value));
        }
        Some(out)
    }
}

/// The entries of a mapping that must not be empty.
pub(super) fn entries<'t>(context: &mut Context, tree: &'t Tree) -> Option<&'t [Entry]> {
    match &tree.kind {
        Kind::Map(entries) if entries.is_empty() => {
            let message = "expected at least one name, found none";
            context.report(Diagnostic::new(codes::EMPTY, tree.span, message));
            None
        }
        Kind::Map(entries) => Some(entries),
        _ => {
            context.wrong_shape(tree, "a mapping of names");
            None
        }
    }
}

/// Data.
pub(super) fn template(context: &mut Context, names: &Names, tree: &Tree) -> Option<Template> {
    match &tree.kind {
        Kind::Scalar { text, plain } => leaf(context, names, text, *plain, tree.span),
        Kind::List(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|item| template(context, names, item))
                .collect();
            items
                .into_iter()
                .collect::<Option<_>>()
                .map(Template::Array)
        }
        Kind::Map(entries) => {
            let fields: Vec<_> = entries
                .iter()
                .map(|e| Some((e.key.clone(), template(context, names, &e.value)?)))
                .collect();
            fields
                .into_iter()
                .collect::<Option<_>>()
                .map(Template::Object)
        }
        Kind::Broken => None,
    }
}

fn leaf(
    context: &mut Context,
    names: &Names,
    text: &str,
    plain: bool,
    span: Span,
) -> Option<Template> {
    if let Some(source) = text.strip_prefix('=') {
        return compile(context, names, source.trim(), span).map(Template::Expr);
    }
    let value = match text {
        _ if !plain => Value::from(text),
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "" | "~" | "null" => Value::Null,
        _ => match serde_json::from_str::<Number>(text) {
            Ok(number) => Value::Number(exact(context, text, number, span)?),
            Err(_) => Value::from(text),
        },
    };
    Some(Template::Literal(value))
}

/// The number, if nothing of it is lost.
fn exact(context: &mut Context, text: &str, number: Number, span: Span) -> Option<Number> {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    if !number.is_f64() || digits <= DIGITS_MAX {
        return Some(number);
    }
    let message = format!("the number `{text}` would lose digits");
    let found = Diagnostic::new(codes::BAD_NUMBER, span, message)
        .help(format!("write it as text: \"{text}\""));
    context.report(found);
    None
}

fn compile(context: &mut Context, names: &Names, source: &str, span: Span) -> Option<Expr> {
    match Expr::compile(source) {
        Ok(expr) => {
            names.check(context, &expr, span);
            Some(expr)
        }
        Err(error) => {
            let span = locate(&context.source(), source, span, &error);
            let message = format!("the expression does not compile: {error}");
            context.report(Diagnostic::new(codes::BAD_EXPRESSION, span, message));
            None
        }
    }
}

/// Where inside the span the error is. Known only if the source stands there as it is: quotes and folded lines change it.
fn locate(file: &str, source: &str, span: Span, error: &CompileError) -> Span {
    let written = file.get(span.start..span.end).unwrap_or_default();
    let at = written.find(source).filter(|_| !source.is_empty());
    match (at, error.offset) {
        (Some(at), Some(offset)) if offset < source.len() => {
            let start = span.start + at + offset;
            Span::new(start, start + 1)
        }
        _ => span,
    }
}

/// Reports a literal that is not of the type of its variable.
pub(super) fn check_type(context: &mut Context, r#type: &str, value: &Template, span: Span) {
    let found = match value {
        Template::Literal(value) => literal(value),
        Template::Object(_) => "object",
        Template::Array(_) => "list",
        Template::Expr(_) => return,
    };
    let fits = match r#type {
        "any" => true,
        "number" => matches!(found, "number" | "integer"),
        name => found == name,
    };
    // A variable may begin without a value.
    if !fits && found != "null" {
        let message = format!("expected a value of type {type}, found {found}");
        context.report(Diagnostic::new(codes::WRONG_TYPE, span, message));
    }
}

fn literal(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}
