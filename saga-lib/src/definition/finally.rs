//! `finally`: what is published at the end.
//!
//! An instance that is compensated or parked has not come to the end, so results of its steps may be missing there.
//!
//! Absent on purpose: fragments (`use`). An event of `finally` has no step that could hold the fragment's arguments.

use super::codes;
use super::context::Context;
use super::diagnostic::{Diagnostic, Span};
use super::fields::{FINAL_PUBLISH, FINALLY};
use super::flow::key_of;
use super::names::Names;
use super::object::Reader;
use super::tree::{Kind, Tree};
use crate::ir::{Finally, Publish};

/// Lowers the mapping under `finally`.
pub(super) fn lower(
    context: &mut Context,
    completed: &Names,
    otherwise: &Names,
    tree: &Tree,
) -> Option<Finally> {
    let reader = Reader::open(context, tree, &FINALLY)?;
    let failed = otherwise.with(&["error"]);
    Some(Finally {
        completed: events(context, completed, &reader, "completed"),
        compensated: events(context, &failed, &reader, "compensated"),
        parked: events(context, &failed, &reader, "parked"),
    })
}

/// One event or a list of them.
fn events(context: &mut Context, names: &Names, reader: &Reader<'_>, name: &str) -> Vec<Publish> {
    let Some(tree) = reader.get(name) else {
        return Vec::new();
    };
    let items = match &tree.kind {
        Kind::List(items) if items.is_empty() => {
            let message = format!("`{name}` has no event");
            context.report(Diagnostic::new(codes::EMPTY, tree.span, message));
            items.as_slice()
        }
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(tree),
    };
    let events = items.iter().filter_map(|item| event(context, names, item));
    events.collect()
}

fn event(context: &mut Context, names: &Names, tree: &Tree) -> Option<Publish> {
    if let Some(span) = key_of(tree, "use") {
        context.report(no_fragment(span));
        return None;
    }
    let reader = Reader::open(context, tree, &FINAL_PUBLISH)?;
    publish(context, names, &reader)
}

fn no_fragment(span: Span) -> Diagnostic {
    let message = "fragments in `finally` are not supported by this release yet";
    Diagnostic::new(codes::NOT_SUPPORTED, span, message)
        .help("write the fragment's events here: one `publish`, or a list of them")
}

/// What a `publish` step and an event of `finally` have in common.
pub(super) fn publish(
    context: &mut Context,
    names: &Names,
    reader: &Reader<'_>,
) -> Option<Publish> {
    let topic = reader.topic(context, "publish");
    let r#type = reader.text(context, "type");
    let key = reader.expression(context, names, "key");
    let payload = reader.data(context, names, "with");
    Some(Publish {
        topic: topic?,
        r#type: r#type?,
        key,
        payload: payload?,
    })
}
