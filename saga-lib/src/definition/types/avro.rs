//! Avro schemas as types.
//!
//! Absent on purpose: aliases and order, which do not change which fields there are, and what logical types look like.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::{DEPTH_MAX, PARTS_MAX, Slot, Type};

/// The place that a schema describes.
pub(super) fn slot(schema: &Value) -> Slot {
    let mut reader = Reader::default();
    reader.slot(schema, 0)
}

#[derive(Default)]
struct Reader {
    named: BTreeMap<String, Type>,
    parts: usize,
}

impl Reader {
    fn slot(&mut self, schema: &Value, depth: usize) -> Slot {
        self.parts += 1;
        if depth > DEPTH_MAX || self.parts > PARTS_MAX {
            return Slot::of(Type::Any);
        }
        match schema {
            Value::String(name) => self.name(name),
            Value::Array(options) => self.union(options, depth),
            Value::Object(_) => Slot::of(self.complex(schema, depth)),
            _ => Slot::of(Type::Any),
        }
    }

    fn name(&self, name: &str) -> Slot {
        let r#type = match name {
            "boolean" => Type::Boolean,
            "int" | "long" | "float" | "double" => Type::Number,
            "string" => Type::Text,
            "null" => return nullable(Type::Any),
            name => self.named.get(short(name)).cloned().unwrap_or(Type::Any),
        };
        Slot::of(r#type)
    }

    fn union(&mut self, options: &[Value], depth: usize) -> Slot {
        let is_null = |option: &&Value| option.as_str() == Some("null");
        let others: Vec<&Value> = options.iter().filter(|o| !is_null(o)).collect();
        let mut slot = match others.as_slice() {
            [one] => self.slot(one, depth + 1),
            _ => Slot::of(Type::Any),
        };
        slot.nullable |= others.len() < options.len();
        slot
    }

    fn complex(&mut self, schema: &Value, depth: usize) -> Type {
        let r#type = match schema.get("type") {
            Some(Value::String(name)) => name.as_str(),
            Some(inner) => return self.slot(inner, depth + 1).r#type,
            None => return Type::Any,
        };
        let made = match r#type {
            "record" | "error" => self.record(schema, depth),
            "enum" => symbols(schema),
            "array" => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                Type::List(Rc::new(self.slot(items, depth + 1)))
            }
            "map" => Type::Record {
                fields: Rc::default(),
                open: true,
            },
            "fixed" | "bytes" => Type::Any,
            // Times are text, where they are read and, but for one kind, where they are written.
            "int" | "long" if schema.get("logicalType").is_some() => Type::Any,
            name => self.name(name).r#type,
        };
        if let Some(name) = schema.get("name").and_then(Value::as_str) {
            self.named.insert(short(name).to_owned(), made.clone());
        }
        made
    }

    fn record(&mut self, schema: &Value, depth: usize) -> Type {
        let mut fields = BTreeMap::new();
        let list = schema.get("fields").and_then(Value::as_array);
        for field in list.into_iter().flatten() {
            let name = field.get("name").and_then(Value::as_str);
            let r#type = field.get("type");
            if let Some((name, r#type)) = name.zip(r#type) {
                let slot = self.slot(r#type, depth + 1);
                fields.insert(name.to_owned(), slot);
            }
        }
        Type::Record {
            fields: Rc::new(fields),
            open: false,
        }
    }
}

fn symbols(schema: &Value) -> Type {
    let list = schema.get("symbols").and_then(Value::as_array);
    let names = list.into_iter().flatten().filter_map(Value::as_str);
    Type::Symbols(names.map(str::to_owned).collect())
}

fn nullable(r#type: Type) -> Slot {
    Slot {
        nullable: true,
        ..Slot::of(r#type)
    }
}

/// Names are compared without their namespace.
fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
