//! `retry`: attempts and their spacing.
//!
//! Absent on purpose: what happens after the last attempt (see [`super::catch`] and the engine's defaults).

use super::codes;
use super::context::Context;
use super::diagnostic::Diagnostic;
use super::fields::{AFTER, RETRY};
use super::object::Reader;
use super::scalar;
use super::tree::{Kind, Tree};
use crate::ir::{Jitter, Retry, StepKind};

/// Attempts, spacing and spread, if nothing is said.
const DEFAULT: Retry = Retry {
    max: Some(5),
    first_ms: 200,
    factor: 2.0,
    cap_ms: 10_000,
    jitter: Jitter::Full,
    within_ms: None,
    after_failed: true,
    after_timeout: true,
};

/// A compensation has no last attempt.
pub(super) const COMPENSATION: Retry = Retry {
    max: None,
    cap_ms: 300_000,
    ..DEFAULT
};

/// Lowers the retry of a step whose place relative to the pivot is `kind`.
pub(super) fn retry(context: &mut Context, reader: &Reader<'_>, kind: StepKind) -> Retry {
    let Some(tree) = reader.get("retry") else {
        return DEFAULT;
    };
    if matches!(tree.kind, Kind::Map(_)) {
        return spacing(context, tree).unwrap_or(DEFAULT);
    }
    let max = match scalar::one_of(context, tree, &["none", "forever"]) {
        Some("none") => Some(1),
        Some("forever") => {
            check_endless(context, tree, kind);
            None
        }
        _ => DEFAULT.max,
    };
    Retry { max, ..DEFAULT }
}

/// How long all attempts may take together, waits included; `None` is for ever.
pub(super) fn whole_ms(retry: &Retry, timeout_ms: i64) -> Option<i64> {
    if !retry.after_timeout {
        return Some(timeout_ms);
    }
    let attempts = retry.max?;
    let mut whole = timeout_ms;
    let mut wait = retry.first_ms as f64;
    for _ in 1..attempts {
        let pause = wait.min(retry.cap_ms as f64) as i64;
        whole = whole.saturating_add(timeout_ms).saturating_add(pause);
        wait *= retry.factor;
    }
    let within = retry.within_ms.map(|ms| ms.saturating_add(timeout_ms));
    Some(within.map_or(whole, |within| whole.min(within)))
}

fn check_endless(context: &mut Context, tree: &Tree, kind: StepKind) {
    if kind == StepKind::Retriable {
        return;
    }
    let message = "only a step after the pivot may be retried for ever";
    let found = Diagnostic::new(codes::ENDLESS_RETRY, tree.span, message)
        .label("here the saga could still turn back, and would never do so")
        .help("bound it: `retry: { max: 20 }`");
    context.report(found);
}

fn spacing(context: &mut Context, tree: &Tree) -> Option<Retry> {
    let reader = Reader::open(context, tree, &RETRY)?;
    let base = DEFAULT;
    let max = reader.integer(context, "max");
    let after = after(context, &reader);
    let tried = |word| after.as_ref().is_none_or(|words| words.contains(&word));
    Some(Retry {
        max: max.and_then(|n| u32::try_from(n).ok()).or(base.max),
        first_ms: reader.duration(context, "first").unwrap_or(base.first_ms),
        factor: reader.number(context, "factor").unwrap_or(base.factor),
        cap_ms: reader.duration(context, "cap").unwrap_or(base.cap_ms),
        jitter: jitter(context, &reader),
        within_ms: reader.duration(context, "within"),
        after_failed: tried("failed"),
        after_timeout: tried("timeout"),
    })
}

fn jitter(context: &mut Context, reader: &Reader<'_>) -> Jitter {
    match reader.word(context, "jitter") {
        Some("none") => Jitter::None,
        Some("equal") => Jitter::Equal,
        _ => Jitter::Full,
    }
}

/// What is tried again; `None`, if nothing is said.
fn after(context: &mut Context, reader: &Reader<'_>) -> Option<Vec<&'static str>> {
    let tree = reader.get("after")?;
    let Kind::List(items) = &tree.kind else {
        context.wrong_shape(tree, "a list of failed, timeout");
        return None;
    };
    let words = items
        .iter()
        .filter_map(|item| scalar::one_of(context, item, AFTER));
    Some(words.collect())
}
