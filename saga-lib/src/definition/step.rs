//! Steps: one verb each, in order.
//!
//! Invariants of the nodes: their order is that of the steps, and each leads to the next.
//!
//! Absent on purpose: nesting. Blocks, choices and parallel branches come with a later release.

use super::check::{Claims, Names};
use super::codes;
use super::command;
use super::context::Context;
use super::data;
use super::diagnostic::{Diagnostic, Span};
use super::fields::{VERBS, Verb};
use super::finally;
use super::object::{Reader, meant_in_step, not_supported, unknown_in_step};
use super::tree::{Entry, Kind, Tree};
use crate::ir::{self, Node, NodeIx, StepKind};

/// Lowers the list under `steps`.
pub(super) fn lower(
    context: &mut Context<'_>,
    header: &Reader<'_>,
    claims: &mut Claims,
    names: &mut Names,
) -> Vec<Node> {
    let Some(tree) = header.get("steps") else {
        return Vec::new();
    };
    let items = items(context, tree);
    let steps: Vec<Outline<'_>> = items.iter().map(|t| Outline::of(context, t)).collect();
    check_ids(context, claims, &steps);
    let pivot = pivot(context, &steps);
    for step in steps.iter().filter(|step| step.has_result()) {
        let id = step.id.unwrap_or_default();
        names.refuse(id, "this step comes later");
    }
    let mut nodes = Vec::new();
    for (position, step) in steps.iter().enumerate() {
        let kind = kind(position, pivot);
        nodes.extend(step.lower(context, names, position, kind));
        if let Some(id) = step.id.filter(|_| step.has_result()) {
            names.define(id);
        }
    }
    link(&mut nodes);
    nodes
}

fn items<'t>(context: &mut Context<'_>, tree: &'t Tree) -> &'t [Tree] {
    match &tree.kind {
        Kind::List(items) if items.is_empty() => {
            let message = "a saga needs at least one step";
            context.report(Diagnostic::new(codes::EMPTY, tree.span, message));
            items
        }
        Kind::List(items) => items,
        _ => {
            context.wrong_shape(tree, "a list of steps");
            &[]
        }
    }
}

/// A step as far as its neighbours need to know it.
struct Outline<'t> {
    tree: &'t Tree,
    verb: Option<&'static Verb>,
    id: Option<&'t str>,
    id_span: Span,
    pivot: Option<Span>,
}

impl<'t> Outline<'t> {
    fn of(context: &mut Context<'_>, tree: &'t Tree) -> Self {
        let Kind::Map(entries) = &tree.kind else {
            context.wrong_shape(tree, "a mapping: a step");
            return Self::empty(tree);
        };
        let id = scalar(entries, "id");
        let pivot = scalar(entries, "pivot").filter(|(value, _)| *value == "true");
        Self {
            tree,
            verb: verb(context, tree, entries),
            id: id.map(|(text, _)| text),
            id_span: id.map_or(tree.span, |(_, span)| span),
            pivot: pivot.map(|(_, span)| span),
        }
    }

    fn empty(tree: &'t Tree) -> Self {
        Self {
            tree,
            verb: None,
            id: None,
            id_span: tree.span,
            pivot: None,
        }
    }

    /// Does it leave something under its id? Steps that could not be read count: their mistake is reported already.
    fn has_result(&self) -> bool {
        !matches!(self.verb.map(|verb| verb.name), Some("publish" | "set"))
    }

    fn lower(
        &self,
        context: &mut Context<'_>,
        names: &Names,
        position: usize,
        kind: StepKind,
    ) -> Option<Node> {
        let verb = self.verb.filter(|verb| verb.part.is_supported())?;
        let reader = Reader::open(context, self.tree, verb.object)?;
        let id = reader.id(context, "id");
        reader.text(context, "label");
        let when = reader.expression(context, names, "when");
        let kind = match verb.name {
            "command" => command::lower(context, names, &reader, kind, self.id)
                .map(|send| ir::Kind::Send(Box::new(send))),
            "publish" => finally::publish(context, names, &reader).map(ir::Kind::Publish),
            _ => set(context, names, &reader),
        };
        Some(Node {
            when,
            ..Node::new(id.unwrap_or_else(|| format!("_{}", position + 1)), kind?)
        })
    }
}

