//! `deadline`: the bound on the whole instance.
//!
//! Absent on purpose: a default. A saga without one says so by leaving it out.

use super::codes;
use super::context::Context;
use super::diagnostic::Diagnostic;
use super::fields::DEADLINE;
use super::object::Reader;
use super::scalar;
use super::time;
use super::tree::{Kind, Tree};
use crate::ir::{Deadline, Directive};

/// Lowers `deadline`, if it is there.
pub(super) fn lower(context: &mut Context, header: &Reader<'_>) -> Option<Deadline> {
    let tree = header.get("deadline")?;
    if !matches!(tree.kind, Kind::Map(_)) {
        let after_ms = header.duration(context, "deadline")?;
        return Some(Deadline {
            after_ms,
            then: Directive::Compensate,
            warn_ms: None,
        });
    }
    let reader = Reader::open(context, tree, &DEADLINE)?;
    let after_ms = reader.duration(context, "after");
    let then = match reader.word(context, "then") {
        Some("park") => Directive::Park,
        _ => Directive::Compensate,
    };
    let warn = reader.get("warn");
    let warn_ms = warn.and_then(|tree| warning(context, tree, after_ms?));
    Some(Deadline {
        after_ms: after_ms?,
        then,
        warn_ms,
    })
}

/// When the warning is due, ms after the start.
fn warning(context: &mut Context, tree: &Tree, after_ms: i64) -> Option<i64> {
    let text = scalar::text(context, tree, "a percentage or a duration")?;
    let ms = time::percent_of(text, after_ms).or_else(|| time::duration_ms(text));
    let ms = ms.filter(|ms| (1..after_ms).contains(ms));
    if ms.is_none() {
        let message = format!("`{text}` is not a part of the deadline");
        let found = Diagnostic::new(codes::BAD_DURATION, tree.span, message)
            .help("write 1% to 99%, or a duration shorter than the deadline");
        context.report(found);
    }
    ms
}
