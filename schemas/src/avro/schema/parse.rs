//! From the JSON of a schema to types.
//!
//! Absent on purpose: logical types (see `logical`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::avro::{SCHEMA_BYTES_MAX, TYPES_MAX};
use crate::{json, limits};

use super::{Error, Field, Record, Schema, Type, TypeNo, logical};

type Object = Map<String, Value>;

pub(super) fn parse(text: &str, references: &[String]) -> Result<Schema, Error> {
    let bytes = text.len() + references.iter().map(String::len).sum::<usize>();
    if bytes > SCHEMA_BYTES_MAX {
        return Err(Error::TooLarge {
            bytes,
            max: SCHEMA_BYTES_MAX,
        });
    }
    let mut parser = Parser::default();
    for reference in references {
        parser.outermost(reference)?;
    }
    let root = parser.outermost(text)?;
    Ok(Schema {
        types: parser.types,
        root,
    })
}

#[derive(Default)]
struct Parser {
    types: Vec<Type>,
    names: BTreeMap<String, TypeNo>,
    /// Names of the types and fields around, for messages.
    place: Vec<String>,
}

/// Where a type stands.
#[derive(Clone, Copy)]
struct At<'a> {
    namespace: &'a str,
    depth: usize,
}

impl<'a> At<'a> {
    fn inner(self) -> Self {
        Self {
            depth: self.depth + 1,
            ..self
        }
    }

    fn within(self, namespace: &'a str) -> Self {
        Self {
            namespace,
            ..self.inner()
        }
    }
}

impl Parser {
    fn outermost(&mut self, text: &str) -> Result<TypeNo, Error> {
        // Registries hand out a bare name without quotes for a schema that is only a primitive type.
        let value = serde_json::from_str(text).or_else(|error| match primitive(text.trim()) {
            Some(_) => Ok(Value::String(text.trim().to_owned())),
            None => Err(Error::Json {
                problem: error.to_string(),
            }),
        })?;
        self.read(
            &value,
            At {
                namespace: "",
                depth: 0,
            },
        )
    }

    fn read(&mut self, value: &Value, at: At<'_>) -> Result<TypeNo, Error> {
        if at.depth > json::DEPTH_MAX {
            return self.refuse(format!("nested deeper than {} levels", json::DEPTH_MAX));
        }
        match value {
            Value::String(name) => self.named(name, at),
            Value::Array(branches) => self.union(branches, at),
            Value::Object(object) => self.object(object, at),
            _ => self.refuse("a type is a name, a list or an object"),
        }
    }

    /// A primitive type, or one that was defined before.
    fn named(&mut self, name: &str, at: At<'_>) -> Result<TypeNo, Error> {
        if let Some(primitive) = primitive(name) {
            return self.add(primitive);
        }
        let full = full_name(name, at.namespace);
        let known = self.names.get(&full).or_else(|| self.names.get(name));
        match known {
            Some(no) => Ok(*no),
            None => Err(Error::Undefined {
                place: self.place(),
                name: full,
            }),
        }
    }

    fn union(&mut self, branches: &[Value], at: At<'_>) -> Result<TypeNo, Error> {
        let read = |branch| self.read(branch, at.inner());
        let branches = branches.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if branches.is_empty() {
            return self.refuse("a union without branches");
        }
        self.add(Type::Union(branches))
    }

    fn object(&mut self, object: &Object, at: At<'_>) -> Result<TypeNo, Error> {
        let kind = match object.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(inner) => return self.read(inner, at.inner()),
            None => return self.refuse("`type` is missing"),
        };
        match kind {
            "record" | "error" => self.record(object, at),
            "enum" => self.symbols(object, at),
            "fixed" => self.fixed(object, at),
            "array" => {
                let of = self.part(object, "items", at)?;
                self.add(Type::Array(of))
            }
            "map" => {
                let of = self.part(object, "values", at)?;
                self.add(Type::Map(of))
            }
            name => match primitive(name) {
                Some(primitive) => {
                    let logical = logical::of(primitive, object);
                    let r#type = self.placed(logical)?;
                    self.add(r#type)
                }
                None => self.named(name, at),
            },
        }
    }

    fn part(&mut self, object: &Object, key: &str, at: At<'_>) -> Result<TypeNo, Error> {
        match object.get(key) {
            Some(part) => self.read(part, at.inner()),
            None => self.refuse(format!("`{key}` is missing")),
        }
    }

