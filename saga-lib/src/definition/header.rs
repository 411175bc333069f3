//! The header: identity, starts, variables; and the whole put together.
//!
//! Absent on purpose: `owner`, `labels` and `label` in the IR. They are checked here and read by people.

use super::check::{Claims, Names};
use super::codes;
use super::context::Context;
use super::data;
use super::diagnostic::Diagnostic;
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
    let starts = starts(context, &reader, &mut claims);
    let mut names = names(&starts);
    let data = variables(context, &reader, &mut claims, &mut names);
    let nodes = step::lower(context, &reader, &mut claims, &mut names, &data);
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

/// Names visible in the body before the first step.
fn names(starts: &[Start]) -> Names {
    let mut names = Names::new().with(&["saga", "now"]);
    starts.iter().for_each(|start| names.define(&start.bind));
    names
}

fn starts(context: &mut Context<'_>, reader: &Reader<'_>, claims: &mut Claims) -> Vec<Start> {
    let Some(tree) = reader.get("start") else {
        return Vec::new();
    };
    let items = match &tree.kind {
        Kind::List(items) if items.is_empty() => {
            let message = "a saga needs at least one start";
            context.report(Diagnostic::new(codes::EMPTY, tree.span, message));
            return Vec::new();
        }
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(tree),
    };
    let starts: Vec<Start> = items.iter().filter_map(|i| start(context, i)).collect();
    let mut binds: Vec<&str> = starts.iter().map(|s| s.bind.as_str()).collect();
    // Several starts may bind the same name: the body then needs not tell them apart.
    binds.dedup();
    for bind in binds {
        claims.claim(context, bind, "a start", tree.span);
    }
    starts
}

fn start(context: &mut Context<'_>, tree: &Tree) -> Option<Start> {
    let reader = Reader::open(context, tree, &START)?;
    let topic = reader.topic(context, "topic");
    let r#type = reader.text(context, "type");
    let bind = reader.text(context, "as");
    let bind = bind.and_then(|name| scalar::variable(context, &name, span_of(&reader, "as")));
    let names = Names::new().with(bind.as_deref().as_slice());
    // Without the name, every expression would be wrong a second time.
    let known = bind.is_some();
    let mut expression = |name| {
        known
            .then(|| reader.expression(context, &names, name))
            .flatten()
    };
    let (key, filter, id) = (expression("key"), expression("where"), expression("id"));
    let duplicates = duplicates(context, &reader);
    let from = from(context, &reader);
    Some(Start {
        topic: topic?,
        r#type,
        bind: bind?,
        key: key?,
        filter,
        id,
        duplicates,
        from,
    })
}

fn span_of(reader: &Reader<'_>, name: &str) -> super::Span {
    reader.get(name).map_or(reader.at, |tree| tree.span)
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
