//! Definitions for tests, and small changes to them. Expressions are plain paths.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::expr::Expr;
use crate::ir::{
    Await, Catch, Compensation, Counter, Definition, Directive, Duplicates, Finally, From, Jitter,
    Kind, LAYOUT, Node, Publish, Retry, Rung, RungAction, Send, Start, StepKind, Target, Template,
    Variable, Wait,
};

/// Attempts of a forward command.
pub const ATTEMPTS: u32 = 3;

pub fn expr(source: &str) -> Expr {
    Expr::compile(source).unwrap()
}

pub fn path(source: &str) -> Template {
    Template::Expr(expr(source))
}

pub fn object<const N: usize>(fields: [(&str, Template); N]) -> Template {
    Template::Object(fields.map(|(k, v)| (k.to_owned(), v)).into())
}

pub fn literal(value: Value) -> Template {
    Template::Literal(value)
}

/// credit, stock (compensatable), payment (pivot), ship, invoice (retriable).
pub fn order() -> Definition {
    definition(vec![
        compensatable("credit"),
        compensatable("stock"),
        step("payment", StepKind::Pivot),
        step("ship", StepKind::Retriable),
        step("invoice", StepKind::Retriable),
    ])
}

/// credit, stock, carrier: every one compensatable, no pivot.
pub fn booking() -> Definition {
    definition(vec![
        compensatable("credit"),
        compensatable("stock"),
        compensatable("carrier"),
    ])
}

/// credit, then the event `Delivered` is awaited.
pub fn delivery() -> Definition {
    definition(vec![
        compensatable("credit"),
        awaiting("delivered", "Delivered"),
    ])
}

/// A step that awaits an event of this type.
pub fn awaiting(step: &str, r#type: &str) -> Node {
    let wait = Wait {
        events: vec![Await {
            name: "ok".to_owned(),
            topic: "logistics".to_owned(),
            r#type: Some(r#type.to_owned()),
            key: expr("event.order"),
            filter: None,
        }],
        ladder: vec![Rung {
            after_ms: 60_000,
            repeat_ms: None,
            action: RungAction::Route("timeout".to_owned()),
        }],
        ..Wait::default()
    };
    node(step, Kind::Wait(wait))
}

/// Links the nodes one after the other.
pub fn relink(mut definition: Definition) -> Definition {
    let count = definition.nodes.len();
    for (ix, node) in definition.nodes.iter_mut().enumerate() {
        node.next = (ix + 1 < count).then_some(ix as u32 + 1);
    }
    definition
}

pub fn definition(nodes: Vec<Node>) -> Definition {
    relink(Definition {
        layout: LAYOUT,
        name: "order".to_owned(),
        version: 1,
        starts: vec![start()],
        data: vec![Variable {
            name: "note".to_owned(),
            r#type: None,
            init: literal(json!("initial")),
        }],
        nodes,
        finally: Finally {
            completed: vec![publish("Done")],
            compensated: vec![Publish {
                payload: object([("reason", path("error.code")), ("step", path("error.step"))]),
                ..publish("Cancelled")
            }],
            parked: vec![publish("Stuck")],
        },
        retain_ms: 3_600_000,
        deadline: None,
        measure: BTreeMap::new(),
        avro: Vec::new(),
    })
}

pub fn publish(r#type: &str) -> Publish {
    Publish {
        topic: "orders".to_owned(),
        r#type: r#type.to_owned(),
        key: None,
        payload: object([("id", path("order.id"))]),
        given: Vec::new(),
    }
}

fn start() -> Start {
    Start {
        topic: "orders".to_owned(),
        r#type: None,
        bind: "order".to_owned(),
        key: expr("order.id"),
        filter: None,
        id: None,
        duplicates: Duplicates::Ignore,
        from: From::Activation,
    }
}

pub fn node(step: &str, kind: Kind) -> Node {
    Node::new(step, kind)
}

pub fn set(step: &str, name: &str, value: Template) -> Node {
    node(step, Kind::Set(BTreeMap::from([(name.to_owned(), value)])))
}

pub fn step(name: &str, kind: StepKind) -> Node {
    let send = Send {
        target: target(name, "do"),
        payload: object([("total", path("order.total"))]),
        key: None,
        keep: None,
        kind,
        success: vec!["ok".to_owned()],
        refusal: vec!["refused".to_owned(), "declined".to_owned()],
        compensation: Compensation::NotApplicable,
        timeout_ms: 30_000,
        retry: retry(Some(ATTEMPTS)),
        types: BTreeMap::new(),
        outcome: None,
        fallback: None,
        query: None,
    };
    node(name, Kind::Send(Box::new(send)))
}

pub fn compensatable(name: &str) -> Node {
    let compensation = Compensation::Command(Box::new(Counter {
        target: target(name, "undo"),
        payload: Some(object([
            ("request", path("request")),
            ("note", path("note")),
        ])),
        timeout_ms: 30_000,
        retry: retry(None),
        success: vec!["ok".to_owned()],
        refusal: vec!["refused".to_owned()],
        types: BTreeMap::new(),
        outcome: None,
    }));
    with(step(name, StepKind::Compensatable), |send| {
        send.compensation = compensation;
    })
}

pub fn with(mut node: Node, change: impl FnOnce(&mut Send)) -> Node {
    if let Kind::Send(send) = &mut node.kind {
        change(send);
    }
    node
}

pub fn catching(mut node: Node, outcome: &str, then: Directive) -> Node {
    let catch = Catch { run: None, then };
    node.catch.insert(outcome.to_owned(), catch);
    node
}

pub fn retry(max: Option<u32>) -> Retry {
    Retry {
        max,
        first_ms: 200,
        factor: 2.0,
        cap_ms: 10_000,
        jitter: Jitter::Full,
        within_ms: None,
        after_failed: true,
        after_timeout: true,
    }
}

fn target(name: &str, r#type: &str) -> Target {
    Target {
        operation: format!("{name}.{}", r#type),
        topic: format!("{name}.commands"),
        r#type: r#type.to_owned(),
        replies: None,
    }
}