    fn record(&mut self, object: &Object, at: At<'_>) -> Result<TypeNo, Error> {
        let name = self.name(object, at)?;
        self.place.push(name.clone());
        // Its number is known before its fields are read: they may refer to it.
        let empty = Record {
            name: name.clone(),
            fields: Vec::new(),
        };
        let no = self.define(&name, Type::Record(empty))?;
        let Some(Value::Array(list)) = object.get("fields") else {
            return self.refuse("`fields` is not a list");
        };
        let namespace = namespace(&name).to_owned();
        let (mut fields, mut names) = (Vec::new(), BTreeSet::new());
        for field in list {
            let field = self.field(field, at.within(&namespace))?;
            if !names.insert(field.name.clone()) {
                return self.refuse(format!("two fields are called `{}`", field.name));
            }
            fields.push(field);
        }
        self.place.pop();
        self.types[no] = Type::Record(Record { name, fields });
        Ok(no)
    }

    fn field(&mut self, field: &Value, at: At<'_>) -> Result<Field, Error> {
        let Some(name) = field.get("name").and_then(Value::as_str) else {
            return self.refuse("a field without `name`");
        };
        self.place.push(name.to_owned());
        let of = match field.get("type") {
            Some(of) => self.read(of, at)?,
            None => return self.refuse("`type` is missing"),
        };
        self.place.pop();
        Ok(Field {
            name: name.to_owned(),
            of,
            default: field.get("default").cloned(),
        })
    }

    fn symbols(&mut self, object: &Object, at: At<'_>) -> Result<TypeNo, Error> {
        let name = self.name(object, at)?;
        let list = object.get("symbols").and_then(Value::as_array);
        let symbols: Option<Vec<_>> =
            list.and_then(|list| list.iter().map(|s| s.as_str().map(str::to_owned)).collect());
        match symbols {
            Some(symbols) if !symbols.is_empty() => {
                self.define(&name.clone(), Type::Enum { name, symbols })
            }
            _ => self.refuse("`symbols` is not a list of texts"),
        }
    }

    fn fixed(&mut self, object: &Object, at: At<'_>) -> Result<TypeNo, Error> {
        let name = self.name(object, at)?;
        let size = object.get("size").and_then(Value::as_u64);
        let size = size.and_then(|size| usize::try_from(size).ok());
        match size.filter(|size| *size <= limits::RECORD_BYTES_MAX) {
            Some(size) => {
                let fixed = Type::Fixed {
                    name: name.clone(),
                    size,
                };
                let logical = logical::of(fixed, object);
                let r#type = self.placed(logical)?;
                self.define(&name, r#type)
            }
            None => self.refuse(format!("`size` is not 0 to {}", limits::RECORD_BYTES_MAX)),
        }
    }

    fn name(&mut self, object: &Object, at: At<'_>) -> Result<String, Error> {
        let Some(name) = object.get("name").and_then(Value::as_str) else {
            return self.refuse("`name` is missing");
        };
        let own = object.get("namespace").and_then(Value::as_str);
        let full = full_name(name, own.unwrap_or(at.namespace));
        if self.names.contains_key(&full) {
            return self.refuse(format!("two types are called `{full}`"));
        }
        Ok(full)
    }

    fn define(&mut self, name: &str, r#type: Type) -> Result<TypeNo, Error> {
        let no = self.add(r#type)?;
        self.names.insert(name.to_owned(), no);
        Ok(no)
    }

    fn add(&mut self, r#type: Type) -> Result<TypeNo, Error> {
        if self.types.len() >= TYPES_MAX {
            return self.refuse(format!("more than {TYPES_MAX} types"));
        }
        self.types.push(r#type);
        Ok(self.types.len() - 1)
    }

    fn placed<T>(&self, result: Result<T, String>) -> Result<T, Error> {
        result.or_else(|problem| self.refuse(problem))
    }

    fn refuse<T>(&self, problem: impl Into<String>) -> Result<T, Error> {
        Err(Error::Invalid {
            place: self.place(),
            problem: problem.into(),
        })
    }

    fn place(&self) -> String {
        match self.place.as_slice() {
            [] => "the outermost type".to_owned(),
            names => names.join("."),
        }
    }
}

fn primitive(name: &str) -> Option<Type> {
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" => Type::Int,
        "long" => Type::Long,
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes,
        "string" => Type::String,
        _ => return None,
    })
}

/// A name with a dot is full already.
fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

fn namespace(full: &str) -> &str {
    full.rsplit_once('.').map_or("", |(namespace, _)| namespace)
}
