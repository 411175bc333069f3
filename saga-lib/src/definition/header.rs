//! The header: identity, starts, variables; and the whole put together.
//!
//! Absent on purpose: `owner`, `labels` and `label` in the IR. They are checked here and read by people.

use std::rc::Rc;

use super::codes;
use super::context::Context;
use super::data;
use super::deadline;
use super::diagnostic::{Diagnostic, Span};
use super::fields::{SAGA, START, TYPES, VARIABLE};
use super::finally;
use super::names::{Claims, Names, Sure};
use super::object::Reader;
use super::place::Place;
use super::scalar;
use super::step::Lowering;
use super::time;
use super::tree::{Kind, Tree};
use super::types::Slot;
use super::uses::{self, Library};
use crate::ir::{Definition, Duplicates, Finally, From, LAYOUT, Start, Variable};

/// How long a finished instance stays, if nothing is said.
const RETAIN_MS: i64 = 3_600_000;

/// Lowers the whole file. Everything is visited, whatever was wrong before it.
pub(super) fn lower(
    context: &mut Context,
    library: &Library<'_>,
    tree: &Tree,
) -> Option<Definition> {
    if uses::is_part(tree) {
        let message = "this file is a part of sagas, not a saga";
        let found = Diagnostic::new(codes::BAD_USE, Span::default(), message)
            .help("it is checked with every saga that names it under `uses`");
        context.report(found);
        return None;
    }
    let reader = Reader::open(context, tree, &SAGA)?;
    let mut claims = Claims::default();
    let name = reader.id(context, "saga");
    let version = reader.integer(context, "version");
    reader.text(context, "owner");
    labels(context, &reader);
    let retain_ms = reader.duration(context, "retain");
    let mut names = Names::begun();
    let starts = starts(context, library, &reader, &mut claims, &mut names);
    let data = variables(context, &reader, &mut claims, &mut names);
    let deadline = deadline::lower(context, &reader);
    let mut place = Place::new(names);
    place.narrow(deadline.as_ref().map(|d| d.after_ms), "the deadline");
    let begun = place.names.sure();
    let mut lowering = Lowering::new(context, library, claims);
    lowering.recurs = starts.iter().any(|s| s.duplicates == Duplicates::New);
    lowering.keys = starts.iter().map(|s| s.key.source().to_owned()).collect();
    if let Some(steps) = reader.get("steps") {
        lowering.all(steps, &mut place);
        lowering.check_nodes(reader.key_span("steps"));
    }
    let stops = std::mem::take(&mut lowering.stops);
    let nodes = std::mem::take(&mut lowering.nodes);
    let completed = completed(&place, stops);
    let mut broken_off = place.names;
    broken_off.doubt_all_but(&begun);
    let measure = reader.named_data(context, &completed, "measure");
    let finally = reader.get("finally");
    let finally =
        finally.and_then(|t| finally::lower(context, library, (&completed, &broken_off), t));
    let finally = finally.unwrap_or_else(Finally::default);
    let mut definition = Definition {
        layout: LAYOUT,
        name: name?,
        version: u32::try_from(version?).ok()?,
        starts,
        data,
        nodes,
        finally,
        retain_ms: retain_ms.unwrap_or(RETAIN_MS),
        deadline,
        measure: measure.unwrap_or_default(),
        avro: Vec::new(),
    };
    definition.avro = library.formats.used_by(context, &definition);
    Some(definition)
}

/// Names at the end of an instance that completed: by the last step or by a `stop`.
fn completed(place: &Place, stops: Vec<Sure>) -> Names {
    let mut names = place.names.clone();
    if let Some(sure) = Sure::all(stops) {
        names.doubt_all_but(&sure);
    }
    names
}

fn labels(context: &mut Context, reader: &Reader<'_>) {
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
    context: &mut Context,
    library: &Library<'_>,
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
    let mut bound = Vec::new();
    for item in items {
        let (bind, start) = start(context, library, item);
        match bind {
            // Several starts may bind the same name: the body then needs not tell them apart.
            Some((bind, _)) if bound.contains(&bind) => {}
            Some((bind, span)) => {
                claims.claim(context, &bind, "a start", span);
                bound.push(bind);
            }
            None => names.forgive(),
        }
        starts.extend(start);
    }
    for bind in &bound {
        let slot = match items {
            [item] => payload(context, library, item),
            _ => None,
        };
        match bound.as_slice() {
            [_] => names.define_typed(bind, slot),
            _ => names.define_doubtful(bind),
        }
    }
    starts
}

/// What is known of the payload of a start.
fn payload(context: &mut Context, library: &Library<'_>, tree: &Tree) -> Option<Rc<Slot>> {
    let Kind::Map(entries) = &tree.kind else {
        return None;
    };
    let entry = entries.iter().find(|e| e.key == "type")?;
    let Kind::Scalar { text, .. } = &entry.value.kind else {
        return None;
    };
    library.any_schema(context, text, entry.value.span)
}

/// A start, and the name it binds, which is known even if something else is wrong.
fn start(
    context: &mut Context,
    library: &Library<'_>,
    tree: &Tree,
) -> (Option<(String, Span)>, Option<Start>) {
    let Some(reader) = Reader::open(context, tree, &START) else {
        return (None, None);
    };
    let span = reader.get("as").map_or(reader.at, |tree| tree.span);
    let bind = reader.text(context, "as");
    let bind = bind.and_then(|name| scalar::variable(context, &name, span));
    let slot = payload(context, library, tree);
    let start = start_of(context, &reader, bind.as_deref(), slot);
    (bind.map(|bind| (bind, span)), start)
}

fn start_of(
    context: &mut Context,
    reader: &Reader<'_>,
    bind: Option<&str>,
    slot: Option<Rc<Slot>>,
) -> Option<Start> {
    let mut names = Names::new();
    match bind {
        Some(bind) => names.define_typed(bind, slot),
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

fn duplicates(context: &mut Context, reader: &Reader<'_>) -> Duplicates {
    match reader.word(context, "duplicates") {
        Some("new") => {
            if !reader.has("id") {
                context.report(weak_identity(reader));
            }
            Duplicates::New
        }
        Some("reject") => Duplicates::Reject,
        _ => Duplicates::Ignore,
    }
}

fn weak_identity(reader: &Reader<'_>) -> Diagnostic {
    let message = "`duplicates: new` tells events apart by their identity";
    Diagnostic::warning(codes::WEAK_IDENTITY, reader.key_span("duplicates"), message)
        .label("every event needs the headers `ce_source` and `ce_id`")
        .help("if not every event has them, add `id: <expression>`")
}

fn from(context: &mut Context, reader: &Reader<'_>) -> From {
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
    context: &mut Context,
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
        let variable = variable(context, &before, name.clone(), &entry.value);
        let r#type = variable.as_ref().and_then(|v| v.r#type.as_deref());
        let r#type = TYPES.iter().copied().find(|t| Some(*t) == r#type);
        names.make_mutable(&name, r#type);
        variables.extend(variable);
    }
    variables
}

fn variable(context: &mut Context, names: &Names, name: String, tree: &Tree) -> Option<Variable> {
    let reader = Reader::open(context, tree, &VARIABLE)?;
    let r#type = reader.word(context, "type");
    let tree = reader.get("init")?;
    let init = data::template(context, names, tree)?;
    if let Some(r#type) = r#type {
        data::check_type(context, r#type, &init, tree.span);
    }
    let r#type = r#type.map(str::to_owned);
    Some(Variable { name, r#type, init })
}
