//! Names: which ones an expression may read at its place, and whether their values are surely there.
//!
//! A result is doubtful where a path exists on which its step was skipped or did not succeed: reading it without asking `has()` is a
//! warning. A name that can never be there is a mistake.
//!
//! Absent on purpose: types (see [`super::typed`]).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::codes;
use super::context::{Context, nearest};
use super::diagnostic::{Diagnostic, Span};
use super::types::Slot;
use crate::expr::Expr;

/// Names visible at one place of the definition. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// Is the value surely there?
    visible: BTreeMap<Rc<str>, bool>,
    /// Those of them that steps may set, with their types.
    mutable: Rc<BTreeMap<String, Option<&'static str>>>,
    /// Names that exist elsewhere, and why not here.
    elsewhere: Rc<BTreeMap<String, String>>,
    /// Types of the values, where they are known.
    types: BTreeMap<Rc<str>, Rc<Slot>>,
    /// A name that may be missing and must therefore be asked for, and why.
    only_asked: Option<(&'static str, &'static str)>,
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
            elsewhere: Rc::new(elsewhere.collect()),
            ..Self::default()
        }
    }

    /// Notes that names are missing because their definition could not be read.
    pub(super) fn forgive(&mut self) {
        self.incomplete = true;
    }

    /// Makes `name` visible from here on.
    pub(super) fn define(&mut self, name: &str) {
        self.types.remove(name);
        self.visible.insert(Rc::from(name), true);
    }

    /// Makes `name` visible, with what is known of its value.
    pub(super) fn define_typed(&mut self, name: &str, slot: Option<Rc<Slot>>) {
        self.define(name);
        self.types.extend(slot.map(|slot| (Rc::from(name), slot)));
    }

    /// What is known of the value of `name`.
    pub(super) fn slot(&self, name: &str) -> Option<&Slot> {
        self.types.get(name).map(AsRef::as_ref)
    }

    /// Makes `name` visible to expressions that ask for it.
    pub(super) fn define_only_asked(&mut self, name: &'static str, why: &'static str) {
        self.define_doubtful(name);
        self.only_asked = Some((name, why));
    }

    /// Makes `name` visible; its value may be missing.
    pub(super) fn define_doubtful(&mut self, name: &str) {
        self.visible.insert(Rc::from(name), false);
    }

    /// Takes over what became visible in `inner`. Without `sure`, all of it is doubtful.
    pub(super) fn absorb(&mut self, inner: &Self, sure: bool) {
        for (name, there) in &inner.visible {
            let known = self.visible.get(name).copied();
            let there = known.unwrap_or(false) || (*there && sure);
            self.visible.insert(Rc::clone(name), there);
        }
        for (name, slot) in &inner.types {
            let slot = Rc::clone(slot);
            self.types.entry(Rc::clone(name)).or_insert(slot);
        }
        self.incomplete |= inner.incomplete;
    }

    /// Makes `name` what it is in `outer`.
    pub(super) fn restore(&mut self, name: &str, outer: &Self) {
        self.types.remove(name);
        match outer.visible.get(name) {
            Some(sure) => self.visible.insert(Rc::from(name), *sure),
            None => self.visible.remove(name),
        };
    }

    /// What is surely there.
    pub(super) fn sure(&self) -> BTreeSet<Rc<str>> {
        let sure = self.visible.iter().filter(|(_, sure)| **sure);
        sure.map(|(name, _)| Rc::clone(name)).collect()
    }

    /// Doubts everything but `sure`.
    pub(super) fn doubt_all_but(&mut self, sure: &BTreeSet<Rc<str>>) {
        for (name, there) in &mut self.visible {
            *there &= sure.contains(name);
        }
    }

    /// Lets steps set `name` to values of this type.
    pub(super) fn make_mutable(&mut self, name: &str, r#type: Option<&'static str>) {
        Rc::make_mut(&mut self.mutable).insert(name.to_owned(), r#type);
    }

    /// Type of the variable `name`, if it has one.
    pub(super) fn type_of(&self, name: &str) -> Option<&'static str> {
        self.mutable.get(name).copied().flatten()
    }

    /// Reports that `name` is no variable, if so.
    pub(super) fn check_set(&self, context: &mut Context, name: &str, span: Span) -> bool {
        if self.mutable.contains_key(name) || self.incomplete {
            return true;
        }
        let mutable = self.mutable.keys().map(String::as_str);
        let message = format!("`{name}` is not a variable");
        let found = Diagnostic::new(codes::UNKNOWN_NAME, span, message)
            .help(format!("declare it: `data: {{ {name}: {{ init: ... }} }}`"))
            .suggest(nearest(name, mutable));
        context.report(found);
        false
    }

    /// Notes that `name` exists, but not here.
    pub(super) fn refuse(&mut self, name: &str, why: &str) {
        Rc::make_mut(&mut self.elsewhere).insert(name.to_owned(), why.to_owned());
    }

    /// Notes that these names exist, but not here.
    pub(super) fn refuse_all(&mut self, names: &[String], why: &str) {
        if !names.is_empty() {
            let refused = names.iter().map(|name| (name.clone(), why.to_owned()));
            Rc::make_mut(&mut self.elsewhere).extend(refused);
        }
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
        names.visible.remove(name);
        names.types.remove(name);
        names.refuse(name, why);
        names
    }

    /// Reports every name that `expr` reads and that is not visible, or that may be missing. `span` is that of its source.
    pub(super) fn check(&self, context: &mut Context, expr: &Expr, span: Span) {
        for root in expr.roots() {
            match self.visible.get(root.as_str()) {
                Some(true) => {}
                Some(false) if asks(expr, &root) => {}
                Some(false) if self.only_asked.is_some_and(|(name, _)| name == root) => {
                    let why = self.only_asked.map_or("", |(_, why)| why);
                    let span = word_in(&context.source(), span, &root);
                    let message = format!("`{root}` may be missing here");
                    let found = Diagnostic::new(codes::NAME_NOT_HERE, span, message).label(why);
                    context.report(found);
                }
                Some(false) => {
                    let found = doubtful(&root, word_in(&context.source(), span, &root));
                    context.report(found);
                }
                None if self.incomplete && !self.elsewhere.contains_key(&root) => {}
                None => {
                    let found = self.describe(&root, word_in(&context.source(), span, &root));
                    context.report(found);
                }
            }
        }
        self.check_fields(context, expr, span);
    }

    /// Is `name` visible?
    pub(super) fn is_visible(&self, name: &str) -> bool {
        self.visible.contains_key(name)
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
        let visible: Vec<&str> = self.visible.keys().map(AsRef::as_ref).collect();
        found
            .help(format!("visible here: {}", visible.join(", ")))
            .suggest(nearest(name, visible.iter().copied()))
    }
}

