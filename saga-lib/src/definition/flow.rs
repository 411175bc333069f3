//! `choice` and `parallel`: one of several ways, or all of them.
//!
//! Absent on purpose: repetition (see [`super::repeat`]) and scopes (see [`super::block`]).

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::data;
use super::diagnostic::{Diagnostic, Span};
use super::fields::{ARM, OTHERWISE};
use super::names::Sure;
use super::object::Reader;
use super::outline::ids_within;
use super::place::Place;
use super::scalar;
use super::step::{Head, Lowering, Meaning, generated};
use super::tree::{Entry, Kind, Tree};
use crate::expr::Expr;
use crate::ir::{self, Node, NodeIx};

/// Most branches of one `parallel`.
const BRANCHES_MAX: usize = 100;

/// An arm of a choice: condition and first node.
type Arm = (Expr, Option<NodeIx>);

impl Lowering<'_> {
    /// Lowers a choice.
    pub(super) fn choice(&mut self, head: &Head<'_, '_>, place: &mut Place) -> Meaning {
        let Some(tree) = head.reader.get("choice") else {
            return Meaning::default();
        };
        let Kind::List(items) = &tree.kind else {
            self.context.wrong_shape(tree, "a list of arms");
            return Meaning::default();
        };
        let mut meaning = Meaning::plain(None);
        let mut paths = Vec::new();
        let mut arms = Vec::new();
        let mut otherwise = None;
        for (position, item) in items.iter().enumerate() {
            let mut path = place.clone();
            if key_of(item, "otherwise").is_some() {
                self.check_last(item, position + 1 == items.len());
                otherwise = Some(self.otherwise(item, &mut path, &mut meaning.ends));
            } else {
                arms.extend(self.arm(item, &mut path, &mut meaning.ends));
            }
            paths.push(path);
        }
        if items.iter().all(|item| key_of(item, "otherwise").is_some()) {
            let message = "a choice needs at least one arm with `when`";
            self.context
                .report(Diagnostic::new(codes::EMPTY, tree.span, message));
        }
        if otherwise.is_none() {
            paths.push(place.clone());
        }
        place.meet(paths);
        meaning.kind = Some(ir::Kind::Branch {
            arms,
            otherwise: otherwise.flatten(),
        });
        meaning
    }

    fn arm(&mut self, tree: &Tree, path: &mut Place, ends: &mut Vec<NodeIx>) -> Option<Arm> {
        let reader = Reader::open(self.context, tree, &ARM)?;
        let when = reader.expression(self.context, &path.names, "when");
        let body = self.any(reader.get("steps")?, path);
        ends.extend(body.ends);
        Some((when?, body.first))
    }

    fn otherwise(
        &mut self,
        tree: &Tree,
        path: &mut Place,
        ends: &mut Vec<NodeIx>,
    ) -> Option<NodeIx> {
        let reader = Reader::open(self.context, tree, &OTHERWISE)?;
        let body = self.any(reader.get("otherwise")?, path);
        ends.extend(body.ends);
        body.first
    }

    fn check_last(&mut self, tree: &Tree, is_last: bool) {
        if !is_last {
            let span = key_of(tree, "otherwise").unwrap_or(tree.span);
            let found = Diagnostic::new(codes::UNREACHABLE, span, "`otherwise` is the last arm")
                .label("the arms after it are never taken");
            self.context.report(found);
        }
    }

    /// Lowers parallel branches.
    pub(super) fn parallel(&mut self, head: &Head<'_, '_>, place: &mut Place) -> Meaning {
        let tree = head.reader.get("parallel");
        let entries = tree.and_then(|tree| data::entries(self.context, tree));
        let Some(entries) = entries else {
            return Meaning::default();
        };
        if entries.len() > BRANCHES_MAX {
            let message = format!("more than {BRANCHES_MAX} branches");
            let span = head.reader.key_span("parallel");
            let found =
                Diagnostic::new(codes::BUDGET, span, message).help("use `for_each` with a `limit`");
            self.context.report(found);
            return Meaning::default();
        }
        let count = self.join(head, entries.len());
        let join = self.reserve();
        *self.node(join) = Node::new(generated(join), ir::Kind::Join { count });
        let before = place.clone();
        let mut writers = BTreeMap::new();
        let mut branches = Vec::new();
        for entry in entries {
            let Some(name) = scalar::id_text(self.context, &entry.key, entry.key_span) else {
                continue;
            };
            let mut path = before.inner(NO_PIVOT_IN_BRANCH);
            refuse_siblings(&mut path, entries, entry);
            let writes = std::mem::take(&mut self.writes);
            let first = self.branch(&entry.value, &mut path, join);
            let written = std::mem::replace(&mut self.writes, writes);
            self.check_writes(&mut writers, &name, entry.key_span, written);
            place.names.absorb(&path.names, count.is_none());
            branches.push((name, first));
        }
        Meaning {
            ..Meaning::plain(Some(ir::Kind::Fork { branches, join }))
        }
    }

    /// A branch of its own: a `stop` inside ends it.
    fn branch(&mut self, tree: &Tree, path: &mut Place, join: NodeIx) -> Option<NodeIx> {
        let stops = std::mem::take(&mut self.stops);
        let body = self.any(tree, path);
        for end in body.ends {
            self.node(end).next = Some(join);
        }
        if let Some(sure) = Sure::all(std::mem::replace(&mut self.stops, stops)) {
            path.names.doubt_all_but(&sure);
        }
        body.first
    }

    fn check_writes(
        &mut self,
        writers: &mut BTreeMap<String, String>,
        branch: &str,
        span: Span,
        written: BTreeSet<String>,
    ) {
        for variable in written {
            if let Some(first) = writers.get(&variable) {
                let message =
                    format!("the branches `{first}` and `{branch}` both set `{variable}`");
                let found = Diagnostic::new(codes::CONCURRENT_SET, span, message)
                    .label("which value remains would depend on who is faster")
                    .help("give each branch a variable of its own");
                self.context.report(found);
            }
            self.writes.insert(variable.clone());
            writers.entry(variable).or_insert_with(|| branch.to_owned());
        }
    }

    /// How many branches must arrive; `None` is all.
    fn join(&mut self, head: &Head<'_, '_>, branches: usize) -> Option<u32> {
        let tree = head.reader.get("join")?;
        let text = scalar::text(self.context, tree, "all, first or a number")?;
        match text {
            "all" => return None,
            "first" => return Some(1),
            _ => {}
        }
        let count = text.parse::<u32>().ok().filter(|n| n.to_string() == text);
        let fits = |n: &u32| *n > 0 && usize::try_from(*n).is_ok_and(|n| n <= branches);
        if count.filter(fits).is_none() {
            let message = format!("`{text}` branches cannot arrive: there are {branches}");
            let found = Diagnostic::new(codes::BAD_WORD, tree.span, message)
                .label("expected all, first or a number");
            self.context.report(found);
        }
        count
    }
}

const NO_PIVOT_IN_BRANCH: &str =
    "a sibling branch may still fail, and after the pivot nothing can be taken back";

fn refuse_siblings(path: &mut Place, entries: &[Entry], own: &Entry) {
    let mut others = Vec::new();
    let siblings = entries.iter().filter(|e| e.key != own.key);
    siblings.for_each(|e| ids_within(&e.value, &mut others));
    path.names.refuse_all(
        &others,
        "this step runs in another branch, at the same time",
    );
}

/// Where the key of a mapping stands, if it is there.
pub(super) fn key_of(tree: &Tree, key: &str) -> Option<Span> {
    match &tree.kind {
        Kind::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| e.key_span),
        _ => None,
    }
}
