//! Avro of other owners: Confluent framing, binary data and JSON, in both directions.
//!
//! Expressions and saga documents know JSON only, so a datum becomes the JSON that a service would have published instead:
//!
//! | Avro | JSON |
//! |---|---|
//! | `null`, `boolean`, `string`, `array`, `map`, `record` | the same |
//! | `int`, `long` | number; **beyond 2^53 in magnitude text**, as everywhere (see [`crate::json`]), so no digit is lost |
//! | `float`, `double` | number, shortest digits that give the same value; NaN and infinities are refused |
//! | `bytes`, `fixed` | base64 text (RFC 4648, padded) |
//! | `enum` | its symbol |
//! | union | the value itself, without the branch's name |
//! | `decimal` | number if a double gives the same digits, else text: as a decimal in a JSON record |
//! | `uuid` | text, lower case with hyphens |
//! | `date`, `time-*` | text `2026-01-31`, `23:59:59.123` |
//! | `timestamp-*` | text `2026-01-31T23:59:59.123Z` (RFC 3339, UTC; 3, 6 or 9 digits, so texts of one field sort by time) |
//! | `local-timestamp-*` | the same without `Z` |
//! | `duration` | object `{"months", "days", "millis"}` |
//! | any other logical type | what its underlying type gives |
//!
//! A datum is read with the schema it was written with; there is no second, reader's schema: what a saga does not ask for costs
//! nothing, and a field it asks for that is missing is its expression's business.
//!
//! Hostile input: schemas have at most [`SCHEMA_BYTES_MAX`] bytes, [`TYPES_MAX`] types and [`crate::json::DEPTH_MAX`] levels; a datum
//! nests as deep as JSON may, and its result takes at most [`RESULT_BYTES_MAX`] of memory, counted before it is allocated, so neither
//! block counts of things without bytes nor nested records multiply.
//!
//! Absent on purpose: the container file format, single-object encoding, schema evolution, aliases, `big-decimal`. The crate
//! `apache-avro` judges in tests only: it reads a cut datum as nulls, recurses as deep as the datum says, and limits each collection
//! but not their product.

mod decimal;
mod read;
mod schema;
mod time;
mod write;

use serde_json::Value;

pub use read::Error;
pub use schema::{Error as SchemaError, Schema};
pub use write::Error as WriteError;

/// Largest schema with everything it refers to, in bytes of JSON.
pub const SCHEMA_BYTES_MAX: usize = 1024 * 1024;

/// Most types in a schema.
pub const TYPES_MAX: usize = 10_000;

/// Most memory for what a datum is decoded into, in bytes.
pub const RESULT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most digits of a decimal.
pub const DECIMAL_DIGITS_MAX: usize = 300;

/// What the Confluent framing begins with.
pub const MAGIC: u8 = 0;

/// The magic byte and the schema id.
const FRAME_BYTES: usize = 5;

/// A decoded datum.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    /// It as JSON.
    pub value: Value,
    /// Full name of its type, if that is a named one; of the branch, if the schema is a union.
    pub name: Option<String>,
}

/// Schema id and body of a value in Confluent framing: a zero byte, the id in 4 bytes (big-endian), the datum.
///
/// # Errors
/// [`Error::NotFramed`].
pub fn unframe(value: &[u8]) -> Result<(u32, &[u8]), Error> {
    match value {
        [MAGIC, a, b, c, d, body @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), body)),
        _ => Err(Error::NotFramed {
            bytes: value.len(),
            first: value.first().copied(),
        }),
    }
}

/// Reads a datum that was written with `schema`; every byte must be used.
///
/// # Errors
/// [`Error::Datum`], with the path and the byte.
pub fn decode(schema: &Schema, body: &[u8]) -> Result<Datum, Error> {
    read::decode(schema, body)
}

/// Writes a value as a datum of `schema`, without framing. A field that is missing takes the schema's default, or null where that is
/// allowed; a field that the schema does not know is refused.
///
/// # Errors
/// See [`WriteError`]; each names the path, what was found and what the schema asks for.
pub fn encode(schema: &Schema, value: &Value) -> Result<Vec<u8>, WriteError> {
    write::encode(schema, value, Vec::new())
}

/// As [`encode`], in Confluent framing with the id that the registry knows the schema by.
///
/// # Errors
/// As [`encode`].
pub fn encode_framed(id: u32, schema: &Schema, value: &Value) -> Result<Vec<u8>, WriteError> {
    let mut frame = Vec::with_capacity(FRAME_BYTES);
    frame.push(MAGIC);
    frame.extend(id.to_be_bytes());
    write::encode(schema, value, frame)
}

#[cfg(test)]
mod tests;
