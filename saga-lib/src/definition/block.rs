//! `block`, `use` and `stop`: steps held together, steps from elsewhere, and the early end.
//!
//! A fragment sees its arguments, `saga` and `now`, and nothing of the saga around it, so that it means the same wherever it is used.
//!
//! Absent on purpose: fragments that call themselves. A cycle is refused.

use super::diagnostic::Span;
use super::fields::FRAGMENT;
use super::fragment;
use super::object::Reader;
use super::place::Place;
use super::step::{Head, Lowering, Meaning};
use super::tree::{Kind, Tree};
use super::uses::Fragment;
use crate::ir::{self, Scope};

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
        let Some(fragment) = fragment::find(self.context, self.library, reader) else {
            return Meaning::default();
        };
        fragment::check_arguments(self.context, reader, &fragment.parameters, &with);
        let mut inside = self.scope(reader, place, timeout_ms);
        inside.names = fragment::inner_names(&fragment.parameters);
        let id = head.id.unwrap_or_default().to_owned();
        let name = reader.text(self.context, "use").unwrap_or_default();
        if self.expanding.iter().any(|(_, open)| *open == name) {
            fragment::uses_itself(self.context, reader, &name);
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
        for name in &fragment.parameters {
            let span = reader
                .as_ref()
                .map_or(Span::default(), |r| r.key_span("with"));
            self.claims.claim(self.context, name, "an argument", span);
        }
        let steps = reader.as_ref().and_then(|reader| reader.get("steps"));
        let body = steps.and_then(|steps| self.all(steps, inside).first);
        self.claims = claims;
        self.context.enter(file);
        body
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
