//! `finally`: what is published at the end.
//!
//! An instance that is compensated or parked has not come to the end, so results of its steps may be missing there.
//!
//! Absent on purpose: fragments (`use`), which come with a later release.

use super::codes;
use super::context::Context;
use super::diagnostic::Diagnostic;
use super::fields::{FINAL_PUBLISH, FINALLY};
use super::names::Names;
use super::object::Reader;
use super::tree::{Kind, Tree};
use super::typed;
use super::uses::Library;
use crate::ir::{Finally, Publish};

/// Lowers the mapping under `finally`.
pub(super) fn lower(
    context: &mut Context,
    library: &Library<'_>,
    (completed, otherwise): (&Names, &Names),
    tree: &Tree,
) -> Option<Finally> {
    let reader = Reader::open(context, tree, &FINALLY)?;
    let failed = otherwise.with(&["error"]);
    let mut events = |names: &Names, name| events(context, library, names, &reader, name);
    Some(Finally {
        completed: events(completed, "completed"),
        compensated: events(&failed, "compensated"),
        parked: events(&failed, "parked"),
    })
}

/// One event or a list of them.
fn events(
    context: &mut Context,
    library: &Library<'_>,
    names: &Names,
    reader: &Reader<'_>,
    name: &str,
) -> Vec<Publish> {
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
    let event = |tree| {
        let reader = Reader::open(context, tree, &FINAL_PUBLISH)?;
        publish(context, library, names, &reader)
    };
    items.iter().filter_map(event).collect()
}

/// What a `publish` step and an event of `finally` have in common.
pub(super) fn publish(
    context: &mut Context,
    library: &Library<'_>,
    names: &Names,
    reader: &Reader<'_>,
) -> Option<Publish> {
    let topic = reader.topic(context, "publish");
    let r#type = reader.text(context, "type");
    let key = reader.expression(context, names, "key");
    let payload = reader.data(context, names, "with");
    let publish = Publish {
        topic: topic?,
        r#type: r#type?,
        key,
        payload: payload?,
    };
    check_body(context, library, names, reader, &publish);
    Some(publish)
}

/// An event in Avro that does not fit its schema would park its saga.
fn check_body(
    context: &mut Context,
    library: &Library<'_>,
    names: &Names,
    reader: &Reader<'_>,
    publish: &Publish,
) {
    let slot = library.formats.slot(&publish.topic, &publish.r#type);
    let nothing = Tree::text("", reader.key_span("publish"));
    let at = reader.get("with").unwrap_or(&nothing);
    if let Some(slot) = slot {
        typed::check_body(context, names, &slot, &publish.payload, at);
    }
}
