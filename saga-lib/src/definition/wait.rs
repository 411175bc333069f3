//! `await` and `delay`: waiting for events and for time.
//!
//! An event is found by the saga's own key. A key of its own kind, compared with anything but the key of the start, would need an index
//! of what every instance waits for.
//!
//! For the same reason a saga whose instances share a key (`duplicates: new`) cannot wait for an event: its instances have ids of their
//! own beside the key, and the event has not.
//!
//! Absent on purpose: that index.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::catch::is_own_outcome;
use super::codes;
use super::diagnostic::{Diagnostic, Span};
use super::fields::{ALTERNATIVE, AWAITED, UNTIL};
use super::names::Names;
use super::object::Reader;
use super::place::Place;
use super::scalar;
use super::step::{Head, Lowering, Meaning};
use super::time;
use super::tree::{Kind, Tree};
use super::types::Slot;
use crate::ir::{self, Await, Rung, RungAction, Template, Wait};

impl Lowering<'_> {
    /// Lowers a wait for events.
    pub(super) fn wait(&mut self, head: &Head<'_, '_>, place: &mut Place) -> Meaning {
        let reader = head.reader;
        let events = match reader.get("await") {
            Some(tree) => self.events(tree, place),
            None => Vec::new(),
        };
        let mut names = place.names.clone();
        let slot = self.payload(&events, reader);
        names.define_typed("event", slot.clone());
        let keep = reader.named_data(self.context, &names, "keep");
        let slot = match &keep {
            Some(keep) => {
                let kept = names.type_of_data(&Template::Object(keep.clone()));
                Some(Rc::new(Slot::of(kept)))
            }
            None => slot,
        };
        let timeout = reader.duration(self.context, "timeout");
        self.check_reached(reader);
        self.check_end(reader, place, timeout);
        let ladder = timeout.map(|ms| rung(ms, "timeout")).into_iter().collect();
        let success = events.iter().map(|event| event.name.clone()).collect();
        let wait = Wait {
            events,
            ladder,
            until: None,
            keep,
        };
        Meaning {
            kind: Some(ir::Kind::Wait(wait)),
            success,
            has_result: true,
            slot,
            ..Meaning::default()
        }
    }

    /// What is known of the event, if there is only one.
    fn payload(&mut self, events: &[Await], reader: &Reader<'_>) -> Option<Rc<Slot>> {
        let [event] = events else { return None };
        let span = reader.key_span("await");
        let name = event.r#type.as_deref()?;
        self.library.any_schema(self.context, name, span)
    }

    fn events(&mut self, tree: &Tree, place: &Place) -> Vec<Await> {
        let Kind::List(items) = &tree.kind else {
            let reader = Reader::open(self.context, tree, &AWAITED);
            return reader
                .and_then(|reader| self.event(&reader, place, "ok".to_owned()))
                .into_iter()
                .collect();
        };
        if items.is_empty() {
            let found = Diagnostic::new(codes::EMPTY, tree.span, "no event to wait for");
            self.context.report(found);
        }
        let mut taken = BTreeSet::new();
        let mut events = Vec::new();
        for item in items {
            let Some(reader) = Reader::open(self.context, item, &ALTERNATIVE) else {
                continue;
            };
            let name = reader.id(self.context, "name").unwrap_or_default();
            let span = reader.get("name").map_or(reader.at, |tree| tree.span);
            is_own_outcome(self.context, "an alternative", &name, span);
            if !name.is_empty() && !taken.insert(name.clone()) {
                let message = format!("the name `{name}` is taken");
                let found = Diagnostic::new(codes::NAME_TAKEN, span, message)
                    .label("another alternative has it");
                self.context.report(found);
            }
            events.extend(self.event(&reader, place, name));
        }
        events
    }

    fn event(&mut self, reader: &Reader<'_>, place: &Place, name: String) -> Option<Await> {
        let topic = reader.topic(self.context, "topic");
        let r#type = reader.text(self.context, "type");
        let span = reader.key_span("type");
        let slot = r#type.as_deref();
        let slot = slot.and_then(|name| self.library.any_schema(self.context, name, span));
        let mut own = event_names();
        own.define_typed("event", slot.clone());
        let key = reader.expression(self.context, &own, "key");
        self.check_is(reader);
        let mut names = place.names.clone();
        names.define_typed("event", slot);
        let filter = reader.expression(self.context, &names, "where");
        Some(Await {
            name,
            topic: topic?,
            r#type,
            key: key?,
            filter,
        })
    }

    /// The key must be the saga's own.
    fn check_is(&mut self, reader: &Reader<'_>) {
        let Some(tree) = reader.get("is") else { return };
        let Some(text) = scalar::text(self.context, tree, "the key of the start, `=...`") else {
            return;
        };
        let text = text.to_owned();
        let found = match text.strip_prefix('=').map(str::trim) {
            Some(expression) if self.keys.iter().all(|key| key == expression) => return,
            Some(_) => {
                let message = "another key than that of the start comes with a later release";
                let keys = self.keys.join("`, `");
                Diagnostic::new(codes::NOT_SUPPORTED, tree.span, message)
                    .label(format!("the key of the start is `{keys}`"))
                    .help("leave `is` out, or start the saga with this key")
            }
            None => Diagnostic::new(codes::BAD_EXPRESSION, tree.span, "`is` is an expression")
                .help(format!("write it as data: ={text}")),
        };
        self.context.report(found);
    }

    /// Can the event find the instance?
    fn check_reached(&mut self, reader: &Reader<'_>) {
        if self.recurs {
            let span = reader.key_span("await");
            let message = "this event would find no instance";
            let found = Diagnostic::new(codes::UNREACHED_WAIT, span, message)
                .label("`duplicates: new` gives several instances one key, and an event says only the key")
                .help("start with a key that tells the instances apart, or ask with a `command`: its reply names the instance");
            self.context.report(found);
        }
    }

    /// Does the wait end, even if the event does not come?
    fn check_end(&mut self, reader: &Reader<'_>, place: &Place, timeout: Option<i64>) {
        if let Some(ms) = timeout {
            self.check_time(place, ms, ms, reader.key_span("timeout"));
        } else if place.limit.is_none() && reader.get("timeout").is_none() {
            let span = reader.key_span("await");
            let message = "this wait never ends if the event does not come";
            let found = Diagnostic::warning(codes::ENDLESS_WAIT, span, message)
                .help("add `timeout` to the step, or `deadline` to the saga");
            self.context.report(found);
        }
    }

    /// Lowers a wait for a time.
    pub(super) fn delay(&mut self, head: &Head<'_, '_>, place: &mut Place) -> Meaning {
        let Some(tree) = head.reader.get("delay") else {
            return Meaning::default();
        };
        let wait = match &tree.kind {
            Kind::Map(_) => Reader::open(self.context, tree, &UNTIL).map(|reader| Wait {
                until: reader.expression(self.context, &place.names, "until"),
                ..Wait::default()
            }),
            _ => head.reader.duration(self.context, "delay").map(|ms| {
                self.check_time(place, ms, ms, tree.span);
                Wait {
                    ladder: vec![rung(ms, "ok")],
                    ..Wait::default()
                }
            }),
        };
        Meaning::plain(wait.map(ir::Kind::Wait))
    }

    /// Reports a time that is longer than what stands around it: `once` for one attempt, `whole` for all of them.
    pub(super) fn check_time(&mut self, place: &Place, once: i64, whole: i64, span: Span) {
        let Some(limit) = place.limit else { return };
        let outer = time::in_words(limit.ms);
        let found = if once >= limit.ms {
            let message = format!(
                "{} is not shorter than what is around it",
                time::in_words(once)
            );
            Diagnostic::new(codes::OUTLIVES, span, message)
                .label(format!("the time of {} is {outer}", limit.owner))
                .help("make the inner time shorter or the outer one longer")
        } else if whole > limit.ms {
            let message = format!("all attempts together may take {}", time::in_words(whole));
            Diagnostic::warning(codes::SLOW_ATTEMPTS, span, message)
                .label(format!("the time of {} is {outer}", limit.owner))
                .help(
                    "fewer attempts or a shorter `timeout`, so that the last attempt still counts",
                )
        } else {
            return;
        };
        self.context.report(found);
    }
}

/// In the key of an awaited event nothing of the saga is known: it is computed to find the saga.
fn event_names() -> Names {
    let mut names = Names::new().with(&["event"]);
    for name in ["saga", "now"] {
        names.refuse(
            name,
            "the key is computed to find the saga: only `event` is known",
        );
    }
    names
}

fn rung(after_ms: i64, outcome: &str) -> Rung {
    Rung {
        after_ms,
        repeat_ms: None,
        action: RungAction::Route(outcome.to_owned()),
    }
}
