//! Does the body of a compensation in Avro fit its schema?
//!
//! Most often nobody writes it: it is the body of the step. If it did not fit, that would show when the saga turns back, and park it with
//! its effect in place.
//!
//! Absent on purpose: types of values; the body may be written in a contract, where a saga's names have none.

use super::codes;
use super::context::Context;
use super::diagnostic::Diagnostic;
use super::object::Reader;
use super::types::{Slot, Type};
use super::uses::Library;
use crate::ir::{Compensation, Send, Template};

/// Compares the compensation of a step with its Avro type, if it has one.
pub(super) fn check(
    context: &mut Context,
    library: &Library<'_>,
    reader: &Reader<'_>,
    send: &Send,
) {
    let Compensation::Command(counter) = &send.compensation else {
        return;
    };
    let (target, own) = (&counter.target, counter.payload.as_ref());
    let Some(slot) = library.formats.slot(&target.topic, &target.r#type) else {
        return;
    };
    let mut wrong = Vec::new();
    misfits(&slot, own.unwrap_or(&send.payload), "", &mut wrong);
    if wrong.is_empty() {
        return;
    }
    let at = match reader.has("compensate") {
        true => "compensate",
        false => "command",
    };
    let (operation, r#type, wrong) = (&target.operation, &target.r#type, wrong.join(", "));
    let message = format!("the body of the compensation `{operation}` is no `{type}`: {wrong}");
    let help = "`compensate: { command, with }` gives it a body of its own; without `with` it is that of the step";
    let found = Diagnostic::new(codes::NO_AVRO, reader.key_span(at), message).help(help);
    context.report(found);
}

/// Fields that are too many or too few, with their path.
fn misfits(slot: &Slot, body: &Template, path: &str, wrong: &mut Vec<String>) {
    let (
        Type::Record {
            fields,
            open: false,
        },
        Template::Object(given),
    ) = (&slot.r#type, body)
    else {
        return;
    };
    for (name, value) in given {
        match fields.get(name) {
            Some(slot) => misfits(slot, value, &format!("{path}{name}."), wrong),
            None => wrong.push(format!("it has no field `{path}{name}`")),
        }
    }
    let needed = fields
        .iter()
        .filter(|(_, slot)| slot.required && !slot.nullable);
    let missing = needed.filter(|(name, _)| !given.contains_key(*name));
    wrong.extend(missing.map(|(name, _)| format!("it needs `{path}{name}`")));
}
