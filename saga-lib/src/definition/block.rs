//! `block`, `use` and `stop`: steps held together, steps from elsewhere, and the early end.
//!
//! A fragment sees its arguments, `saga` and `now`, and nothing of the saga around it, so that it means the same wherever it is used.
//!
//! Absent on purpose: fragments that call themselves. A cycle is refused.

use std::collections::BTreeMap;

use super::codes;
use super::context::nearest;
use super::diagnostic::Diagnostic;
use super::fields::FRAGMENT;
use super::names::Names;
use super::object::Reader;
use super::place::Place;
use super::step::{Head, Lowering, Meaning};
use super::tree::{Kind, Tree};
use super::uses::Fragment;
use crate::ir::{self, Scope, Template};

impl Lowering<'_> {
    /// Lowers a block.
    pub(super) fn block(&mut self, head: &Head<'_, '_>, place: &mut Place) -> Meaning {
        let timeout_ms = self.scope_timeout(head, place);
        let mut inside = self.scope(head.reader, place, timeout_ms);
        let tree = head.reader.get("block");
        let body = tree.and_then(|tree| self.some(tree, &mut inside, "block").first);
        place.names.absorb(&inside.names, true);
        place.phase = inside.phase;
        place.open = inside.open;
        meaning(Scope {
            body,
            timeout_ms,
            with: None,
        })
    }

    /// Expands a fragment.
    pub(super) fn fragment(&mut self, head: &Head<'_, '_>, place: &mut Place) -> Meaning {
        let reader = head.reader;
        let timeout_ms = self.scope_timeout(head, place);
        let with = reader.named_data(self.context, &place.names, "with");
        let with = with.unwrap_or_default();
        let Some(fragment) = self.find(reader) else {
            return Meaning::default();
        };
        self.check_arguments(reader, &fragment.parameters, &with);
        let mut inside = self.scope(reader, place, timeout_ms);
        inside.names = inner_names(&fragment.parameters);
        let id = head.id.unwrap_or_default().to_owned();
        let name = reader.text(self.context, "use").unwrap_or_default();
        if self.expanding.iter().any(|(_, open)| *open == name) {
            let message = format!("the fragment `{name}` uses itself");
            let found = Diagnostic::new(codes::BAD_USE, reader.key_span("use"), message);
            self.context.report(found);
            return Meaning::default();
        }
        let sure = place.names.sure();
        let stops = std::mem::take(&mut self.stops);
        self.expanding.push((id, name));
        let body = self.expand(&fragment, &mut inside);
        self.expanding.pop();
        let ends = std::mem::replace(&mut self.stops, stops);
        self.stops.extend(ends.iter().map(|_| sure.clone()));
        place.phase = inside.phase;
        place.open = inside.open;
        meaning(Scope {
            body,
            timeout_ms,
            with: Some(with),
        })
    }

    fn expand(&mut self, fragment: &Fragment, inside: &mut Place) -> Option<ir::NodeIx> {
        let file = self.context.enter(fragment.file);
        let claims = std::mem::take(&mut self.claims);
        let reader = Reader::open(self.context, &fragment.tree, &FRAGMENT);
        let steps = reader.as_ref().and_then(|reader| reader.get("steps"));
        let body = steps.and_then(|steps| self.all(steps, inside).first);
        self.claims = claims;
        self.context.enter(file);
        body
    }

    fn find(&mut self, reader: &Reader<'_>) -> Option<std::rc::Rc<Fragment>> {
        let name = reader.text(self.context, "use")?;
        let found = self.library.fragment(&name);
        if found.is_none() {
            let span = reader.get("use").map_or(reader.at, |tree| tree.span);
            let message = format!("there is no fragment `{name}`");
            let known = self.library.fragments();
            let found = Diagnostic::new(codes::BAD_USE, span, message)
                .help("name its file under `uses`")
                .suggest(nearest(&name, known));
            self.context.report(found);
        }
        found
    }

    fn check_arguments(
        &mut self,
        reader: &Reader<'_>,
        parameters: &[String],
        with: &BTreeMap<String, Template>,
    ) {
        let given = match reader.get("with").map(|tree| &tree.kind) {
            Some(Kind::Map(entries)) => entries.as_slice(),
            _ => &[],
        };
        for entry in given.iter().filter(|e| !parameters.contains(&e.key)) {
            let message = format!("the fragment has no argument `{}`", entry.key);
            let known = parameters.iter().map(String::as_str);
            let found = Diagnostic::new(codes::BAD_USE, entry.key_span, message)
                .help(format!("its arguments are: {}", parameters.join(", ")))
                .suggest(nearest(&entry.key, known));
            self.context.report(found);
        }
        let written = |name: &String| given.iter().any(|e| e.key == *name);
        let missing = parameters.iter().filter(|p| !with.contains_key(*p));
        for name in missing.filter(|name| !written(name)) {
            let message = format!("the argument `{name}` of the fragment is missing");
            let found = Diagnostic::new(codes::BAD_USE, reader.key_span("use"), message);
            self.context.report(found);
        }
    }

    /// The place inside a block.
    fn scope(&mut self, reader: &Reader<'_>, place: &Place, timeout_ms: Option<i64>) -> Place {
        let catches = reader.get("catch").is_some_and(catches_compensated);
        let mut inside = match timeout_ms {
            Some(_) => place.inner(NO_PIVOT_IN_TIME),
            None if catches => place.inner(NO_PIVOT_TAKEN_BACK),
            None => place.clone(),
        };
        inside.narrow(timeout_ms, "the block");
        inside
    }

    fn scope_timeout(&mut self, head: &Head<'_, '_>, place: &Place) -> Option<i64> {
        let ms = head.reader.duration(self.context, "timeout")?;
        self.check_time(place, ms, ms, head.reader.key_span("timeout"));
        Some(ms)
    }

    /// Lowers an early end.
    pub(super) fn stop(&mut self, head: &Head<'_, '_>, place: &mut Place) -> Meaning {
        self.stops.push(place.names.sure());
        let outcome = head.reader.id(self.context, "stop");
        Meaning {
            is_end: true,
            ..Meaning::plain(outcome.map(|outcome| ir::Kind::End { outcome }))
        }
    }
}

const NO_PIVOT_IN_TIME: &str =
    "when the time of the block is over, a pivot could neither be finished nor taken back";

const NO_PIVOT_TAKEN_BACK: &str =
    "the block catches `compensated`, and the pivot is never compensated";

fn inner_names(parameters: &[String]) -> Names {
    let mut names = Names::new().with(&["saga", "now"]);
    parameters.iter().for_each(|name| names.define(name));
    names
}

fn catches_compensated(tree: &Tree) -> bool {
    match &tree.kind {
        Kind::Map(entries) => entries.iter().any(|e| e.key == "compensated"),
        _ => false,
    }
}

fn meaning(scope: Scope) -> Meaning {
    Meaning {
        outcomes: vec!["compensated".to_owned()],
        ..Meaning::plain(Some(ir::Kind::Scope(scope)))
    }
}
