//! Avro schemas that stand alone: a type that another file of the folder defines is put where it is used first.
//!
//! Everything else stays as the author wrote it, so that a registry which knows the schema already recognises it.
//!
//! Absent on purpose: whether it is correct Avro in every detail. Who writes data with it reads it first (see `skald deploy`).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::uses::Files;

/// Deepest nesting of a schema.
const DEPTH_MAX: usize = 64;

/// Most bytes of the files of one schema.
const BYTES_MAX: usize = 256 * 1024;

const PRIMITIVES: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];

/// A schema that needs no other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inlined {
    /// Full name of its record.
    pub(super) name: String,
    /// JSON without spaces, keys sorted.
    pub(super) schema: String,
}

/// The text of `<folder>/<name>.avsc`; a name that is no file's is none.
pub(super) fn file(files: &Files<'_>, folder: &str, name: &str) -> Option<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let is_name = !name.is_empty() && name.bytes().all(legal) && !name.starts_with('.');
    is_name.then(|| files(&format!("{folder}/{name}.avsc")).ok())?
}

/// The schema `text` with everything inside that it refers to.
pub(super) fn inline(files: &Files<'_>, folder: &str, text: &str) -> Result<Inlined, String> {
    let mut inliner = Inliner {
        files,
        folder,
        known: BTreeSet::new(),
        bytes: 0,
    };
    let root = inliner.parse(text)?;
    let is_record = root.get("type").and_then(Value::as_str) == Some("record");
    let Some(name) = full_name(&root, "").filter(|_| is_record) else {
        return Err("its schema is no record".to_owned());
    };
    let schema = inliner.part(root, "", 0)?.to_string();
    Ok(Inlined { name, schema })
}

struct Inliner<'f> {
    files: &'f Files<'f>,
    folder: &'f str,
    /// Full names that are defined before the place that is read.
    known: BTreeSet<String>,
    bytes: usize,
}

impl Inliner<'_> {
    fn parse(&mut self, text: &str) -> Result<Value, String> {
        self.bytes += text.len();
        if self.bytes > BYTES_MAX {
            return Err(format!("its schema has more than {BYTES_MAX} bytes"));
        }
        serde_json::from_str(text).map_err(|error| format!("its schema is no JSON ({error})"))
    }

    fn part(&mut self, part: Value, namespace: &str, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err(format!("its schema nests deeper than {DEPTH_MAX} levels"));
        }
        match part {
            Value::String(name) => self.name(name, namespace, depth),
            Value::Array(branches) => {
                let branches = branches.into_iter();
                let branches = branches.map(|b| self.part(b, namespace, depth + 1));
                Ok(Value::Array(branches.collect::<Result<_, _>>()?))
            }
            Value::Object(object) => self.object(object, namespace, depth),
            other => Err(format!("`{other}` in its schema is no type")),
        }
    }

    /// A type by its name: where it is not known yet, its definition.
    fn name(&mut self, name: String, namespace: &str, depth: usize) -> Result<Value, String> {
        let full = in_namespace(&name, namespace);
        let is_known = |name: &str| PRIMITIVES.contains(&name) || self.known.contains(name);
        if is_known(&name) || is_known(&full) {
            return Ok(Value::String(name));
        }
        for candidate in [full.as_str(), last(&full)] {
            let Some(text) = file(self.files, self.folder, candidate) else {
                continue;
            };
            let mut found = self.parse(&text)?;
            let own = full_name(&found, "");
            if own.as_deref().is_some_and(|own| own == full || own == name) {
                keep_namespace(&mut found);
                return self.part(found, namespace, depth + 1);
            }
        }
        Err(format!(
            "its schema uses `{full}`, which is defined neither there nor in `{}/{}.avsc`",
            self.folder,
            last(&full)
        ))
    }

    fn object(
        &mut self,
        mut object: Map<String, Value>,
        namespace: &str,
        depth: usize,
    ) -> Result<Value, String> {
        let word = object.get("type").and_then(Value::as_str).unwrap_or("");
        let inner = match word {
            "record" | "error" => return self.record(object, namespace, depth),
            "enum" | "fixed" => {
                let value = Value::Object(object);
                self.known.extend(full_name(&value, namespace));
                return Ok(value);
            }
            "array" => "items",
            "map" => "values",
            _ => "type",
        };
        self.member(&mut object, inner, namespace, depth)?;
        Ok(Value::Object(object))
    }

    fn record(
        &mut self,
        object: Map<String, Value>,
        namespace: &str,
        depth: usize,
    ) -> Result<Value, String> {
        let mut record = Value::Object(object);
        let name = full_name(&record, namespace).ok_or("its schema has a record without a name")?;
        let within = name.rsplit_once('.').map_or("", |(space, _)| space);
        let within = within.to_owned();
        // Known before its fields are read: they may refer to it.
        self.known.insert(name);
        let fields = record.get_mut("fields").and_then(Value::as_array_mut);
        for field in fields.into_iter().flatten() {
            if let Value::Object(field) = field {
                self.member(field, "type", &within, depth)?;
            }
        }
        Ok(record)
    }

    fn member(
        &mut self,
        object: &mut Map<String, Value>,
        key: &str,
        namespace: &str,
        depth: usize,
    ) -> Result<(), String> {
        if let Some(part) = object.get_mut(key) {
            *part = self.part(part.take(), namespace, depth + 1)?;
        }
        Ok(())
    }
}

/// Inside another type, a type without a namespace would take over that one's.
fn keep_namespace(schema: &mut Value) {
    let has_dot = |name: &Value| name.as_str().is_some_and(|name| name.contains('.'));
    let Value::Object(object) = schema else {
        return;
    };
    if !object.get("name").is_some_and(has_dot) && !object.contains_key("namespace") {
        object.insert("namespace".to_owned(), Value::String(String::new()));
    }
}

fn full_name(schema: &Value, namespace: &str) -> Option<String> {
    let name = schema.get("name")?.as_str()?;
    let own = schema.get("namespace").and_then(Value::as_str);
    Some(in_namespace(name, own.unwrap_or(namespace)))
}

/// A name with a dot is full already.
fn in_namespace(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
