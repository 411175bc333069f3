//! The definition as the explorer sees it: control without data.
//!
//! Bodies, results and keys are emptied, because no transition decides by them. Every expression that does decide (conditions, lists,
//! times) is replaced by the name of an unknown, for which the explorer tries every value that makes a difference. So no expression can
//! fail, no payload has to be made up, and every way through the program is a possible one.
//!
//! Absent on purpose: what data could really be. Two conditions over the same field are two unknowns.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::expr::Expr;
use crate::ir::{
    Compensation, Definition, Directive, Iterate, Kind, Node, NodeIx, Publish, Send, Template, Wait,
};

/// Begins the names of unknowns.
pub(super) const UNKNOWN: &str = "skald_unknown_";

/// Elements of a list that is not empty: enough for two at once, and for one after the other.
const ELEMENTS: usize = 2;

/// Stands for a time that is ahead, whenever it is asked for.
const AHEAD: &str = "ahead";

/// How far ahead such a time is, ms.
const AHEAD_MS: i64 = 3_600_000;

/// The value of an unknown at this time.
pub(super) fn value_at(value: &Value, now_ms: i64) -> Value {
    match value.as_str() {
        Some(AHEAD) => json!(now_ms + AHEAD_MS),
        _ => value.clone(),
    }
}

/// An expression of which only the value counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unknown {
    /// The step it decides about.
    pub(super) step: String,
    /// As it stands in the definition.
    pub(super) source: String,
    /// What it is tried with.
    pub(super) values: Vec<Value>,
}

/// A definition without data.
#[derive(Debug, Clone)]
pub(super) struct Model {
    /// What is run.
    pub(super) definition: Definition,
    /// Unknowns by name.
    pub(super) unknowns: BTreeMap<String, Unknown>,
    /// Types of awaited events, as the definition has them, by step and name of the alternative.
    pub(super) awaited: BTreeMap<(String, String), Option<String>>,
    /// Steps of which what they did may be undone, or left unfinished, although the saga completes.
    pub(super) alone: BTreeSet<String>,
    /// Steps that may run at the same time as others.
    pub(super) concurrent: BTreeSet<String>,
    /// Pivots by the step that asks about them.
    pub(super) asking: BTreeMap<String, String>,
    /// Steps that every instance which completes has executed.
    pub(super) always: BTreeSet<String>,
    /// Does the definition itself say `park` anywhere?
    pub(super) parks: bool,
    /// Were combinations of unknowns left out since this was asked?
    pub(super) cut: Cell<bool>,
    by_step: BTreeMap<String, NodeIx>,
}

impl Model {
    /// Takes the data out of a definition.
    pub(super) fn new(definition: &Definition) -> Self {
        let mut stripped = Stripped::default();
        let mut emptied = definition.clone();
        emptied.data.clear();
        emptied.measure.clear();
        if let Some(deadline) = &mut emptied.deadline {
            deadline.warn_ms = None;
        }
        for node in &mut emptied.nodes {
            stripped.node(node);
        }
        let last = &mut emptied.finally;
        let events = [&mut last.completed, &mut last.compensated, &mut last.parked];
        events.into_iter().flatten().for_each(empty_event);
        let by_step = definition.nodes.iter().zip(0..);
        Self {
            by_step: by_step
                .filter(|(node, _)| matches!(node.kind, Kind::Send(_)))
                .map(|(node, ix)| (node.step.clone(), ix))
                .collect(),
            alone: alone(definition),
            concurrent: concurrent(definition),
            asking: asking(definition),
            always: always(definition),
            parks: parks(definition),
            unknowns: stripped.unknowns,
            awaited: stripped.awaited,
            cut: Cell::default(),
            definition: emptied,
        }
    }