/// The one verb of a step.
fn verb(context: &mut Context<'_>, tree: &Tree, entries: &[Entry]) -> Option<&'static Verb> {
    let mut verbs = entries
        .iter()
        .filter_map(|e| Some((VERBS.iter().find(|v| v.name == e.key)?, e.key_span)));
    let Some((verb, span)) = verbs.next() else {
        // A misspelt verb is reported as an unknown key; what stands beside it is read as that verb's, to find its mistakes too.
        if let Some(meant) = entries.iter().find_map(|e| meant_verb(&e.key)) {
            return Some(meant);
        }
        no_verb(context, tree, entries);
        return None;
    };
    if !verb.part.is_supported() {
        not_supported(context, verb.name, span);
        return Some(verb);
    }
    if let Some((second, span)) = verbs.next() {
        let message = format!("a step has one verb, this one has `{}` too", second.name);
        let found = Diagnostic::new(codes::SEVERAL_VERBS, span, message)
            .label(format!("`{}` is its first verb", verb.name));
        context.report(found);
        return None;
    }
    Some(verb)
}

/// The verb that a key no step has was meant to be.
fn meant_verb(key: &str) -> Option<&'static Verb> {
    let known = VERBS.iter().any(|v| v.object.field(key).is_some());
    let meant = meant_in_step(key).filter(|_| !known)?;
    VERBS
        .iter()
        .find(|v| v.name == meant && v.part.is_supported())
}

/// Reports keys that no verb claims; if there are none, that the step has no verb.
fn no_verb(context: &mut Context<'_>, tree: &Tree, entries: &[Entry]) {
    let known = |key: &str| VERBS.iter().any(|v| v.object.field(key).is_some());
    let mut strange = entries.iter().filter(|e| !known(&e.key)).peekable();
    if strange.peek().is_none() {
        let at = entries.first().map_or(tree.span, |e| e.key_span);
        let supported = VERBS.iter().filter(|v| v.part.is_supported());
        let verbs: Vec<&str> = supported.map(|v| v.name).collect();
        let found = Diagnostic::new(codes::NO_VERB, at, "this step has no verb")
            .help(format!("a step has one of {}", verbs.join(", ")));
        context.report(found);
    }
    for entry in strange {
        let meant = meant_in_step(&entry.key);
        context.report(unknown_in_step(&entry.key, entry.key_span, meant));
    }
}

fn scalar<'t>(entries: &'t [Entry], name: &str) -> Option<(&'t str, Span)> {
    let entry = entries.iter().find(|e| e.key == name)?;
    match &entry.value.kind {
        Kind::Scalar { text, .. } => Some((text, entry.value.span)),
        _ => None,
    }
}

fn check_ids(context: &mut Context<'_>, claims: &mut Claims, steps: &[Outline<'_>]) {
    for step in steps {
        if let Some(id) = step.id {
            claims.claim(context, id, "the step", step.id_span);
        }
    }
}

/// Position of the pivot; reports every further one.
fn pivot(context: &mut Context<'_>, steps: &[Outline<'_>]) -> Option<usize> {
    let mut pivots = steps
        .iter()
        .enumerate()
        .filter_map(|(position, step)| Some((position, step.id, step.pivot?)));
    let (position, first, _) = pivots.next()?;
    for (_, _, span) in pivots {
        let first = first.unwrap_or("an earlier step");
        let found = Diagnostic::new(codes::SECOND_PIVOT, span, "a saga has at most one pivot")
            .label(format!("`{first}` is the pivot"));
        context.report(found);
    }
    Some(position)
}

fn kind(position: usize, pivot: Option<usize>) -> StepKind {
    match pivot {
        Some(pivot) if position == pivot => StepKind::Pivot,
        Some(pivot) if position > pivot => StepKind::Retriable,
        _ => StepKind::Compensatable,
    }
}

fn set(context: &mut Context<'_>, names: &Names, reader: &Reader<'_>) -> Option<ir::Kind> {
    for entry in data::entries(context, reader.get("set")?)? {
        names.check_set(context, &entry.key, entry.key_span);
    }
    let values = reader.named_data(context, names, "set")?;
    Some(ir::Kind::Set(values))
}

fn link(nodes: &mut [Node]) {
    let last = nodes.len().saturating_sub(1);
    for (position, node) in nodes.iter_mut().enumerate().take(last) {
        node.next = NodeIx::try_from(position + 1).ok();
    }
}
