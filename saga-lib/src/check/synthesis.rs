//! Data that were made up: a trigger and replies from which every expression of a definition can read.
//!
//! Absent on purpose: a proof. A condition gets its value by trying a few; schemas are not asked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::expr::{Expr, Read, Scope};
use crate::ir::{Definition, Kind, Template};

use super::model::Model;
use super::story::Step;

/// The trigger's payload for a story.
pub(super) fn trigger(definition: &Definition, model: &Model, steps: &[Step]) -> Value {
    let Some(start) = definition.starts.first() else {
        return json!({});
    };
    let mut payload = json!({});
    let mut reads: Vec<Read> = expressions(definition)
        .iter()
        .flat_map(Expr::reads)
        .collect();
    reads.extend(start.key.reads());
    for read in reads
        .iter()
        .filter(|read| read.path.first() == Some(&start.bind))
    {
        let value = read.compared.first().map_or(json!("1"), |text| json!(text));
        put(&mut payload, &read.path[1..], value, false);
    }
    let wanted = steps.iter().flat_map(|(_, choices)| choices);
    for (name, value) in wanted {
        let Some(unknown) = model.unknowns.get(name) else {
            continue;
        };
        if let Ok(expr) = Expr::compile(&unknown.source) {
            adjust(&mut payload, &start.bind, &expr, value);
        }
    }
    payload
}

/// A body for the successes of each step, by step.
pub(super) fn replies(definition: &Definition) -> BTreeMap<String, Value> {
    let mut bodies = BTreeMap::new();
    let read: Vec<Read> = expressions(definition)
        .iter()
        .flat_map(Expr::reads)
        .collect();
    for node in &definition.nodes {
        let Kind::Send(send) = &node.kind else {
            continue;
        };
        let mut body = json!({});
        match &send.keep {
            Some(kept) => {
                let mut found = Vec::new();
                kept.values()
                    .for_each(|template| inside(template, &mut found));
                for read in found.iter().flat_map(Expr::reads) {
                    if read.path.first().is_some_and(|root| root == "reply") {
                        put(&mut body, &read.path[1..], json!("1"), false);
                    }
                }
            }
            None => {
                let own = |read: &&Read| read.path.first().is_some_and(|r| r == node.result());
                for read in read.iter().filter(own) {
                    put(&mut body, &read.path[1..], json!("1"), false);
                }
            }
        }
        bodies.insert(node.step.clone(), body);
    }
    bodies
}

/// Looks for values under which `expr` is what the story says.
fn adjust(payload: &mut Value, bind: &str, expr: &Expr, wanted: &Value) {
    let is_so = |payload: &Value| {
        let scope = Scope::new().with(bind, payload);
        let value = expr.evaluate(&scope);
        value.is_ok_and(|value| match wanted {
            Value::Array(list) => value.as_array().is_some_and(|v| v.len() == list.len()),
            wanted => value == *wanted,
        })
    };
    if is_so(payload) {
        return;
    }
    let reads = expr.reads();
    for read in reads
        .iter()
        .filter(|read| read.path.first().is_some_and(|root| root == bind))
    {
        for value in candidates(read, wanted) {
            let mut tried = payload.clone();
            put(&mut tried, &read.path[1..], value, true);
            if is_so(&tried) {
                *payload = tried;
                return;
            }
        }
    }
}

fn candidates(read: &Read, wanted: &Value) -> Vec<Value> {
    let mut values = vec![
        wanted.clone(),
        json!(true),
        json!(false),
        json!(0),
        json!(1_000_000),
    ];
    if let Value::Array(list) = wanted {
        values.push(Value::Array(vec![json!({}); list.len()]));
    }
    values.extend(read.compared.iter().map(|text| json!(text)));
    values.extend([json!("other"), json!([]), json!([{}, {}])]);
    values
}

/// Puts a value at a path; what is there already stays unless it is to be replaced, and objects stay where a field is read below them.
fn put(place: &mut Value, path: &[String], value: Value, replace: bool) {
    let Some((name, rest)) = path.split_first() else {
        if replace || place.is_null() {
            *place = value;
        }
        return;
    };
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    let Some(fields) = place.as_object_mut() else {
        return;
    };
    let slot = fields.entry(name.clone()).or_insert(Value::Null);
    put(slot, rest, value, replace);
}

/// Every expression of a definition that reads data.
fn expressions(definition: &Definition) -> Vec<Expr> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let document = serde_json::to_value(definition).unwrap_or_default();
    sources(&document, &mut seen);
    found.extend(seen.iter().filter_map(|source| Expr::compile(source).ok()));
    found
}

/// Expressions stand in the canonical form as their sources.
fn sources(value: &Value, seen: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let bare = matches!(
                    name.as_str(),
                    "expr" | "when" | "key" | "filter" | "until" | "over"
                );
                match field {
                    Value::String(text) if bare => {
                        seen.insert(text.clone());
                    }
                    Value::Array(arms) if name == "arms" => {
                        let conditions = arms.iter().filter_map(|arm| arm.get(0)?.as_str());
                        seen.extend(conditions.map(str::to_owned));
                    }
                    field => sources(field, seen),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| sources(value, seen)),
        _ => {}
    }
}

fn inside(template: &Template, found: &mut Vec<Expr>) {
    match template {
        Template::Literal(_) => {}
        Template::Expr(expr) => found.push(expr.clone()),
        Template::Object(fields) => fields.values().for_each(|t| inside(t, found)),
        Template::Array(list) => list.iter().for_each(|t| inside(t, found)),
    }
}
