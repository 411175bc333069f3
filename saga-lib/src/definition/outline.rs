//! A step as far as its neighbours need to know it: its verb and its id.
//!
//! Absent on purpose: what the verb means (see the modules that lower them).

use super::codes;
use super::context::Context;
use super::diagnostic::{Diagnostic, Span};
use super::fields::{VERBS, Verb};
use super::object::{meant_in_step, not_supported, unknown_in_step};
use super::tree::{Entry, Kind, Tree};

/// A step whose verb is known.
pub(super) struct Outline<'t> {
    /// All of it.
    pub(super) tree: &'t Tree,
    /// Its verb; `None` was reported.
    pub(super) verb: Option<&'static Verb>,
    /// Its id as written.
    pub(super) id: Option<&'t str>,
    /// Where the id stands.
    pub(super) id_span: Span,
}

impl<'t> Outline<'t> {
    /// Finds verb and id; reports a step that has no single verb.
    pub(super) fn of(context: &mut Context, tree: &'t Tree) -> Self {
        let Kind::Map(entries) = &tree.kind else {
            context.wrong_shape(tree, "a mapping: a step");
            return Self::empty(tree);
        };
        let id = scalar(entries, "id");
        Self {
            tree,
            verb: verb(context, tree, entries),
            id: id.map(|(text, _)| text),
            id_span: id.map_or(tree.span, |(_, span)| span),
        }
    }

    fn empty(tree: &'t Tree) -> Self {
        Self {
            tree,
            verb: None,
            id: None,
            id_span: tree.span,
        }
    }
}

/// Every id in a list of steps, nested ones included.
pub(super) fn ids_within(tree: &Tree, ids: &mut Vec<String>) {
    match &tree.kind {
        Kind::List(items) => items.iter().for_each(|item| ids_within(item, ids)),
        Kind::Map(entries) => {
            let is_step = entries.iter().any(|e| is_verb(&e.key));
            if let Some((id, _)) = scalar(entries, "id").filter(|_| is_step) {
                ids.push(id.to_owned());
            }
            let bodies = entries.iter().filter(|e| BODIES.contains(&e.key.as_str()));
            for entry in bodies {
                ids_below(&entry.value, ids);
            }
        }
        Kind::Scalar { .. } | Kind::Broken => {}
    }
}

/// Bodies stand under these keys, or one level below them.
const BODIES: [&str; 9] = [
    "block",
    "choice",
    "parallel",
    "steps",
    "loop",
    "catch",
    "do",
    "otherwise",
    "for_each",
];

fn ids_below(tree: &Tree, ids: &mut Vec<String>) {
    match &tree.kind {
        Kind::Map(entries) => entries.iter().for_each(|e| ids_within(&e.value, ids)),
        _ => ids_within(tree, ids),
    }
}

fn is_verb(key: &str) -> bool {
    VERBS.iter().any(|verb| verb.name == key)
}

/// The one verb of a step.
fn verb(context: &mut Context, tree: &Tree, entries: &[Entry]) -> Option<&'static Verb> {
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
fn no_verb(context: &mut Context, tree: &Tree, entries: &[Entry]) {
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
