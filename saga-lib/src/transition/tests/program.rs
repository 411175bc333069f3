//! Structured programs for tests: sequences of parts with bodies, laid out as nodes.

use std::collections::BTreeMap;

use super::definitions::{definition, expr, node, path, step, with};
use crate::ir::{
    Catch, Compensation, Definition, Directive, Iterate, Kind, Node, NodeIx, Scope, StepKind,
    Template,
};

/// One part of a sequence: a node and the sequences that belong to it.
#[derive(Debug, Clone)]
pub struct Part {
    pub node: Node,
    /// Bodies in the order of the node's kind.
    pub bodies: Vec<Vec<Part>>,
    /// Steps in `catch`, by outcome.
    pub caught: Vec<(String, Vec<Part>, Directive)>,
    pub fallback: Option<Box<Part>>,
    pub query: Option<Box<Part>>,
}

impl From<Node> for Part {
    fn from(node: Node) -> Self {
        Self {
            node,
            bodies: Vec::new(),
            caught: Vec::new(),
            fallback: None,
            query: None,
        }
    }
}

impl Part {
    fn with_bodies(node: Node, bodies: Vec<Vec<Part>>) -> Self {
        Self {
            bodies,
            ..Self::from(node)
        }
    }

    /// `catch: { outcome: then }`
    pub fn catch(mut self, outcome: &str, then: Directive) -> Self {
        let catch = Catch { run: None, then };
        self.node.catch.insert(outcome.to_owned(), catch);
        self
    }

    /// `catch: { outcome: { do: steps, then } }`
    pub fn catch_do(mut self, outcome: &str, steps: Vec<Part>, then: Directive) -> Self {
        self.caught.push((outcome.to_owned(), steps, then));
        self
    }

    pub fn fallback(mut self, part: Part) -> Self {
        self.fallback = Some(Box::new(part));
        self
    }

    pub fn query(mut self, part: Part) -> Self {
        self.query = Some(Box::new(part));
        self
    }

    /// Any other change of the node.
    pub fn but(mut self, change: impl FnOnce(&mut Node)) -> Self {
        change(&mut self.node);
        self
    }

    pub fn attempts(self, max: u32) -> Self {
        Self {
            node: with(self.node, |send| send.retry.max = Some(max)),
            ..self
        }
    }
}

/// `join: all`, or how many.
pub fn parallel(step: &str, count: Option<u32>, branches: Vec<Vec<Part>>) -> Part {
    let fork = Kind::Fork {
        branches: vec![(String::new(), None)],
        join: count.unwrap_or(0),
    };
    Part::with_bodies(node(step, fork), branches)
}

/// The first arm if the condition is true, else the second.
pub fn choice(step: &str, when: &str, yes: Vec<Part>, no: Vec<Part>) -> Part {
    let branch = Kind::Branch {
        arms: vec![(expr(when), None)],
        otherwise: None,
    };
    Part::with_bodies(node(step, branch), vec![yes, no])
}

pub fn block(step: &str, body: Vec<Part>) -> Part {
    Part::with_bodies(node(step, Kind::Scope(Scope::default())), vec![body])
}

/// A block with a time limit in ms.
pub fn timed(step: &str, timeout_ms: i64, body: Vec<Part>) -> Part {
    let scope = Scope {
        timeout_ms: Some(timeout_ms),
        ..Scope::default()
    };
    Part::with_bodies(node(step, Kind::Scope(scope)), vec![body])
}

/// `for_each: list`, the element is `item`.
pub fn each(step: &str, list: &str, limit: u32, body: Vec<Part>) -> Part {
    let iterate = Iterate {
        over: Some(expr(list)),
        bind: Some("item".to_owned()),
        body: None,
        until: None,
        limit,
        max: 10,
        collect: None,
    };
    Part::with_bodies(node(step, Kind::Iterate(iterate)), vec![body])
}

/// `loop` with at most `max` rounds.
pub fn rounds(step: &str, until: &str, max: u32, body: Vec<Part>) -> Part {
    let iterate = Iterate {
        over: None,
        bind: None,
        body: None,
        until: Some(expr(until)),
        limit: 1,
        max,
        collect: None,
    };
    Part::with_bodies(node(step, Kind::Iterate(iterate)), vec![body])
}

/// What each execution of a for_each leaves.
pub fn collecting(mut part: Part, template: Template) -> Part {
    if let Kind::Iterate(iterate) = &mut part.node.kind {
        iterate.collect = Some(template);
    }
    part
}

pub fn stop(step: &str, outcome: &str) -> Part {
    let outcome = outcome.to_owned();
    node(step, Kind::End { outcome }).into()
}

