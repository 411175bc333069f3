//! Steps: one verb each, in order, nested as deep as the author likes.
//!
//! Invariants of the nodes: a step's node comes before those of its bodies; the end of a body is `next: None` and leads back to the node
//! that began it; only the arms of a choice are linked to what follows it.
//!
//! Absent on purpose: what each verb means; see [`super::command`], [`super::wait`], [`super::flow`], [`super::repeat`] and
//! [`super::block`].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::codes;
use super::context::{Context, FileIx};
use super::data;
use super::diagnostic::{Diagnostic, Span};
use super::fields::Verb;
use super::finally;
use super::names::{Claims, Sure};
use super::object::Reader;
use super::outline::{Outline, ids_within};
use super::place::Place;
use super::tree::{Kind, Tree};
use super::types::Slot;
use super::uses::Library;
use crate::ir::{self, Node, NodeIx};

/// Most nodes of a definition, fragments expanded.
const NODES_MAX: usize = 5000;

/// Deepest nesting of bodies, fragments expanded: lowering descends recursively.
const NESTING_MAX: usize = 20;

/// Longest name of a node: it becomes part of command ids.
const NAME_BYTES_MAX: usize = 100;

/// Lowers the steps of one definition.
pub(super) struct Lowering<'a> {
    /// Diagnostics and files.
    pub(super) context: &'a mut Context,
    /// Contracts and fragments.
    pub(super) library: &'a Library<'a>,
    /// Names given in the current file.
    pub(super) claims: Claims,
    /// Where the ids of named nodes stand.
    places: BTreeMap<String, (FileIx, Span)>,
    /// Business keys of the starts, as written.
    pub(super) keys: Vec<String>,
    /// Do several instances have the same key?
    pub(super) recurs: bool,
    /// Nodes made so far.
    pub(super) nodes: Vec<Node>,
    /// Steps whose fragment is expanded, outermost first: prefix of the names, and the fragment.
    pub(super) expanding: Vec<(String, String)>,
    /// Variables that the current branch sets.
    pub(super) writes: BTreeSet<String>,
    /// What was surely there at each `stop` of the current branch.
    pub(super) stops: Vec<Sure>,
    /// Was a step reported that only some paths reach past the pivot?
    pub(super) torn: bool,
    depth: usize,
}

/// What a step is linked by.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// First node.
    pub(super) first: Option<NodeIx>,
    /// Nodes whose `next` is what follows.
    pub(super) ends: Vec<NodeIx>,
}

/// A step that is being lowered.
pub(super) struct Head<'h, 't> {
    /// Its keys.
    pub(super) reader: &'h Reader<'t>,
    /// Its id as the author wrote it.
    pub(super) id: Option<&'t str>,
    /// Unique name of the node.
    pub(super) name: &'h str,
}

/// What a verb becomes.
#[derive(Debug, Default)]
pub(super) struct Meaning {
    /// The node's kind; `None` was reported.
    pub(super) kind: Option<ir::Kind>,
    /// Further nodes whose `next` is what follows.
    pub(super) ends: Vec<NodeIx>,
    /// Nodes that share what is caught.
    pub(super) twins: Vec<NodeIx>,
    /// Outcomes that mean success.
    pub(super) success: Vec<String>,
    /// Every further outcome that can be caught.
    pub(super) outcomes: Vec<String>,
    /// Does it leave something under its id?
    pub(super) has_result: bool,
    /// What is known of it.
    pub(super) slot: Option<Rc<Slot>>,
    /// Does nothing follow?
    pub(super) is_end: bool,
}

impl Meaning {
    /// A node that has only the outcome `ok`, and no result.
    pub(super) fn plain(kind: Option<ir::Kind>) -> Self {
        Self {
            kind,
            success: vec!["ok".to_owned()],
            ..Self::default()
        }
    }
}

impl<'a> Lowering<'a> {
    /// Nothing lowered.
    pub(super) fn new(context: &'a mut Context, library: &'a Library<'a>, claims: Claims) -> Self {
        Self {
            context,
            library,
            claims,
            places: BTreeMap::new(),
            keys: Vec::new(),
            recurs: false,
            nodes: Vec::new(),
            expanding: Vec::new(),
            writes: BTreeSet::new(),
            stops: Vec::new(),
            torn: false,
            depth: 0,
        }
    }

    /// Lowers all steps of a file. `place` becomes the place after them.
    pub(super) fn all(&mut self, tree: &Tree, place: &mut Place) -> Body {
        let mut later = Vec::new();
        ids_within(tree, &mut later);
        place.names.refuse_all(&later, "this step comes later");
        self.some(tree, place, "steps")
    }

