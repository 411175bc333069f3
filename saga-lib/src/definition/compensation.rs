//! How a step is compensated: said by the step, else by the contract, else a mistake before the pivot.
//!
//! Absent on purpose: a compensation of the compensation. A refused one waits for an operator.

use super::codes;
use super::context::Context;
use super::contract::{Effect, Operation};
use super::data;
use super::diagnostic::Diagnostic;
use super::fields::COMPENSATE;
use super::names::Names;
use super::object::Reader;
use super::retry;
use super::tree::{Kind, Tree};
use super::uses::Library;
use crate::ir::{Compensation, Counter, StepKind, Target, Template};
use crate::mutant::{Mutant, planted};

/// How long an attempt may take, if nothing is said.
pub(super) const TIMEOUT_MS: i64 = 30_000;

/// What stands under `compensate`.
#[derive(Debug, Clone)]
pub(super) enum Undo {
    /// Declared: nothing to compensate.
    Nothing {
        /// Why.
        because: String,
    },
    /// By this command.
    Command {
        /// Who is asked.
        target: Target,
        /// Body; the forward request, if `None`.
        payload: Option<Template>,
    },
    /// It was reported.
    Broken,
}

/// Reads `compensate` and `because`; `None`, if they are absent. `id` is that of the step.
pub(super) fn undo(
    context: &mut Context,
    library: &Library<'_>,
    names: &Names,
    reader: &Reader<'_>,
    id: Option<&str>,
) -> Option<Undo> {
    let because = reader.text(context, "because");
    let Some(tree) = reader.get("compensate") else {
        if reader.has("because") {
            context.report(unexplained(reader, false));
            return Some(Undo::Broken);
        }
        return None;
    };
    let none = matches!(&tree.kind, Kind::Scalar { text, .. } if text == "none");
    if none != reader.has("because") {
        context.report(unexplained(reader, none));
        return Some(Undo::Broken);
    }
    if none {
        return Some(because.map_or(Undo::Broken, |because| Undo::Nothing { because }));
    }
    Some(command(context, library, names, tree, id).unwrap_or(Undo::Broken))
}

/// An operation, or a mapping with its body.
fn command(
    context: &mut Context,
    library: &Library<'_>,
    names: &Names,
    tree: &Tree,
    id: Option<&str>,
) -> Option<Undo> {
    let (target, payload) = match &tree.kind {
        Kind::Map(_) => {
            let reader = Reader::open(context, tree, &COMPENSATE)?;
            let command = reader.get("command");
            let target = command.and_then(|tree| library.target(context, tree));
            let names = names_of_compensation(names, id);
            let given = reader.get("with");
            let payload = given.map(|tree| data::template(context, &names, tree));
            (target, payload.map_or(Some(None), |p| p.map(Some)))
        }
        _ => (library.target(context, tree), Some(None)),
    };
    Some(Undo::Command {
        target: target?,
        payload: payload?,
    })
}

/// The compensation of an operation that is executed as `kind`; `None` was reported.
pub(super) fn compensation(
    context: &mut Context,
    library: &Library<'_>,
    reader: &Reader<'_>,
    operation: &Operation,
    kind: StepKind,
    own: Option<Undo>,
) -> Option<Compensation> {
    if kind != StepKind::Compensatable {
        if !planted(Mutant::C1CompensatableAfterPivot) {
            refuse(context, reader, kind);
        }
        return Some(Compensation::NotApplicable);
    }
    if operation.effect == Effect::None {
        refuse(context, reader, StepKind::ReadOnly);
        return Some(only_reads());
    }
    let is_final = operation.effect == Effect::Final;
    let contract = operation.undo.clone().filter(|_| !is_final);
    match own.or(contract) {
        Some(Undo::Command { .. }) if is_final => {
            context.report(not_undone(reader, &operation.target.operation));
            None
        }
        Some(Undo::Command { target, payload }) => {
            let counter = library.operation(&target);
            Some(Compensation::Command(Box::new(counter_of(
                &counter, payload,
            ))))
        }
        Some(Undo::Nothing { because }) => Some(Compensation::Nothing { because }),
        Some(Undo::Broken) => None,
        None if planted(Mutant::B6UndeclaredIsAccepted) => Some(Compensation::NotApplicable),
        None => {
            context.report(undeclared(reader, operation));
            None
        }
    }
}

