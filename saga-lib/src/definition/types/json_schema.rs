//! JSON Schema as types.
//!
//! Absent on purpose: conditions (`if`, `anyOf` of objects), patterns and bounds; what they describe is unknown.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::{DEPTH_MAX, PARTS_MAX, Slot, Type};

/// The place that a schema describes.
pub(super) fn slot(schema: &Value) -> Slot {
    let mut reader = Reader {
        root: schema,
        parts: 0,
    };
    reader.slot(schema, 0)
}

struct Reader<'s> {
    root: &'s Value,
    parts: usize,
}

impl Reader<'_> {
    fn slot(&mut self, schema: &Value, depth: usize) -> Slot {
        self.parts += 1;
        if depth > DEPTH_MAX || self.parts > PARTS_MAX {
            return Slot::of(Type::Any);
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let target = reference
                .strip_prefix('#')
                .and_then(|p| self.root.pointer(p));
            return match target.cloned() {
                Some(target) => self.slot(&target, depth + 1),
                None => Slot::of(Type::Any),
            };
        }
        let names = names(schema);
        let nullable = names.contains(&"null");
        let mut others = names.iter().filter(|name| **name != "null");
        let r#type = match (others.next(), others.next()) {
            (Some(name), None) => self.typed(name, schema, depth),
            _ => Type::Any,
        };
        Slot {
            nullable,
            ..Slot::of(r#type)
        }
    }

    fn typed(&mut self, name: &str, schema: &Value, depth: usize) -> Type {
        match name {
            "boolean" => Type::Boolean,
            "integer" | "number" => Type::Number,
            "string" => text(schema),
            "array" => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                Type::List(Rc::new(self.slot(items, depth + 1)))
            }
            "object" => self.record(schema, depth),
            _ => Type::Any,
        }
    }

    fn record(&mut self, schema: &Value, depth: usize) -> Type {
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| {
            let mut names = required.into_iter().flatten();
            names.any(|n| n.as_str() == Some(name))
        };
        let mut fields = BTreeMap::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let mut slot = self.slot(property, depth + 1);
            slot.required = is_required(name);
            fields.insert(name.clone(), slot);
        }
        // A schema that names no field describes none; one that names some means them, unless it says otherwise.
        let more = schema.get("additionalProperties");
        let composed = ["allOf", "anyOf", "oneOf", "patternProperties"];
        let open = fields.is_empty()
            || more.is_some_and(|more| *more != Value::Bool(false))
            || composed.iter().any(|key| schema.get(*key).is_some());
        Type::Record { fields, open }
    }
}

fn names(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn text(schema: &Value) -> Type {
    match schema.get("enum").and_then(Value::as_array) {
        Some(symbols) => {
            let names = symbols.iter().filter_map(Value::as_str);
            Type::Symbols(names.map(str::to_owned).collect())
        }
        None => Type::Text,
    }
}
