//! `for_each` and `loop`: steps that run several times.
//!
//! What a body defines is local to the execution; `until` and `collect` still see it.
//!
//! Absent on purpose: loops without a bound. Every one has a `max`.

use std::rc::Rc;

use super::codes;
use super::data;
use super::diagnostic::Diagnostic;
use super::names::Sure;
use super::object::Reader;
use super::outline::ids_within;
use super::place::Place;
use super::scalar;
use super::step::{Head, Lowering, Meaning};
use super::tree::Tree;
use super::types::{Slot, Type};
use crate::ir::{self, Iterate, NodeIx};

/// Elements of a for_each that the engine takes, if nothing is said.
const ELEMENTS_MAX: u32 = 1000;

impl Lowering<'_> {
    /// Lowers a for_each.
    pub(super) fn for_each(&mut self, head: &Head<'_, '_>, place: &mut Place) -> Meaning {
        let reader = head.reader;
        let over = reader.expression(self.context, &place.names, "for_each");
        let limit = whole(self, reader, "limit").unwrap_or(1);
        let max = whole(self, reader, "max").unwrap_or(ELEMENTS_MAX);
        let mut inside = place.inner(NO_PIVOT_INSIDE);
        let slot = over.as_ref().and_then(|over| place.names.slot_of(over));
        let slot = slot.and_then(|slot| match &slot.r#type {
            Type::List(element) => Some(Rc::clone(element)),
            _ => None,
        });
        let bind = self.element(reader, &mut inside, slot);
        let stops = std::mem::take(&mut self.stops);
        let (body, writes) = self.body(reader.get("steps"), &mut inside, "steps");
        if let Some(sure) = Sure::all(std::mem::replace(&mut self.stops, stops)) {
            inside.names.doubt_all_but(&sure);
        }
        let collect = reader.get("collect");
        let has_result = collect.is_some();
        let collect = collect.and_then(|t| data::template(self.context, &inside.names, t));
        if limit > 1 && !writes.is_empty() {
            self.concurrent(reader, &writes);
        }
        leave(place, reader.get("steps"));
        let iterate = Iterate {
            over,
            bind,
            body,
            until: None,
            limit,
            max,
            collect,
        };
        meaning(iterate, has_result)
    }

    /// Lowers a loop.
    pub(super) fn repeat(&mut self, head: &Head<'_, '_>, place: &mut Place) -> Meaning {
        let reader = head.reader;
        let max = whole(self, reader, "max").unwrap_or(1);
        let mut inside = place.inner(NO_PIVOT_INSIDE);
        let (body, _) = self.body(reader.get("loop"), &mut inside, "loop");
        let until = reader.expression(self.context, &inside.names, "until");
        leave(place, reader.get("loop"));
        let iterate = Iterate {
            over: None,
            bind: None,
            body,
            until,
            limit: 1,
            max,
            collect: None,
        };
        meaning(iterate, false)
    }

    /// The body's first node, and the variables it sets.
    fn body(
        &mut self,
        tree: Option<&Tree>,
        inside: &mut Place,
        key: &str,
    ) -> (Option<NodeIx>, Vec<String>) {
        let before = std::mem::take(&mut self.writes);
        let first = tree.and_then(|tree| self.some(tree, inside, key).first);
        let writes: Vec<String> = self.writes.iter().cloned().collect();
        self.writes.extend(before);
        (first, writes)
    }

    /// Binds the element's name.
    fn element(
        &mut self,
        reader: &Reader<'_>,
        inside: &mut Place,
        slot: Option<Rc<Slot>>,
    ) -> Option<String> {
        let span = reader.get("as").map_or(reader.at, |tree| tree.span);
        let name = reader.text(self.context, "as");
        let name = name.and_then(|name| scalar::variable(self.context, &name, span));
        let Some(name) = name else {
            inside.names.forgive();
            return None;
        };
        if inside.names.is_visible(&name) {
            let message = format!("the name `{name}` is taken");
            let found = Diagnostic::new(codes::NAME_TAKEN, span, message)
                .label("it is visible here already");
            self.context.report(found);
        }
        inside.names.define_typed(&name, slot);
        Some(name)
    }

    fn concurrent(&mut self, reader: &Reader<'_>, writes: &[String]) {
        let message = format!("elements at the same time set `{}`", writes.join("`, `"));
        let found = Diagnostic::new(codes::CONCURRENT_SET, reader.key_span("limit"), message)
            .label("which value remains would depend on who is faster")
            .help("remove `limit`, or use `collect`");
        self.context.report(found);
    }
}

const NO_PIVOT_INSIDE: &str = "steps that run several times would pass it several times";

fn whole(lowering: &mut Lowering<'_>, reader: &Reader<'_>, name: &str) -> Option<u32> {
    let number = reader.integer(lowering.context, name)?;
    u32::try_from(number).ok()
}

/// Names of the body end with it.
fn leave(place: &mut Place, body: Option<&Tree>) {
    let mut inner = Vec::new();
    body.iter().for_each(|tree| ids_within(tree, &mut inner));
    place
        .names
        .refuse_all(&inner, "this step's result is local to the repetition");
}

fn meaning(iterate: Iterate, has_result: bool) -> Meaning {
    Meaning {
        outcomes: vec!["exhausted".to_owned()],
        has_result,
        ..Meaning::plain(Some(ir::Kind::Iterate(iterate)))
    }
}
