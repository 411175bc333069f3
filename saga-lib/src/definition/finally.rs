//! `finally`: what is published at the end.
//!
//! An instance that is compensated or parked has not come to the end, so results of its steps may be missing there. A fragment is
//! expanded into its events, each of which carries the arguments: there is no step that could hold them.

use std::collections::BTreeMap;

use super::codes;
use super::context::Context;
use super::diagnostic::Diagnostic;
use super::fields::{FINAL_PUBLISH, FINAL_USE, FINALLY, FRAGMENT, Object, PUBLISH, USE};
use super::flow::key_of;
use super::fragment;
use super::names::Names;
use super::object::Reader;
use super::tree::{Kind, Tree};
use super::typed;
use super::uses::{Fragment, Library};
use crate::ir::{Finally, Publish, Template};

/// Lowers the mapping under `finally`.
pub(super) fn lower(
    context: &mut Context,
    library: &Library<'_>,
    (completed, otherwise): (&Names, &Names),
    tree: &Tree,
) -> Option<Finally> {
    let reader = Reader::open(context, tree, &FINALLY)?;
    let failed = otherwise.with(&["error"]);
    let mut last = Last {
        context,
        library,
        expanding: Vec::new(),
        given: Vec::new(),
        events: Vec::new(),
        count: 0,
    };
    Some(Finally {
        completed: last.events(completed, &reader, "completed"),
        compensated: last.events(&failed, &reader, "compensated"),
        parked: last.events(&failed, &reader, "parked"),
    })
}

/// Most events and fragments of all ends: fragments that use others twice would multiply.
const EVENTS_MAX: usize = 200;

/// Lowers the events of one end.
struct Last<'l, 'f> {
    context: &'l mut Context,
    library: &'l Library<'f>,
    /// Names of the fragments that are open.
    expanding: Vec<String>,
    /// Their arguments.
    given: Vec<BTreeMap<String, Template>>,
    events: Vec<Publish>,
    /// Events and fragments so far, of all ends.
    count: usize,
}

impl Last<'_, '_> {
    /// One event or a list of them.
    fn events(&mut self, names: &Names, reader: &Reader<'_>, name: &str) -> Vec<Publish> {
        let items = match reader.get(name) {
            Some(tree) => self.items(tree, name),
            None => &[],
        };
        for item in items {
            self.item(names, item, &FINAL_USE, &FINAL_PUBLISH);
        }
        std::mem::take(&mut self.events)
    }

    fn items<'t>(&mut self, tree: &'t Tree, name: &str) -> &'t [Tree] {
        match &tree.kind {
            Kind::List(items) => {
                if items.is_empty() {
                    let message = format!("`{name}` has no event");
                    let found = Diagnostic::new(codes::EMPTY, tree.span, message);
                    self.context.report(found);
                }
                items
            }
            _ => std::slice::from_ref(tree),
        }
    }

    fn item(
        &mut self,
        names: &Names,
        tree: &Tree,
        uses: &'static Object,
        publishes: &'static Object,
    ) {
        self.count += 1;
        if self.count > EVENTS_MAX {
            self.too_many(tree);
            return;
        }
        let is_use = key_of(tree, "use").is_some();
        let object = if is_use { uses } else { publishes };
        let Some(reader) = Reader::open(self.context, tree, object) else {
            return;
        };
        if is_use {
            self.expand(names, &reader);
        } else {
            let event = publish(self.context, self.library, names, &reader);
            self.events.extend(event.map(|event| Publish {
                given: self.given.clone(),
                ..event
            }));
        }
    }

    /// Reported once.
    fn too_many(&mut self, tree: &Tree) {
        if self.count == EVENTS_MAX + 1 {
            let message = "`finally` has too many events and fragments";
            let found = Diagnostic::new(codes::BUDGET, tree.span, message)
                .label(format!("at most {EVENTS_MAX} together"));
            self.context.report(found);
        }
    }

    fn expand(&mut self, names: &Names, reader: &Reader<'_>) {
        let with = reader.named_data(self.context, names, "with");
        let with = with.unwrap_or_default();
        let Some(fragment) = fragment::find(self.context, self.library, reader) else {
            return;
        };
        fragment::check_arguments(self.context, reader, &fragment.parameters, &with);
        let name = reader.text(self.context, "use").unwrap_or_default();
        if self.expanding.contains(&name) {
            fragment::uses_itself(self.context, reader, &name);
            return;
        }
        self.expanding.push(name);
        self.given.push(with);
        let file = self.context.enter(fragment.file);
        self.steps(&fragment);
        self.context.enter(file);
        self.given.pop();
        self.expanding.pop();
    }

    fn steps(&mut self, fragment: &Fragment) {
        let names = fragment::inner_names(&fragment.parameters);
        let reader = Reader::open(self.context, &fragment.tree, &FRAGMENT);
        let steps = reader.and_then(|reader| reader.get("steps"));
        let Some(Kind::List(steps)) = steps.map(|tree| &tree.kind) else {
            return;
        };
        for step in steps {
            if !self.only_publishes(step) {
                continue;
            }
            self.item(&names, step, &USE, &PUBLISH);
        }
    }

    /// The saga is over: nothing can wait, decide or be remembered any more.
    fn only_publishes(&mut self, step: &Tree) -> bool {
        let Kind::Map(entries) = &step.kind else {
            self.context.wrong_shape(step, "a step");
            return false;
        };
        let other = entries.iter().find(|e| !ALLOWED.contains(&e.key.as_str()));
        if let Some(other) = other {
            let message = format!("`{}` cannot be used in `finally`", other.key);
            let found = Diagnostic::new(codes::BAD_USE, other.key_span, message)
                .label("this fragment is used in `finally`")
                .help("a fragment of `finally` publishes unconditionally: only `publish` and `use` steps");
            self.context.report(found);
        }
        other.is_none()
    }
}

/// Keys of steps that mean the same when the saga is over.
const ALLOWED: &[&str] = &["id", "label", "publish", "type", "key", "with", "use"];

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
        given: Vec::new(),
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

#[cfg(test)]
mod tests;