    /// Lowers a list of steps that must not be empty.
    pub(super) fn some(&mut self, tree: &Tree, place: &mut Place, key: &str) -> Body {
        if matches!(&tree.kind, Kind::List(items) if items.is_empty()) {
            let message = format!("`{key}` needs at least one step");
            let found = Diagnostic::new(codes::EMPTY, tree.span, message);
            self.context.report(found);
        }
        self.any(tree, place)
    }

    /// Lowers a list of steps.
    pub(super) fn any(&mut self, tree: &Tree, place: &mut Place) -> Body {
        let Kind::List(items) = &tree.kind else {
            self.context.wrong_shape(tree, "a list of steps");
            return Body::default();
        };
        if self.depth >= NESTING_MAX {
            self.budget(
                tree.span,
                &format!("steps nested more than {NESTING_MAX} deep"),
            );
            return Body::default();
        }
        self.depth += 1;
        let body = self.sequence(items, place);
        self.depth -= 1;
        body
    }

    fn sequence(&mut self, items: &[Tree], place: &mut Place) -> Body {
        let mut body = Body::default();
        let mut reported = false;
        for item in items {
            if self.nodes.len() >= NODES_MAX {
                self.budget(item.span, &format!("more than {NODES_MAX} steps"));
                break;
            }
            if !place.open && !std::mem::replace(&mut reported, true) {
                self.context.report(unreachable(item));
            }
            let step = self.step(item, place);
            for end in std::mem::take(&mut body.ends) {
                self.node(end).next = step.first;
            }
            body.first = body.first.or(step.first);
            body.ends = step.ends;
        }
        body
    }

    fn step(&mut self, tree: &Tree, place: &mut Place) -> Body {
        let step = Outline::of(self.context, tree);
        if let Some(id) = step.id {
            self.claims
                .claim(self.context, id, "the step", step.id_span);
        }
        let verb = step.verb.filter(|verb| verb.part.is_supported());
        let reader = verb.and_then(|verb| Reader::open(self.context, step.tree, verb.object));
        match verb.zip(reader) {
            Some((verb, reader)) => self.lower(verb, &reader, step.id, place),
            None => {
                // What the step would have left is no news where it is read.
                step.id.iter().for_each(|id| place.names.define(id));
                Body::default()
            }
        }
    }

    fn lower(
        &mut self,
        verb: &Verb,
        reader: &Reader<'_>,
        written: Option<&str>,
        place: &mut Place,
    ) -> Body {
        let at = self.reserve();
        let id = reader.id(self.context, "id");
        let name = self.name(id.as_deref(), at, reader);
        reader.text(self.context, "label");
        let when = reader.expression(self.context, &place.names, "when");
        let before = place.clone();
        let head = Head {
            reader,
            id: written,
            name: &name,
        };
        let meaning = self.meaning(verb, &head, place);
        if let Some(id) = written {
            define(place, id, &meaning);
        }
        place.open &= !meaning.is_end;
        let catch = self.catch(reader, &before, place, &meaning);
        if reader.get("when").is_some() {
            place.meet(vec![place.clone(), before]);
        }
        let milestone = reader.id(self.context, "milestone");
        let sla_ms = reader.duration(self.context, "sla");
        for twin in &meaning.twins {
            let twin = self.node(*twin);
            twin.catch = catch.clone();
            twin.milestone.clone_from(&milestone);
            twin.sla_ms = sla_ms;
        }
        let inside = id.filter(|_| !self.expanding.is_empty());
        let node = Node {
            result: inside,
            when,
            catch,
            milestone,
            sla_ms,
            ..Node::new(name, meaning.kind.unwrap_or(nothing()))
        };
        *self.node(at) = node;
        let mut ends = meaning.ends;
        if !meaning.is_end || reader.get("when").is_some() {
            ends.push(at);
        }
        Body {
            first: Some(at),
            ends,
        }
    }

    fn meaning(&mut self, verb: &Verb, head: &Head<'_, '_>, place: &mut Place) -> Meaning {
        match verb.name {
            "command" => self.command(head, place),
            "await" => self.wait(head, place),
            "delay" => self.delay(head, place),
            "publish" => {
                let publish =
                    finally::publish(self.context, self.library, &place.names, head.reader);
                Meaning::plain(publish.map(ir::Kind::Publish))
            }
            "set" => Meaning::plain(self.set(head, place)),
            "choice" => self.choice(head, place),
            "parallel" => self.parallel(head, place),
            "for_each" => self.for_each(head, place),
            "loop" => self.repeat(head, place),
            "block" => self.block(head, place),
            "use" => self.fragment(head, place),
            _ => self.stop(head, place),
        }
    }

