//! Values between JSON and the evaluator.
//!
//! Integers stay integers in both directions up to the full 64 bits; nothing is rounded. Objects come back with sorted keys.
//!
//! Absent on purpose: values JSON does not have (bytes, types, infinite numbers). A result of that kind is a fault.

use std::collections::HashMap;

use cel::Value as Cel;
use cel::objects::Key;
use serde_json::{Map, Number, Value};

use super::{RESULT_BYTES_MAX, RESULT_DEPTH_MAX};

/// Text shown of a scalar, in characters.
const SHOWN_CHARS_MAX: usize = 64;

/// The evaluator's form of `value`.
pub(super) fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(b) => Cel::Bool(*b),
        Value::Number(n) => number_to_cel(n),
        Value::String(s) => Cel::from(s.as_str()),
        Value::Array(items) => Cel::from(items.iter().map(to_cel).collect::<Vec<_>>()),
        Value::Object(fields) => object_to_cel(fields),
    }
}

/// The JSON form of `value`, if it has one that is small enough.
pub(super) fn from_cel(value: &Cel) -> Result<Value, String> {
    convert(value, &mut Room::new())
}

/// Is `value` small enough for a result?
pub(super) fn check_size(value: &Value) -> Result<(), String> {
    measure(value, &mut Room::new())
}

/// What a result may still take.
struct Room {
    bytes: usize,
    levels: usize,
}

impl Room {
    fn new() -> Self {
        Self {
            bytes: RESULT_BYTES_MAX,
            levels: RESULT_DEPTH_MAX,
        }
    }

    fn take(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes = self
            .bytes
            .checked_sub(bytes)
            .ok_or_else(|| format!("the result is larger than {RESULT_BYTES_MAX} bytes"))?;
        Ok(())
    }

    /// One level further in, for as long as `f` runs.
    fn inside<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.levels = self
            .levels
            .checked_sub(1)
            .ok_or_else(|| format!("the result nests deeper than {RESULT_DEPTH_MAX} levels"))?;
        let result = f(self);
        self.levels += 1;
        result
    }
}

/// What `value` is, for people: a scalar by its text, anything else by its kind and size.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) => format!("an object of {} fields", fields.len()),
        scalar => shorten(&scalar.to_string()),
    }
}

/// As [`describe`], for the evaluator's form. Never by its `Debug` form: that one shows maps in the order of their hashes.
pub(super) fn describe_cel(value: &Cel) -> String {
    match value {
        Cel::List(items) => format!("a list of {}", items.len()),
        Cel::Map(map) => format!("an object of {} fields", map.map.len()),
        scalar => from_cel(scalar).map_or_else(|_| kind(scalar).to_owned(), |v| describe(&v)),
    }
}

/// The name of a value's type, as expressions write it.
pub(super) fn kind(value: &Cel) -> &'static str {
    match value {
        Cel::List(_) => "list",
        Cel::Map(_) => "map",
        Cel::Int(_) => "int",
        Cel::UInt(_) => "uint",
        Cel::Float(_) => "double",
        Cel::String(_) => "string",
        Cel::Bytes(_) => "bytes",
        Cel::Bool(_) => "bool",
        Cel::Null => "null",
        _ => "value without a JSON form",
    }
}

fn number_to_cel(n: &Number) -> Cel {
    match (n.as_i64(), n.as_u64()) {
        (Some(i), _) => Cel::Int(i),
        (None, Some(u)) => Cel::UInt(u),
        (None, None) => Cel::Float(n.as_f64().unwrap_or(f64::NAN)),
    }
}

fn object_to_cel(fields: &Map<String, Value>) -> Cel {
    let map: HashMap<Key, Cel> = fields
        .iter()
        .map(|(k, v)| (Key::from(k.as_str()), to_cel(v)))
        .collect();
    Cel::from(map)
}

fn convert(value: &Cel, room: &mut Room) -> Result<Value, String> {
    room.take(8)?;
    Ok(match value {
        Cel::Null => Value::Null,
        Cel::Bool(b) => Value::Bool(*b),
        Cel::Int(i) => Value::from(*i),
        Cel::UInt(u) => Value::from(*u),
        Cel::Float(f) => Value::Number(finite(*f)?),
        Cel::String(s) => {
            room.take(s.len())?;
            Value::String(s.to_string())
        }
        Cel::List(items) => Value::Array(room.inside(|room| convert_list(items, room))?),
        Cel::Map(map) => Value::Object(room.inside(|room| convert_map(&map.map, room))?),
        other => return Err(format!("the result is {}", with_article(kind(other)))),
    })
}

fn convert_list(items: &[Cel], room: &mut Room) -> Result<Vec<Value>, String> {
    items.iter().map(|item| convert(item, room)).collect()
}

fn convert_map(map: &HashMap<Key, Cel>, room: &mut Room) -> Result<Map<String, Value>, String> {
    // Sorted before the conversion, so that even the fault is the same whatever the hashes are.
    let mut entries: Vec<(&Key, &Cel)> = map.iter().collect();
    entries.sort_by(|a, b| a.0.cmp(b.0));
    let mut object = Map::new();
    for (key, value) in entries {
        let Key::String(key) = key else {
            return Err(format!("the key `{key}` of an object is not text"));
        };
        room.take(key.len())?;
        object.insert(key.to_string(), convert(value, room)?);
    }
    Ok(object)
}

fn finite(f: f64) -> Result<Number, String> {
    Number::from_f64(f).ok_or_else(|| format!("the result {f} is not a number of JSON"))
}

fn measure(value: &Value, room: &mut Room) -> Result<(), String> {
    room.take(8)?;
    match value {
        Value::String(s) => room.take(s.len()),
        Value::Array(items) => {
            room.inside(|room| items.iter().try_for_each(|item| measure(item, room)))
        }
        Value::Object(fields) => room.inside(|room| {
            fields.iter().try_for_each(|(key, value)| {
                room.take(key.len())?;
                measure(value, room)
            })
        }),
        _ => Ok(()),
    }
}

fn with_article(kind: &str) -> String {
    format!("a {kind}")
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return text.to_owned();
    }
    let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{start}...")
}
