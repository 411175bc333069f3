//! Names: which ones an expression may read at its place, and whether their values are surely there.
//!
//! A result is doubtful where a path exists on which its step was skipped or did not succeed: reading it without asking `has()` is a
//! warning. A name that can never be there is a mistake.
//!
//! Absent on purpose: types (see [`super::typed`]).

mod trie;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use self::trie::Trie;
use super::codes;
use super::context::{Context, FileIx, nearest};
use super::diagnostic::{Diagnostic, Span};
use super::types::{self, Slot};
use crate::expr::Expr;

/// What a name is at one place.
#[derive(Debug, Clone, Default)]
struct Name {
    /// `None`: not visible; else: is the value surely there?
    visible: Option<bool>,
    /// What is known of the value.
    slot: Option<Rc<Slot>>,
    /// It exists elsewhere, and why not here.
    elsewhere: Option<Rc<str>>,
}

/// Numbers of names.
#[derive(Debug, Default)]
struct Numbers {
    by_name: BTreeMap<Rc<str>, u32>,
    names: Vec<Rc<str>>,
}

impl Numbers {
    /// The number of `name`, a new one if it has none.
    fn give(&mut self, name: &str) -> u32 {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let name: Rc<str> = Rc::from(name);
        self.names.push(Rc::clone(&name));
        self.by_name.insert(name, number);
        number
    }
}

/// Names visible at one place of the definition. Cheap to clone.
///
/// Invariant: names that meet (see [`Names::absorb`], [`Names::doubt_all_but`]) come from the same [`Names::new`], so they share their
/// numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    numbers: Rc<RefCell<Numbers>>,
    names: Trie<Name>,
    /// Those that steps may set, with their types.
    mutable: Rc<BTreeMap<String, Option<&'static str>>>,
    /// A name that may be missing and must therefore be asked for, and why.
    only_asked: Option<(&'static str, &'static str)>,
    /// A definition of names could not be read: an unknown name is then no news.
    incomplete: bool,
}

/// What was surely there at one place.
#[derive(Debug, Clone)]
pub(super) struct Sure(Trie<Name>);

impl Sure {
    /// What was surely there at all of these places; `None`: there is no such place.
    pub(super) fn all(places: impl IntoIterator<Item = Self>) -> Option<Self> {
        places.into_iter().reduce(|mut all, place| {
            doubt(&mut all.0, &place);
            all
        })
    }
}

/// Doubts everything but `sure`.
fn doubt(names: &mut Trie<Name>, sure: &Sure) {
    for (number, name) in names.unlike(&sure.0) {
        let there = sure.0.get(number).and_then(|name| name.visible);
        if name.visible == Some(true) && there != Some(true) {
            let visible = Some(false);
            names.set(number, Name { visible, ..name });
        }
    }
}

impl Names {
    /// No name; those of the engine are known to exist elsewhere.
    pub(super) fn new() -> Self {
        let mut names = Self::default();
        for (name, why) in ENGINE {
            names.refuse(name, why);
        }
        names
    }

    /// The names that the engine gives to everything inside a saga.
    pub(super) fn begun() -> Self {
        let mut names = Self::new().with(&["now"]);
        names.define_typed("saga", Some(Rc::new(Slot::of(types::saga()))));
        names
    }