    fn set(&mut self, head: &Head<'_, '_>, place: &Place) -> Option<ir::Kind> {
        let names = &place.names;
        for entry in data::entries(self.context, head.reader.get("set")?)? {
            if names.check_set(self.context, &entry.key, entry.key_span) {
                self.writes.insert(entry.key.clone());
            }
        }
        let values = head.reader.named_data(self.context, names, "set")?;
        for entry in data::entries(self.context, head.reader.get("set")?)? {
            if let Some((r#type, value)) = names.type_of(&entry.key).zip(values.get(&entry.key)) {
                data::check_type(self.context, r#type, value, entry.value.span);
            }
        }
        Some(ir::Kind::Set(values))
    }

    /// Makes room for a node.
    pub(super) fn reserve(&mut self) -> NodeIx {
        self.nodes.push(Node::new("", nothing()));
        NodeIx::try_from(self.nodes.len() - 1).unwrap_or(NodeIx::MAX)
    }

    /// A node that was reserved.
    pub(super) fn node(&mut self, at: NodeIx) -> &mut Node {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        &mut self.nodes[at]
    }

    /// The unique name of a node.
    fn name(&mut self, id: Option<&str>, at: NodeIx, reader: &Reader<'_>) -> String {
        let Some(id) = id else {
            return generated(at);
        };
        let prefix: String = self
            .expanding
            .iter()
            .map(|(step, _)| format!("{step}-"))
            .collect();
        let name = prefix + id;
        let span = reader.get("id").map_or(reader.at, |tree| tree.span);
        let place = (self.context.current(), span);
        self.places.insert(name.clone(), place);
        if name.len() > NAME_BYTES_MAX {
            let message = format!("`{name}` is longer than {NAME_BYTES_MAX} characters");
            let found = Diagnostic::new(codes::BAD_NAME, reader.key_span("id"), message)
                .help("choose shorter ids for the step and for the steps that use its fragment");
            self.context.report(found);
        }
        name
    }

    fn budget(&mut self, span: Span, message: &str) {
        let found = Diagnostic::new(codes::BUDGET, span, message);
        self.context.report(found);
    }

    /// Reports names that two nodes have: a step `a-b` beside the step `b` of a fragment used as `a`, or beside what belongs to a step `a`.
    pub(super) fn check_nodes(&mut self, at: Span) {
        let mut seen: BTreeMap<&str, NodeIx> = BTreeMap::new();
        let mut nodes = (0..).zip(self.nodes.iter().map(|node| node.step.as_str()));
        let twice = nodes.find_map(|(at, name)| Some((name, seen.insert(name, at)?, at)));
        let Some((name, first, second)) = twice.filter(|_| self.context.is_clean()) else {
            return;
        };
        let (file, span) = self.places.get(name).copied().unwrap_or((0, at));
        let found = match self.owner(first).or_else(|| self.owner(second)) {
            Some((owner, what)) => belongs(name, owner, what, span),
            None => Diagnostic::new(
                codes::NAME_TAKEN,
                span,
                format!("two steps are called `{name}` after fragments are expanded"),
            )
            .help("a step of a fragment is called `<id of the use>-<id of the step>`"),
        };
        let before = self.context.enter(file);
        self.context.report(found);
        self.context.enter(before);
    }

    /// The step that a node belongs to, and as what.
    fn owner(&self, at: NodeIx) -> Option<(&str, &'static str)> {
        self.nodes.iter().find_map(|node| match &node.kind {
            ir::Kind::Send(send) if send.fallback == Some(at) => {
                Some((node.step.as_str(), "fallback"))
            }
            ir::Kind::Send(send) if send.query == Some(at) => Some((node.step.as_str(), "query")),
            _ => None,
        })
    }
}

/// A step whose name another step's fallback or query has.
fn belongs(name: &str, owner: &str, what: &str, span: Span) -> Diagnostic {
    let message = format!("`{name}` is the name of the {what} of the step `{owner}`");
    Diagnostic::new(codes::NAME_TAKEN, span, message)
        .label("in commands, metrics and the history they could not be told apart")
        .help(format!(
            "rename one of the steps: the {what} of a step is called `<id>-{what}`"
        ))
}

/// The name of a node whose author gave none.
pub(super) fn generated(at: NodeIx) -> String {
    format!("_{}", u64::from(at) + 1)
}

/// A node that was reported is never executed.
fn nothing() -> ir::Kind {
    ir::Kind::Set(BTreeMap::new())
}

fn define(place: &mut Place, id: &str, meaning: &Meaning) {
    if meaning.has_result {
        place.names.define_typed(id, meaning.slot.clone());
    } else {
        place.names.refuse(id, "this step leaves no result");
    }
}

fn unreachable(step: &Tree) -> Diagnostic {
    let at = match &step.kind {
        Kind::Map(entries) => entries.first().map_or(step.span, |e| e.key_span),
        _ => step.span,
    };
    Diagnostic::new(codes::UNREACHABLE, at, "this step is never reached")
        .label("every path ends before it")
        .help("remove it, or move it before the `stop`")
}