/// The compensation of a second provider that only reads, where the first one has to be compensated.
pub(super) fn only_reads() -> Compensation {
    Compensation::Nothing {
        because: "the operation only reads".to_owned(),
    }
}

/// The compensation that the contract of `operation` declares.
pub(super) fn by_contract(library: &Library<'_>, operation: &Operation) -> Option<Compensation> {
    match operation.undo.clone()? {
        Undo::Command { target, payload } => {
            let counter = library.operation(&target);
            Some(Compensation::Command(Box::new(counter_of(
                &counter, payload,
            ))))
        }
        Undo::Nothing { because } => Some(Compensation::Nothing { because }),
        Undo::Broken => None,
    }
}

fn counter_of(operation: &Operation, payload: Option<Template>) -> Counter {
    Counter {
        target: operation.target.clone(),
        payload,
        timeout_ms: operation.timeout_ms.unwrap_or(TIMEOUT_MS),
        retry: retry::COMPENSATION,
        success: operation.success.clone(),
        refusal: operation.refusal.clone(),
        types: operation.types.clone(),
        outcome: operation.outcome.clone(),
    }
}

/// What the body of a compensation may read. A step whose outcome is unknown is compensated too, and then there is no reply; and the
/// body is computed when the step completes, before anything has failed.
fn names_of_compensation(names: &Names, id: Option<&str>) -> Names {
    let reply = "there is no reply if the outcome is unknown: use `request`";
    let error = "the body is computed when the step completes, before anything failed";
    let mut names = names.with(&["request"]).without("error", error);
    names.define_only_asked("reply", ASK_FOR_REPLY);
    match id {
        Some(id) => names.without(id, reply),
        None => names,
    }
}

const ASK_FOR_REPLY: &str =
    "there is no reply if the outcome is unknown: use `request`, or `has(reply.field) ? ... : ...`";

fn refuse(context: &mut Context, reader: &Reader<'_>, kind: StepKind) {
    for name in ["compensate", "because"] {
        if reader.has(name) {
            let later = "remove it, or move `pivot: true` to a later step";
            let (place, help) = match kind {
                StepKind::Pivot => ("the pivot is never compensated", later),
                StepKind::ReadOnly => ("the operation only reads, says its contract", "remove it"),
                _ => ("a step after the pivot is never compensated", later),
            };
            let message = format!("`{name}` has no meaning here: {place}");
            let span = reader.key_span(name);
            context.report(Diagnostic::new(codes::USELESS_COMPENSATION, span, message).help(help));
        }
    }
}

fn undeclared(reader: &Reader<'_>, operation: &Operation) -> Diagnostic {
    let span = reader.key_span("command");
    let found = Diagnostic::new(
        codes::NO_COMPENSATION,
        span,
        "this step does not say how it is compensated",
    );
    if operation.effect == Effect::Final {
        return found
            .label("its effect is final, says its contract, and a later step may still fail")
            .help("move it after the pivot, make it the pivot, or accept it: `compensate: none` with `because: <reason>`");
    }
    found
        .label("if a later step fails, this one is taken back")
        .help("add `compensate: <operation>`, or `compensate: none` with `because: <reason>`")
}

fn not_undone(reader: &Reader<'_>, operation: &str) -> Diagnostic {
    let message = format!("`{operation}` cannot be compensated");
    Diagnostic::new(
        codes::NO_COMPENSATION,
        reader.key_span("compensate"),
        message,
    )
    .label("its effect is final, says its contract")
    .help("move the step after the pivot, or write `compensate: none` with `because: <reason>`")
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
