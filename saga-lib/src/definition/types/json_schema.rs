//! JSON Schema as types.
//!
//! What a `$ref` names is read once per depth and shared: a schema may name one part in many places.
//!
//! Absent on purpose: conditions (`if`, `anyOf` of objects), patterns and bounds; what they describe is unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value;

use super::{DEPTH_MAX, PARTS_MAX, Slot, Type};

/// What stands where a schema says nothing.
static NOTHING: Value = Value::Null;

/// The place that a schema describes.
pub(super) fn slot(schema: &Value) -> Slot {
    let mut reader = Reader {
        root: schema,
        parts: 0,
        read: BTreeMap::new(),
    };
    reader.slot(schema, 0)
}

struct Reader<'s> {
    root: &'s Value,
    parts: usize,
    /// What references lead to, by the depth they stand at: the deeper one is, the less of it is followed.
    read: BTreeMap<(&'s str, usize), Slot>,
}

impl<'s> Reader<'s> {
    fn slot(&mut self, schema: &'s Value, depth: usize) -> Slot {
        self.parts += 1;
        if depth > DEPTH_MAX || self.parts > PARTS_MAX {
            return Slot::of(Type::Any);
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.target(reference, depth);
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

    fn target(&mut self, reference: &'s str, depth: usize) -> Slot {
        if let Some(known) = self.read.get(&(reference, depth)) {
            return known.clone();
        }
        let root = self.root;
        let target = reference.strip_prefix('#').and_then(|p| root.pointer(p));
        let slot = target.map_or(Slot::of(Type::Any), |t| self.slot(t, depth + 1));
        self.read.insert((reference, depth), slot.clone());
        slot
    }

    fn typed(&mut self, name: &str, schema: &'s Value, depth: usize) -> Type {
        match name {
            "boolean" => Type::Boolean,
            "integer" | "number" => Type::Number,
            "string" => text(schema),
            "array" => {
                let items = schema.get("items").unwrap_or(&NOTHING);
                Type::List(Rc::new(self.slot(items, depth + 1)))
            }
            "object" => self.record(schema, depth),
            _ => Type::Any,
        }
    }

    fn record(&mut self, schema: &'s Value, depth: usize) -> Type {
        let required = schema.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        let required: BTreeSet<&str> = required.collect();
        let mut fields = BTreeMap::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let mut slot = self.slot(property, depth + 1);
            slot.required = required.contains(name.as_str());
            fields.insert(name.clone(), slot);
        }
        // A schema that names no field describes none; one that names some means them, unless it says otherwise.
        let more = schema.get("additionalProperties");
        let composed = ["allOf", "anyOf", "oneOf", "patternProperties"];
        let open = fields.is_empty()
            || more.is_some_and(|more| *more != Value::Bool(false))
            || composed.iter().any(|key| schema.get(*key).is_some());
        Type::Record {
            fields: Rc::new(fields),
            open,
        }
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
