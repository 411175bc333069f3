//! Names: which ones an expression may read at its place.
//!
//! Absent on purpose: types of values, and whether a step with `when` was skipped; a field that is missing then is a fault, and
//! `has()` asks for it.

use std::collections::BTreeMap;

use super::codes;
use super::context::{Context, nearest};
use super::diagnostic::{Diagnostic, Span};
use crate::expr::Expr;

/// Names visible at one place of the definition.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    visible: Vec<String>,
    /// Those of them that steps may set.
    mutable: Vec<String>,
    /// Names that exist elsewhere, and why not here.
    elsewhere: BTreeMap<String, String>,
    /// A definition of names could not be read: an unknown name is then no news.
    incomplete: bool,
}

impl Names {
    /// No name; those of the engine are known to exist elsewhere.
    pub(super) fn new() -> Self {
        let elsewhere = ENGINE
            .iter()
            .map(|(n, w)| ((*n).to_owned(), (*w).to_owned()));
        Self {
            visible: Vec::new(),
            mutable: Vec::new(),
            elsewhere: elsewhere.collect(),
            incomplete: false,
        }
    }

    /// Notes that names are missing because their definition could not be read.
    pub(super) fn forgive(&mut self) {
        self.incomplete = true;
    }

    /// Makes `name` visible from here on.
    pub(super) fn define(&mut self, name: &str) {
        if !self.is_visible(name) {
            self.visible.push(name.to_owned());
        }
    }

    /// Lets steps set `name`.
    pub(super) fn make_mutable(&mut self, name: &str) {
        self.mutable.push(name.to_owned());
    }

    /// Reports that `name` is no variable, if so.
    pub(super) fn check_set(&self, context: &mut Context<'_>, name: &str, span: Span) {
        let mutable = || self.mutable.iter().map(String::as_str);
        if mutable().any(|n| n == name) {
            return;
        }
        let message = format!("`{name}` is not a variable");
        let found = Diagnostic::new(codes::UNKNOWN_NAME, span, message)
            .help(format!("declare it: `data: {{ {name}: {{ init: ... }} }}`"))
            .suggest(nearest(name, mutable()));
        context.report(found);
    }

    /// Notes that `name` exists, but not here.
    pub(super) fn refuse(&mut self, name: &str, why: &str) {
        self.elsewhere.insert(name.to_owned(), why.to_owned());
    }

    /// These names and `more`.
    pub(super) fn with(&self, more: &[&str]) -> Self {
        let mut names = self.clone();
        more.iter().for_each(|name| names.define(name));
        names
    }

    /// These names; `name` is refused for the reason.
    pub(super) fn without(&self, name: &str, why: &str) -> Self {
        let mut names = self.clone();
        names.visible.retain(|n| n != name);
        names.refuse(name, why);
        names
    }

    /// Reports every name that `expr` reads and that is not visible. `span` is that of its source.
    pub(super) fn check(&self, context: &mut Context<'_>, expr: &Expr, span: Span) {
        for root in expr.roots() {
            let forgiven = self.incomplete && !self.elsewhere.contains_key(&root);
            if !self.is_visible(&root) && !forgiven {
                let found = self.describe(&root, word_in(context.source, span, &root));
                context.report(found);
            }
        }
    }

    /// Is `name` visible?
    pub(super) fn is_visible(&self, name: &str) -> bool {
        self.visible.iter().any(|n| n == name)
    }

    fn describe(&self, name: &str, span: Span) -> Diagnostic {
        if let Some(why) = self.elsewhere.get(name) {
            let message = format!("`{name}` cannot be used here");
            return Diagnostic::new(codes::NAME_NOT_HERE, span, message).label(why.as_str());
        }
        let found = Diagnostic::new(codes::UNKNOWN_NAME, span, format!("unknown name `{name}`"));
        if self.visible.is_empty() {
            return found;
        }
        found
            .help(format!("visible here: {}", self.visible.join(", ")))
            .suggest(nearest(name, self.visible.iter().map(String::as_str)))
    }
}

/// Names the engine defines, and where.
const ENGINE: [(&str, &str); 7] = [
    (
        "error",
        "only in `finally.compensated` and `finally.parked`",
    ),
    ("event", "only in `await`"),
    ("flag", "flags are not supported by this release yet"),
    ("now", "the saga has not begun here"),
    ("reply", "only in `keep`"),
    ("request", "only in `compensate`"),
    ("saga", "the saga has not begun here"),
];

/// Names that were given, to tell when one is given twice.
#[derive(Debug, Default)]
pub(super) struct Claims {
    taken: BTreeMap<String, (&'static str, Span)>,
}

impl Claims {
    /// Gives `name` to `what`; reports that it is taken.
    pub(super) fn claim(
        &mut self,
        context: &mut Context<'_>,
        name: &str,
        what: &'static str,
        span: Span,
    ) {
        let Some((owner, first)) = self.taken.get(name) else {
            self.taken.insert(name.to_owned(), (what, span));
            return;
        };
        let line = context.source[..first.start].matches('\n').count() + 1;
        let message = format!("the name `{name}` is taken");
        let found = Diagnostic::new(codes::NAME_TAKEN, span, message)
            .label(format!("{owner} in line {line} has it"));
        context.report(found);
    }
}

/// Where `word` stands inside `span`; the span itself, if it is not found.
fn word_in(source: &str, span: Span, word: &str) -> Span {
    let text = source.get(span.start..span.end).unwrap_or_default();
    let bytes = text.as_bytes();
    let inside = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
    let follows = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let mut places = text.match_indices(word).map(|(at, _)| at);
    let found = places.find(|at| {
        let before = at.checked_sub(1).and_then(|i| bytes.get(i));
        let after = bytes.get(at + word.len());
        !before.is_some_and(inside) && !after.is_some_and(follows)
    });
    found.map_or(span, |at| {
        Span::new(span.start + at, span.start + at + word.len())
    })
}
