//! The `command` step: request, reply, compensation, retry.
//!
//! Absent on purpose: contracts. Without them `credit.reserve` means topic `credit.commands`, type `reserve`, outcomes ok and refused.

use super::check::Names;
use super::codes;
use super::context::Context;
use super::diagnostic::Diagnostic;
use super::fields::{AFTER, COMPENSATE, RETRY};
use super::object::Reader;
use super::scalar;
use super::tree::{Kind, Tree};
use crate::ir::{Compensation, Counter, Jitter, Retry, Send, StepKind};

/// How long an attempt may take, if nothing is said.
const TIMEOUT_MS: i64 = 30_000;

/// Attempts, spacing and spread, if nothing is said.
const RETRY_DEFAULT: Retry = Retry {
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
const RETRY_COMPENSATION: Retry = Retry {
    max: None,
    cap_ms: 300_000,
    ..RETRY_DEFAULT
};

/// Lowers a command whose place relative to the pivot is `kind`.
pub(super) fn lower(
    context: &mut Context<'_>,
    names: &Names,
    reader: &Reader<'_>,
    kind: StepKind,
    id: Option<&str>,
) -> Option<Send> {
    let target = reader.operation(context, "command");
    let payload = reader.data(context, names, "with");
    let key = reader.expression(context, names, "key");
    let keep = reader.named_data(context, &names.with(&["reply"]), "keep");
    reader.flag(context, "pivot");
    let compensation = compensation(context, names, reader, kind, id);
    let timeout_ms = reader.duration(context, "timeout").unwrap_or(TIMEOUT_MS);
    let retry = retry(context, reader, kind);
    Some(Send {
        target: target?,
        payload: payload?,
        key,
        keep,
        kind,
        success: vec!["ok".to_owned()],
        refusal: vec!["refused".to_owned()],
        compensation: compensation?,
        timeout_ms,
        retry,
        types: std::collections::BTreeMap::new(),
        outcome: None,
        fallback: None,
        query: None,
    })
}

fn compensation(
    context: &mut Context<'_>,
    names: &Names,
    reader: &Reader<'_>,
    kind: StepKind,
    id: Option<&str>,
) -> Option<Compensation> {
    if kind != StepKind::Compensatable {
        refuse_compensation(context, reader, kind);
        return Some(Compensation::NotApplicable);
    }
    let Some(tree) = reader.get("compensate") else {
        context.report(uncompensated(reader));
        return None;
    };
    let none = matches!(&tree.kind, Kind::Scalar { text, .. } if text == "none");
    let because = reader.text(context, "because");
    if none != reader.get("because").is_some() {
        context.report(unexplained(reader, none));
        return None;
    }
    if none {
        return because.map(|because| Compensation::Nothing { because });
    }
    counter_command(context, names, tree, id)
}

/// An operation, or a mapping with its body.
fn counter_command(
    context: &mut Context<'_>,
    names: &Names,
    tree: &Tree,
    id: Option<&str>,
) -> Option<Compensation> {
    let (target, payload) = match &tree.kind {
        Kind::Map(_) => {
            let reader = Reader::open(context, tree, &COMPENSATE)?;
            let target = reader.operation(context, "command");
            let names = names_of_compensation(names, id);
            let given = reader.get("with").is_some();
            let payload = given.then(|| reader.data(context, &names, "with"));
            (target, payload.map_or(Some(None), |p| p.map(Some)))
        }
        _ => (scalar::operation(context, tree), Some(None)),
    };
    Some(Compensation::Command(Box::new(Counter {
        target: target?,
        payload: payload?,
        timeout_ms: TIMEOUT_MS,
        retry: RETRY_COMPENSATION,
        success: vec!["ok".to_owned()],
        refusal: vec!["refused".to_owned()],
        types: std::collections::BTreeMap::new(),
        outcome: None,
    })))
}

/// What the body of a compensation may read. A step whose outcome is unknown is compensated too, and then there is no reply; and the
/// body is computed when the step completes, before anything has failed.
fn names_of_compensation(names: &Names, id: Option<&str>) -> Names {
    let reply = "there is no reply if the outcome is unknown: use `request`";
    let error = "the body is computed when the step completes, before anything failed";
    let names = names
        .with(&["request"])
        .without("reply", reply)
        .without("error", error);
    match id {
        Some(id) => names.without(id, reply),
        None => names,
    }
}

fn refuse_compensation(context: &mut Context<'_>, reader: &Reader<'_>, kind: StepKind) {
    for name in ["compensate", "because"] {
        if reader.get(name).is_some() {
            let place = match kind {
                StepKind::Pivot => "the pivot is never compensated",
                _ => "a step after the pivot is never compensated",
            };
            let message = format!("`{name}` has no meaning here: {place}");
            let span = reader.key_span(name);
            context.report(
                Diagnostic::new(codes::USELESS_COMPENSATION, span, message)
                    .help("remove it, or move `pivot: true` to a later step"),
            );
        }
    }
}

fn uncompensated(reader: &Reader<'_>) -> Diagnostic {
    let span = reader.key_span("command");
    let message = "this step does not say how it is compensated";
    Diagnostic::new(codes::NO_COMPENSATION, span, message)
        .label("if a later step fails, this one is taken back")
        .help("add `compensate: <operation>`, or `compensate: none` with `because: <reason>`")
}

fn unexplained(reader: &Reader<'_>, none: bool) -> Diagnostic {
    let (name, message, help) = if none {
        let help = "add `because: <reason>`";
        ("compensate", "`compensate: none` needs a reason", help)
    } else {
        let help = "remove it, or write `compensate: none`";
        ("because", "`because` belongs to `compensate: none`", help)
    };
    Diagnostic::new(codes::NO_REASON, reader.key_span(name), message).help(help)
}

fn retry(context: &mut Context<'_>, reader: &Reader<'_>, kind: StepKind) -> Retry {
    let Some(tree) = reader.get("retry") else {
        return RETRY_DEFAULT;
    };
    if matches!(tree.kind, Kind::Map(_)) {
        return spacing(context, tree).unwrap_or(RETRY_DEFAULT);
    }
    let max = match scalar::one_of(context, tree, &["none", "forever"]) {
        Some("none") => Some(1),
        Some("forever") => {
            check_endless(context, tree, kind);
            None
        }
        _ => RETRY_DEFAULT.max,
    };
    Retry {
        max,
        ..RETRY_DEFAULT
    }
}

fn check_endless(context: &mut Context<'_>, tree: &Tree, kind: StepKind) {
    if kind == StepKind::Retriable {
        return;
    }
    let message = "only a step after the pivot may be retried for ever";
    let found = Diagnostic::new(codes::ENDLESS_RETRY, tree.span, message)
        .label("here the saga could still turn back, and would never do so")
        .help("bound it: `retry: { max: 20 }`");
    context.report(found);
}

fn spacing(context: &mut Context<'_>, tree: &Tree) -> Option<Retry> {
    let reader = Reader::open(context, tree, &RETRY)?;
    let base = RETRY_DEFAULT;
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

fn jitter(context: &mut Context<'_>, reader: &Reader<'_>) -> Jitter {
    match reader.word(context, "jitter") {
        Some("none") => Jitter::None,
        Some("equal") => Jitter::Equal,
        _ => Jitter::Full,
    }
}

/// What is tried again; `None`, if nothing is said.
fn after(context: &mut Context<'_>, reader: &Reader<'_>) -> Option<Vec<&'static str>> {
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
