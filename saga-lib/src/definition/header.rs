//! The header: identity, starts, variables; and the whole put together.
//!
//! Absent on purpose: `owner`, `labels` and `label` in the IR. They are checked here and read by people.

use super::check::{Claims, Names};
use super::codes;
use super::context::Context;
use super::data;
use super::diagnostic::{Diagnostic, Span};
use super::fields::{SAGA, START, VARIABLE};
use super::finally;
use super::object::Reader;
use super::scalar;
use super::step;
use super::time;
use super::tree::{Kind, Tree};
use crate::ir::{Definition, Duplicates, Finally, From, LAYOUT, Start, Variable};

/// How long a finished instance stays, if nothing is said.
const RETAIN_MS: i64 = 3_600_000;

/// Lowers the whole file. Everything is visited, whatever was wrong before it.
pub(super) fn lower(context: &mut Context<'_>, tree: &Tree) -> Option<Definition> {
    let reader = Reader::open(context, tree, &SAGA)?;
    let mut claims = Claims::default();
    let name = reader.id(context, "saga");
    let version = reader.integer(context, "version");
    reader.text(context, "owner");
    labels(context, &reader);
    let retain_ms = reader.duration(context, "retain");
    let mut names = Names::new().with(&["saga", "now"]);
    let starts = starts(context, &reader, &mut claims, &mut names);
    let data = variables(context, &reader, &mut claims, &mut names);
    let nodes = step::lower(context, &reader, &mut claims, &mut names);
    let finally = reader.get("finally");
    let finally = finally.and_then(|tree| finally::lower(context, &names, tree));
    Some(Definition {
        layout: LAYOUT,
        name: name?,
        version: u32::try_from(version?).ok()?,
        starts,
        data,
        nodes,
        finally: finally.unwrap_or_else(Finally::default),
        retain_ms: retain_ms.unwrap_or(RETAIN_MS),
        deadline: None,
        measure: std::collections::BTreeMap::new(),
    })
}

fn labels(context: &mut Context<'_>, reader: &Reader<'_>) {
    let Some(entries) = reader
        .get("labels")
        .and_then(|tree| data::entries(context, tree))
    else {
        return;
    };
    for entry in entries {
        scalar::text(context, &entry.value, "text");
    }
}

fn starts(
    context: &mut Context<'_>,
    reader: &Reader<'_>,
    claims: &mut Claims,
    names: &mut Names,
) -> Vec<Start> {
    let Some(tree) = reader.get("start") else {
        names.forgive();
        return Vec::new();
    };
    let items = match &tree.kind {
        Kind::List(items) if items.is_empty() => {
            let message = "a saga needs at least one start";
            context.report(Diagnostic::new(codes::EMPTY, tree.span, message));
            &[]
        }
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(tree),
    };
    let mut starts = Vec::new();
    for item in items {
        let (bind, start) = start(context, item);
        match bind {
            // Several starts may bind the same name: the body then needs not tell them apart.
            Some((bind, _)) if names.is_visible(&bind) => {}
            Some((bind, span)) => {
                claims.claim(context, &bind, "a start", span);
                names.define(&bind);
            }
            None => names.forgive(),
        }
        starts.extend(start);
    }
    starts
}

/// A start, and the name it binds, which is known even if something else is wrong.
fn start(context: &mut Context<'_>, tree: &Tree) -> (Option<(String, Span)>, Option<Start>) {
    let Some(reader) = Reader::open(context, tree, &START) else {
        return (None, None);
    };
    let span = reader.get("as").map_or(reader.at, |tree| tree.span);
    let bind = reader.text(context, "as");
    let bind = bind.and_then(|name| scalar::variable(context, &name, span));
    let start = start_of(context, &reader, bind.as_deref());
    (bind.map(|bind| (bind, span)), start)
}

fn start_of(context: &mut Context<'_>, reader: &Reader<'_>, bind: Option<&str>) -> Option<Start> {
    let mut names = Names::new();
    match bind {
        Some(bind) => names.define(bind),
        None => names.forgive(),
    }
    let topic = reader.topic(context, "topic");
    let r#type = reader.text(context, "type");
    let key = reader.expression(context, &names, "key");
    let filter = reader.expression(context, &names, "where");
    let id = reader.expression(context, &names, "id");
    let duplicates = duplicates(context, reader);
    let from = from(context, reader);
    Some(Start {
        topic: topic?,
        r#type,
        bind: bind?.to_owned(),
        key: key?,
        filter,
        id,
        duplicates,
        from,
    })
}

fn duplicates(context: &mut Context<'_>, reader: &Reader<'_>) -> Duplicates {
    match reader.word(context, "duplicates") {
        Some("new") => Duplicates::New,
        Some("reject") => Duplicates::Reject,
        _ => Duplicates::Ignore,
    }
}

fn from(context: &mut Context<'_>, reader: &Reader<'_>) -> From {
    let Some(tree) = reader.get("from") else {
        return From::Activation;
    };
    match scalar::text(context, tree, "earliest, latest or a time") {
        Some("earliest") => From::Earliest,
        Some("latest") => From::Latest,
        Some(text) => time::time_ms(text).map_or_else(
            || {
                let message = format!("`{text}` is neither earliest, latest nor a time");
                let found = Diagnostic::new(codes::BAD_TIME, tree.span, message)
                    .help("write a time as 2026-01-31T00:00:00Z");
                context.report(found);
                From::Activation
            },
            From::Time,
        ),
        None => From::Activation,
    }
}

fn variables(
    context: &mut Context<'_>,
    reader: &Reader<'_>,
    claims: &mut Claims,
    names: &mut Names,
) -> Vec<Variable> {
    let Some(tree) = reader.get("data") else {
        return Vec::new();
    };
    let mut variables = Vec::new();
    let before = names.clone();
    for entry in data::entries(context, tree).unwrap_or_default() {
        let name = scalar::variable(context, &entry.key, entry.key_span);
        let Some(name) = name else { continue };
        claims.claim(context, &name, "a variable", entry.key_span);
        names.define(&name);
        names.make_mutable(&name);
        variables.extend(variable(context, &before, name, &entry.value));
    }
    variables
}

fn variable(
    context: &mut Context<'_>,
    names: &Names,
    name: String,
    tree: &Tree,
) -> Option<Variable> {
    let reader = Reader::open(context, tree, &VARIABLE)?;
    let r#type = reader.word(context, "type").map(str::to_owned);
    let init = data::template(context, names, reader.get("init")?)?;
    Some(Variable { name, r#type, init })
}