/// Does the expression ask whether `root` has a field before it reads one?
fn asks(expr: &Expr, root: &str) -> bool {
    let reads = expr.reads();
    let asked = |path: &[String]| path.first().is_some_and(|first| first == root);
    reads.iter().any(|read| read.asks && asked(&read.path))
}

fn doubtful(name: &str, span: Span) -> Diagnostic {
    let message = format!("`{name}` may be missing here");
    Diagnostic::warning(codes::DOUBTFUL_NAME, span, message)
        .label("on some path its step is skipped or does not succeed")
        .help(format!("ask first: `has({name}.field) ? ... : ...`"))
}

/// Names the engine defines, and where.
const ENGINE: [(&str, &str); 7] = [
    (
        "error",
        "only in `catch`, `finally.compensated` and `finally.parked`",
    ),
    ("event", "only in `await`"),
    ("flag", "flags are not supported by this release yet"),
    ("now", "the saga has not begun here"),
    ("reply", "only in `keep` and in the steps of `catch`"),
    ("request", "only in `compensate`"),
    ("saga", "the saga has not begun here"),
];

/// Names that were given, to tell when one is given twice.
#[derive(Debug, Default)]
pub(super) struct Claims {
    taken: BTreeMap<String, (&'static str, String)>,
}

impl Claims {
    /// Gives `name` to `what`; reports that it is taken.
    pub(super) fn claim(
        &mut self,
        context: &mut Context,
        name: &str,
        what: &'static str,
        span: Span,
    ) {
        let Some((owner, first)) = self.taken.get(name) else {
            let line = context.place_of(span);
            self.taken.insert(name.to_owned(), (what, line));
            return;
        };
        let message = format!("the name `{name}` is taken");
        let found = Diagnostic::new(codes::NAME_TAKEN, span, message)
            .label(format!("{owner} in {first} has it"));
        context.report(found);
    }
}

/// Where `word` stands inside `span`; the span itself, if it is not found.
pub(super) fn word_in(source: &str, span: Span, word: &str) -> Span {
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
