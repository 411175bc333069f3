//! The JSON Schema for editors.
//!
//! Verbs are told apart by `if` and `then`: an editor then completes the keys of the verb that is there, and reports what is wrong with
//! that verb instead of with all of them.
//!
//! Absent on purpose: expressions and names; `skald check` knows them.

use serde_json::{Map, Value, json};

use super::super::fields::{
    CONTRACT, FRAGMENT, OBJECTS, OPERATION, Object, SAGA, Shape, VERBS, Verb,
};
use super::{slug, supported};

/// The schema of definition, contract and fragment files, as text.
pub fn schema() -> String {
    let mut definitions = Map::new();
    for object in OBJECTS {
        definitions.insert(slug(object), mapping(object));
    }
    definitions.insert("step".to_owned(), step());
    let steps = json!({ "type": "array", "items": reference("step") });
    definitions.insert("steps".to_owned(), steps);
    let whole = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Skald: sagas, contracts and fragments",
        "type": "object",
        "if": { "required": ["contract"] },
        "then": reference(&slug(&CONTRACT)),
        "else": {
            "if": { "required": ["fragment"] },
            "then": reference(&slug(&FRAGMENT)),
            "else": reference(&slug(&SAGA)),
        },
        "definitions": definitions,
    });
    let text = serde_json::to_string_pretty(&whole).unwrap_or_default();
    text + "\n"
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{name}") })
}

fn mapping(object: &Object) -> Value {
    let properties: Map<String, Value> = supported(object)
        .map(|field| (field.name.to_owned(), described(field.shape, field.doc)))
        .collect();
    let required = supported(object).filter(|field| field.required);
    let required: Vec<&str> = required.map(|field| field.name).collect();
    let mut out = json!({ "type": "object", "properties": properties, "required": required });
    if object.name == CONTRACT.name {
        out["patternProperties"] = json!({ "\\.": reference(&slug(&OPERATION)) });
    }
    out["additionalProperties"] = json!(false);
    out
}

/// A step: the keys of all verbs for completion, and those of its verb for checks.
fn step() -> Value {
    let verbs = || VERBS.iter().filter(|verb| verb.part.is_supported());
    let mut properties = Map::new();
    for field in verbs().flat_map(|verb| supported(verb.object)) {
        properties.insert(field.name.to_owned(), json!({ "description": field.doc }));
    }
    let cases: Vec<Value> = verbs().map(case).collect();
    json!({
        "type": "object",
        "properties": properties,
        "allOf": cases,
    })
}

fn case(verb: &Verb) -> Value {
    json!({ "if": { "required": [verb.name] }, "then": reference(&slug(verb.object)) })
}

fn described(shape: Shape, doc: &str) -> Value {
    let mut value = value(shape);
    if let Value::Object(fields) = &mut value {
        if fields.contains_key("$ref") {
            return json!({ "description": doc, "allOf": [value] });
        }
        fields.insert("description".to_owned(), json!(doc));
    }
    value
}

fn value(shape: Shape) -> Value {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    match shape {
        Shape::Text | Shape::Expression => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Name => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Topic => text("^[A-Za-z0-9._-]{1,249}$"),
        Shape::Operation => text("^[A-Za-z0-9_.-]+\\.[A-Za-z0-9_-]+$"),
        Shape::File => json!({ "type": "string" }),
        Shape::Integer(low, high) => {
            json!({ "type": "integer", "minimum": low, "maximum": high })
        }
        Shape::Number(low, high) => json!({ "type": "number", "minimum": low, "maximum": high }),
        Shape::Duration => text("^[0-9]+(ms|s|m|h|d)$"),
        Shape::Percent => text("^[1-9][0-9]?%$"),
        Shape::Time => text("^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]{8}Z)?$"),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Data | Shape::Later => json!({}),
        Shape::Mapping(object) => reference(&slug(object)),
        Shape::Map(inner) => json!({
            "type": "object", "minProperties": 1, "additionalProperties": value(*inner),
        }),
        Shape::List(inner) => json!({ "type": "array", "items": value(*inner) }),
        Shape::OneOrMany(inner) => json!({
            "if": { "type": "array" },
            "then": { "type": "array", "minItems": 1, "items": value(*inner) },
            "else": value(*inner),
        }),
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(|shape| value(*shape)).collect::<Vec<_>>() })
        }
        Shape::Steps => reference("steps"),
    }
}