pub fn comp(name: &str) -> Part {
    super::definitions::compensatable(name).into()
}

pub fn pivot(name: &str) -> Part {
    step(name, StepKind::Pivot).into()
}

pub fn retriable(name: &str) -> Part {
    step(name, StepKind::Retriable).into()
}

pub fn read(name: &str) -> Part {
    step(name, StepKind::ReadOnly).into()
}

/// A compensatable step that declares that there is nothing to compensate.
pub fn harmless(name: &str) -> Part {
    with(step(name, StepKind::Compensatable), |send| {
        send.compensation = Compensation::Nothing {
            because: "a test".to_owned(),
        };
    })
    .into()
}

pub fn emit(step: &str, r#type: &str) -> Part {
    node(step, Kind::Publish(super::definitions::publish(r#type))).into()
}

pub fn assign(step: &str, name: &str, from: &str) -> Part {
    super::definitions::set(step, name, path(from)).into()
}

/// A definition that runs these parts.
pub fn program(parts: Vec<Part>) -> Definition {
    let mut nodes = Vec::new();
    lay(&mut nodes, parts);
    let mut whole = definition(Vec::new());
    whole.nodes = nodes;
    whole.finally.parked.clear();
    whole
}

/// Lays a sequence out; returns its first node, and the nodes that are followed by whatever comes behind it.
fn lay(nodes: &mut Vec<Node>, parts: Vec<Part>) -> (Option<NodeIx>, Vec<NodeIx>) {
    let (mut first, mut tails) = (None, Vec::new());
    for part in parts {
        let at = nodes.len() as NodeIx;
        first = first.or(Some(at));
        link(nodes, &tails, at);
        tails = one(nodes, part);
    }
    (first, tails)
}

fn link(nodes: &mut [Node], tails: &[NodeIx], to: NodeIx) {
    for tail in tails {
        nodes[*tail as usize].next = Some(to);
    }
}

fn one(nodes: &mut Vec<Node>, part: Part) -> Vec<NodeIx> {
    let at = nodes.len();
    nodes.push(part.node);
    let mut tails = vec![at as NodeIx];
    let mut firsts = Vec::new();
    let is_choice = matches!(nodes[at].kind, Kind::Branch { .. });
    for body in part.bodies {
        let (first, ends) = lay(nodes, body);
        firsts.push(first);
        if is_choice {
            tails.extend(ends);
        }
    }
    enclose(nodes, at, &firsts);
    let mut catch = BTreeMap::new();
    for (outcome, steps, then) in part.caught {
        let (run, _) = lay(nodes, steps);
        catch.insert(outcome, Catch { run, then });
    }
    nodes[at].catch.extend(catch);
    if let Some(fallback) = part.fallback {
        let ix = nodes.len() as NodeIx;
        tails.extend(one(nodes, *fallback));
        nodes[ix as usize].result = Some(nodes[at].step.clone());
        change_send(nodes, at, |send| send.fallback = Some(ix));
    }
    if let Some(query) = part.query {
        let ix = nodes.len() as NodeIx;
        one(nodes, *query);
        change_send(nodes, at, |send| send.query = Some(ix));
    }
    if matches!(nodes[at].kind, Kind::End { .. }) {
        tails.clear();
    }
    tails
}

fn change_send(nodes: &mut [Node], at: usize, change: impl FnOnce(&mut crate::ir::Send)) {
    let placeholder = Node::new("", Kind::Set(BTreeMap::new()));
    let node = std::mem::replace(&mut nodes[at], placeholder);
    nodes[at] = with(node, change);
}

/// Writes the first nodes of the bodies into their node.
fn enclose(nodes: &mut Vec<Node>, at: usize, firsts: &[Option<NodeIx>]) {
    let join_ix = nodes.len() as NodeIx;
    let mut join_node = None;
    match &mut nodes[at].kind {
        Kind::Fork { branches, join } => {
            let count = (*join > 0).then_some(*join);
            let named = firsts.iter().enumerate();
            *branches = named.map(|(n, first)| (n.to_string(), *first)).collect();
            *join = join_ix;
            let name = format!("{}_join", nodes[at].step);
            join_node = Some(node(&name, Kind::Join { count }));
        }
        Kind::Branch { arms, otherwise } => {
            arms[0].1 = firsts[0];
            *otherwise = firsts[1];
        }
        Kind::Iterate(iterate) => iterate.body = firsts[0],
        Kind::Scope(scope) => scope.body = firsts[0],
        _ => {}
    }
    nodes.extend(join_node);
}