    fn get(&self, name: &str) -> Option<&Name> {
        let number = *self.numbers.borrow().by_name.get(name)?;
        self.names.get(number)
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut Name)) {
        let number = self.numbers.borrow_mut().give(name);
        let mut name = self.names.get(number).cloned().unwrap_or_default();
        change(&mut name);
        self.names.set(number, name);
    }

    /// The visible names, in their order.
    fn visible(&self) -> Vec<Rc<str>> {
        let numbers = self.numbers.borrow();
        let all = self.names.all().into_iter();
        let visible = all.filter(|(_, name)| name.visible.is_some());
        let at = |number: u32| numbers.names.get(usize::try_from(number).ok()?).cloned();
        let mut names: Vec<Rc<str>> = visible.filter_map(|(number, _)| at(number)).collect();
        names.sort();
        names
    }

    /// Notes that names are missing because their definition could not be read.
    pub(super) fn forgive(&mut self) {
        self.incomplete = true;
    }

    /// Makes `name` visible from here on.
    pub(super) fn define(&mut self, name: &str) {
        self.define_typed(name, None);
    }

    /// Makes `name` visible, with what is known of its value.
    pub(super) fn define_typed(&mut self, name: &str, slot: Option<Rc<Slot>>) {
        self.change(name, |name| {
            name.visible = Some(true);
            name.slot = slot;
        });
    }

    /// What is known of the value of `name`.
    pub(super) fn slot(&self, name: &str) -> Option<&Slot> {
        self.get(name)?.slot.as_deref()
    }

    /// Makes `name` visible to expressions that ask for it.
    pub(super) fn define_only_asked(&mut self, name: &'static str, why: &'static str) {
        self.define_doubtful(name);
        self.only_asked = Some((name, why));
    }

    /// Makes `name` visible; its value may be missing.
    pub(super) fn define_doubtful(&mut self, name: &str) {
        self.change(name, |name| name.visible = Some(false));
    }

    /// Takes over what became visible in `inner`. Without `sure`, all of it is doubtful.
    pub(super) fn absorb(&mut self, inner: &Self, sure: bool) {
        for (number, inner) in inner.names.unlike(&self.names) {
            let Some(there) = inner.visible else { continue };
            let mut name = self.names.get(number).cloned().unwrap_or_default();
            name.visible = Some(name.visible.unwrap_or(false) || (there && sure));
            name.slot = name.slot.or(inner.slot);
            self.names.set(number, name);
        }
        self.incomplete |= inner.incomplete;
    }

    /// Makes `name` what it is in `outer`, or invisible, if it is not there.
    pub(super) fn restore(&mut self, name: &str, outer: &Self) {
        let before = outer.get(name).cloned().unwrap_or_default();
        self.change(name, |name| {
            name.visible = before.visible;
            name.slot = before.slot;
        });
    }

    /// What is surely there.
    pub(super) fn sure(&self) -> Sure {
        Sure(self.names.clone())
    }

    /// Doubts everything but `sure`.
    pub(super) fn doubt_all_but(&mut self, sure: &Sure) {
        doubt(&mut self.names, sure);
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
        self.refuse_all(&[name], why);
    }

    /// Notes that these names exist, but not here.
    pub(super) fn refuse_all(&mut self, names: &[impl AsRef<str>], why: &str) {
        let why: Rc<str> = Rc::from(why);
        for name in names {
            let why = Some(Rc::clone(&why));
            self.change(name.as_ref(), |name| name.elsewhere = why);
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
        names.change(name, |name| {
            name.visible = None;
            name.slot = None;
            name.elsewhere = Some(Rc::from(why));
        });
        names
    }

    /// Reports every name that `expr` reads and that is not visible, or that may be missing, and the same of fields of names whose type
    /// is known. `span` is that of the source.
    pub(super) fn check(&self, context: &mut Context, expr: &Expr, span: Span) {
        for root in expr.roots() {
            let known = self.get(&root);
            match known.and_then(|name| name.visible) {
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
                None if self.incomplete && known.is_none_or(|name| name.elsewhere.is_none()) => {}
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
        self.get(name).is_some_and(|name| name.visible.is_some())
    }

    fn describe(&self, name: &str, span: Span) -> Diagnostic {
        if let Some(why) = self.get(name).and_then(|name| name.elsewhere.as_deref()) {
            let message = format!("`{name}` cannot be used here");
            return Diagnostic::new(codes::NAME_NOT_HERE, span, message).label(why);
        }
        let found = Diagnostic::new(codes::UNKNOWN_NAME, span, format!("unknown name `{name}`"));
        let visible = self.visible();
        if visible.is_empty() {
            return found;
        }
        let visible: Vec<&str> = visible.iter().map(AsRef::as_ref).collect();
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
    ("event", "only in `await`, and in `replies` of a contract"),
    ("flag", "flags are not supported by this release yet"),
    ("now", "the saga has not begun here"),
    (
        "reply",
        "only in `keep`, `compensate`, the steps of `catch`, and `outcome` of a contract",
    ),
    ("request", "only in `compensate`"),
    ("saga", "the saga has not begun here"),
];

/// Names that were given, to tell when one is given twice.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// What has the name, and where.
    taken: BTreeMap<String, (&'static str, FileIx, Span)>,
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
        let Some((owner, file, first)) = self.taken.get(name) else {
            let place = (what, context.current(), span);
            self.taken.insert(name.to_owned(), place);
            return;
        };
        let first = context.place_in(*file, *first);
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