    /// The step that sends a command, with what it sends.
    pub(super) fn send(&self, step: &str) -> Option<(&Node, &Send)> {
        let node = self.definition.node(*self.by_step.get(step)?)?;
        match &node.kind {
            Kind::Send(send) => Some((node, send)),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Stripped {
    unknowns: BTreeMap<String, Unknown>,
    awaited: BTreeMap<(String, String), Option<String>>,
}

impl Stripped {
    fn node(&mut self, node: &mut Node) {
        node.milestone = None;
        node.sla_ms = None;
        let step = node.step.clone();
        if let Some(when) = &mut node.when {
            self.condition(&step, when);
        }
        match &mut node.kind {
            Kind::Branch { arms, .. } => {
                for (condition, _) in arms {
                    self.condition(&step, condition);
                }
            }
            Kind::Iterate(iterate) => self.iterate(&step, iterate),
            Kind::Wait(wait) => self.wait(&step, wait),
            Kind::Send(send) => empty_command(send),
            Kind::Set(variables) => variables.clear(),
            Kind::Publish(event) => empty_event(event),
            Kind::Scope(scope) => {
                let with = scope.with.iter_mut().flat_map(|with| with.values_mut());
                with.for_each(|value| *value = nothing());
            }
            Kind::Fork { .. } | Kind::Join { .. } | Kind::End { .. } => {}
        }
    }

    fn iterate(&mut self, step: &str, iterate: &mut Iterate) {
        iterate.bind = None;
        iterate.collect = None;
        if let Some(over) = &mut iterate.over {
            let most = ELEMENTS.min(iterate.max as usize);
            let list = |count: usize| Value::Array(vec![Value::Null; count]);
            self.replace(step, over, vec![list(most), list(0)]);
        }
        if let Some(until) = &mut iterate.until {
            self.condition(step, until);
        }
    }

    fn wait(&mut self, step: &str, wait: &mut Wait) {
        wait.keep = None;
        let several = wait.events.len() > 1;
        for alternative in &mut wait.events {
            // An event that is filtered out is none. Without filters alternatives of one type are told apart by their names.
            alternative.filter = None;
            let place = (step.to_owned(), alternative.name.clone());
            self.awaited.insert(place, alternative.r#type.clone());
            if several {
                let r#type = alternative.r#type.take().unwrap_or_default();
                alternative.r#type = Some(format!("{type}#{}", alternative.name));
            }
        }
        if let Some(until) = &mut wait.until {
            self.replace(step, until, vec![json!(AHEAD), json!(0)]);
        }
    }

    fn condition(&mut self, step: &str, expr: &mut Expr) {
        self.replace(step, expr, vec![json!(true), json!(false)]);
    }

    fn replace(&mut self, step: &str, expr: &mut Expr, values: Vec<Value>) {
        let name = format!("{UNKNOWN}{}", self.unknowns.len());
        let Ok(unknown) = Expr::compile(&name) else {
            return;
        };
        let source = expr.source().to_owned();
        *expr = unknown;
        let unknown = Unknown {
            step: step.to_owned(),
            source,
            values,
        };
        self.unknowns.insert(name, unknown);
    }
}

fn nothing() -> Template {
    Template::Literal(Value::Null)
}

fn empty_command(send: &mut Send) {
    send.payload = nothing();
    send.key = None;
    send.keep = None;
    send.outcome = None;
    if let Compensation::Command(counter) = &mut send.compensation {
        counter.payload = Some(nothing());
        counter.outcome = None;
    }
}

fn empty_event(event: &mut Publish) {
    event.payload = nothing();
    event.key = None;
    event.given.clear();
}

/// Parts that may be left before their end, or undone, while the saga goes on.
fn alone(definition: &Definition) -> BTreeSet<String> {
    let leaves = |node: &Node| match &node.kind {
        Kind::Scope(scope) => scope.timeout_ms.is_some() || node.catch.contains_key("compensated"),
        Kind::Fork { join, .. } => {
            let join = definition.node(*join).map(|node| &node.kind);
            matches!(join, Some(Kind::Join { count: Some(_) }))
        }
        Kind::Send(send) => send.fallback.is_some(),
        _ => false,
    };
    let stops = definition
        .nodes
        .iter()
        .any(|node| matches!(node.kind, Kind::End { .. }));
    within(definition, |node| leaves(node) || stops)
}

fn concurrent(definition: &Definition) -> BTreeSet<String> {
    within(definition, |node| match &node.kind {
        Kind::Fork { .. } => true,
        Kind::Iterate(iterate) => iterate.over.is_some() && iterate.limit > 1,
        _ => false,
    })
}

/// Steps inside nodes that are so; a command is inside itself.
fn within(definition: &Definition, is_so: impl Fn(&Node) -> bool) -> BTreeSet<String> {
    let nodes = (0..).zip(&definition.nodes);
    let parts = nodes.filter(|(_, node)| is_so(node));
    let inside = parts.flat_map(|(ix, node)| {
        let within = definition.inside(ix).into_iter();
        let itself = matches!(node.kind, Kind::Send(_)).then_some(ix);
        within.chain(itself)
    });
    inside
        .filter_map(|ix| definition.node(ix))
        .map(|node| node.step.clone())
        .collect()
}

fn asking(definition: &Definition) -> BTreeMap<String, String> {
    let asked = definition.nodes.iter().filter_map(|node| match &node.kind {
        Kind::Send(send) => Some((send.query?, node)),
        _ => None,
    });
    asked
        .filter_map(|(ix, node)| Some((definition.node(ix)?.step.clone(), node.step.clone())))
        .collect()
}

/// The commands of the outermost sequence that have no condition. With a `stop` anywhere there are none.
fn always(definition: &Definition) -> BTreeSet<String> {
    let stops = |node: &Node| matches!(node.kind, Kind::End { .. });
    let mut found = BTreeSet::new();
    let mut at = (!definition.nodes.iter().any(stops)).then_some(0);
    while let Some(node) = at.and_then(|ix| definition.node(ix)) {
        match &node.kind {
            // Its arms lead to what follows it by themselves.
            Kind::Branch { .. } => break,
            Kind::Send(_) if node.when.is_none() => {
                found.insert(node.step.clone());
            }
            _ => {}
        }
        at = node.next;
    }
    found
}

fn parks(definition: &Definition) -> bool {
    let deadline = definition.deadline.as_ref().map(|d| d.then);
    let mut catches = definition.nodes.iter().flat_map(|node| node.catch.values());
    deadline == Some(Directive::Park) || catches.any(|catch| catch.then == Directive::Park)
}
