//! From JSON to a datum.
//!
//! A union takes the first of its branches that the value fits; `double` goes before `float`, and a text that is both goes to the
//! branch that stands first. But digits in a text are text where a union has `string`: `"0123"` must not become 123. Only beyond 2^53,
//! where numbers are kept as text, they are a number again.
//!
//! A number is a `timestamp-millis` too, because times of expressions are milliseconds; every other time is text, so that no unit is
//! guessed. Absent on purpose: rounding of decimals, cutting of texts, and fields that nobody declared.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::schema::{Decimal, Field, Record, Schema, Type, TypeNo, Unit};
use super::{RESULT_BYTES_MAX, decimal, time};
use crate::json;

/// Most steps for one value: unions of records may try many ways, and defaults make many values of few.
const STEPS_MAX: usize = 1_000_000;

/// Beyond this, whole numbers are kept as text (2^53).
const NUMBER_MAX: u64 = 9_007_199_254_740_992;

/// Most characters of what stands in a message.
const SHOWN_MAX: usize = 300;

/// Why a value cannot be written as a schema says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value of the wrong form.
    #[error("`{path}` is {found}, but the schema asks for {expected}")]
    Mismatch {
        /// Names of the fields and numbers of the items, from the outside in; `$` is the whole.
        path: String,
        /// What is there, cut to 64 characters.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// A field without a value, default or null.
    #[error("`{path}` is missing, and the schema has no default: add it to `with`")]
    Missing {
        /// The field.
        path: String,
    },
    /// A field that would be lost.
    #[error("`{path}` is no field of record {record}: remove it, or publish a schema that has it")]
    Unknown {
        /// The field.
        path: String,
        /// The record's full name.
        record: String,
    },
    /// A default of the schema that is none.
    #[error(
        "`{path}` is missing, and its default does not fit the schema ({problem}): add it to `with`, or mend the schema"
    )]
    Default {
        /// The field.
        path: String,
        /// What is wrong with the default.
        problem: String,
    },
    /// Unions that try too many ways, or defaults without end.
    #[error(
        "`{path}`: writing the value takes more than {STEPS_MAX} steps: send less, or use a schema with fewer unions and defaults"
    )]
    TooComplex {
        /// Where it ended.
        path: String,
    },
    /// Records in records without end.
    #[error(
        "`{path}` is nested deeper than {} levels: send a flatter value",
        json::DEPTH_MAX
    )]
    TooDeep {
        /// Where it ended.
        path: String,
    },
    /// A record that no topic should have.
    #[error("`{path}`: the value takes more than {RESULT_BYTES_MAX} bytes in Avro: send less")]
    TooLarge {
        /// Where it ended.
        path: String,
    },
}

type Result<T> = std::result::Result<T, Error>;

pub(super) fn encode(schema: &Schema, value: &Value, begin: Vec<u8>) -> Result<Vec<u8>> {
    let mut writer = Writer {
        schema,
        out: begin,
        steps: STEPS_MAX,
        is_default: false,
    };
    writer
        .value(schema.root, value, 0)
        .map_err(|e| e.under("$"))?;
    Ok(writer.out)
}

struct Writer<'a> {
    schema: &'a Schema,
    out: Vec<u8>,
    steps: usize,
    /// Defaults are written as what lies under a logical type, and bytes as characters up to U+00FF, not as base64.
    is_default: bool,
}

impl Error {
    fn under(mut self, name: &str) -> Self {
        let (Self::Mismatch { path, .. }
        | Self::Missing { path }
        | Self::Unknown { path, .. }
        | Self::Default { path, .. }
        | Self::TooComplex { path }
        | Self::TooDeep { path }
        | Self::TooLarge { path }) = &mut self;
        path.insert_str(0, name);
        self
    }

    /// Another way through the schema would end here as well.
    fn is_final(&self) -> bool {
        matches!(
            self,
            Self::TooComplex { .. } | Self::TooDeep { .. } | Self::TooLarge { .. }
        )
    }
}

impl Writer<'_> {
    fn value(&mut self, no: TypeNo, value: &Value, depth: usize) -> Result<()> {
        self.check(depth)?;
        let schema = self.schema;
        match (schema.at(no), value) {
            (Type::Union(branches), value) => self.branch(no, branches, value, depth),
            (Type::Record(record), Value::Object(object)) => self.record(record, object, depth + 1),
            (Type::Array(of), Value::Array(items)) => self.array(*of, items, depth + 1),
            (Type::Map(of), Value::Object(entries)) => self.map(*of, entries, depth + 1),
            (plain, value) => match self.plain(plain, value) {
                Some(bytes) => {
                    self.out.extend(bytes);
                    Ok(())
                }
                None => Err(self.mismatch(no, value)),
            },
        }
    }

    fn check(&mut self, depth: usize) -> Result<()> {
        let path = String::new();
        self.steps = self.steps.saturating_sub(1);
        if self.steps == 0 {
            return Err(Error::TooComplex { path });
        }
        if depth > json::DEPTH_MAX {
            return Err(Error::TooDeep { path });
        }
        if self.out.len() > RESULT_BYTES_MAX {
            return Err(Error::TooLarge { path });
        }
        Ok(())
    }

    /// Bytes of a value without parts.
    fn plain(&self, r#type: &Type, value: &Value) -> Option<Vec<u8>> {
        Some(match (r#type, value) {
            (Type::Null, Value::Null) => Vec::new(),
            (Type::Boolean, Value::Bool(truth)) => vec![u8::from(*truth)],
            (Type::Int, number) => long(i32::try_from(whole(number)?).ok()?.into()),
            (Type::Long, number) => long(whole(number)?),
            (Type::Float, Value::Number(number)) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a float is what the schema asks for"
                )]
                let float = number.as_f64()? as f32;
                float.is_finite().then(|| float.to_le_bytes().to_vec())?
            }
            (Type::Double, Value::Number(number)) => number.as_f64()?.to_le_bytes().to_vec(),
            (Type::String, Value::String(text)) => sized(text.as_bytes()),
            (Type::Bytes, Value::String(text)) => sized(&self.binary(text)?),
            (Type::Fixed { size, .. }, Value::String(text)) => {
                self.binary(text).filter(|bytes| bytes.len() == *size)?
            }
            (Type::Enum { symbols, .. }, Value::String(text)) => {
                let index = symbols.iter().position(|symbol| symbol == text)?;
                long(i64::try_from(index).ok()?)
            }
            (Type::Duration { .. }, Value::Object(parts)) => duration(parts)?,
            (Type::Decimal(d), value) => self.decimal(d, value)?,
            (Type::Date | Type::Time(Unit::Milli), number) if self.is_default => {
                long(i32::try_from(whole(number)?).ok()?.into())
            }
            (Type::Time(_) | Type::Timestamp { .. }, number) if self.is_default => {
                long(whole(number)?)
            }
            (
                Type::Timestamp {
                    unit: Unit::Milli,
                    local: false,
                },
                Value::Number(_),
            ) => long(whole(value)?),
            (Type::Uuid { .. }, Value::String(text)) if self.is_default => {
                self.binary(text).filter(|bytes| bytes.len() == 16)?
            }
            (Type::Duration { .. }, Value::String(text)) if self.is_default => {
                self.binary(text).filter(|bytes| bytes.len() == 12)?
            }
            (logical, Value::String(text)) => logical_text(logical, text)?,
            _ => return None,
        })
    }

    fn binary(&self, text: &str) -> Option<Vec<u8>> {
        if self.is_default {
            return text.chars().map(|c| u8::try_from(c).ok()).collect();
        }
        STANDARD.decode(text).ok()
    }

    fn decimal(&self, d: &Decimal, value: &Value) -> Option<Vec<u8>> {
        let bytes = match value {
            Value::String(text) if self.is_default => self.binary(text)?,
            Value::String(text) => decimal::bytes(text, d.precision, d.scale).ok()?,
            Value::Number(number) => {
                decimal::bytes(&number.to_string(), d.precision, d.scale).ok()?
            }
            _ => return None,
        };
        match &d.fixed {
            Some((_, size)) => decimal::widen(&bytes, *size),
            None => Some(sized(&bytes)),
        }
    }

    fn branch(
        &mut self,
        no: TypeNo,
        branches: &[TypeNo],
        value: &Value,
        depth: usize,
    ) -> Result<()> {
        let start = self.out.len();
        let mut ways = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            let of = self.schema.at(*branch);
            if self.is_better_elsewhere(of, branches, value) {
                continue;
            }
            self.out
                .extend(long(i64::try_from(index).unwrap_or_default()));
            match self.value(*branch, value, depth) {
                Ok(()) => return Ok(()),
                Err(error) if error.is_final() => return Err(error),
                Err(error) if is_container(of) && fits_outside(of, value) => ways.push(error),
                Err(_) => {}
            }
            self.out.truncate(start);
        }
        // The way into the one branch with the right form tells more than "none of these"; of several, nobody knows which was meant.
        match (ways.pop(), ways.is_empty()) {
            (Some(error), true) => Err(error),
            _ => Err(self.mismatch(no, value)),
        }
    }

    /// Would this branch take a value that another branch means?
    fn is_better_elsewhere(&self, of: &Type, branches: &[TypeNo], value: &Value) -> bool {
        let has = |wanted: Type| branches.iter().any(|b| *self.schema.at(*b) == wanted);
        match (of, value) {
            (Type::Float, _) => has(Type::Double),
            (Type::Int | Type::Long, Value::String(_)) => {
                let number = whole(value).filter(|n| n.unsigned_abs() > NUMBER_MAX);
                has(Type::String) && number.is_none()
            }
            _ => false,
        }
    }

    fn record(&mut self, record: &Record, object: &Map<String, Value>, depth: usize) -> Result<()> {
        let declared = |name: &String| record.fields.iter().any(|field| field.name == *name);
        if let Some(name) = object.keys().find(|name| !declared(name)) {
            return Err(Error::Unknown {
                path: format!(".{}", cut(name)),
                record: record.name.clone(),
            });
        }
        for field in &record.fields {
            let written = match object.get(&field.name) {
                Some(value) => self.value(field.of, value, depth),
                None => self.missing(field, depth),
            };
            written.map_err(|e| e.under(&format!(".{}", field.name)))?;
        }
        Ok(())
    }

    fn missing(&mut self, field: &Field, depth: usize) -> Result<()> {
        let outer = self.is_default;
        let written = match &field.default {
            Some(default) => {
                self.is_default = true;
                self.value(field.of, default, depth).map_err(of_default)
            }
            None => self
                .value(field.of, &Value::Null, depth)
                .map_err(of_missing),
        };
        self.is_default = outer;
        written
    }

    fn array(&mut self, of: TypeNo, items: &[Value], depth: usize) -> Result<()> {
        self.block(items.len());
        for (number, item) in items.iter().enumerate() {
            self.value(of, item, depth)
                .map_err(|e| e.under(&format!("[{number}]")))?;
        }
        self.end(items.len());
        Ok(())
    }

    fn map(&mut self, of: TypeNo, entries: &Map<String, Value>, depth: usize) -> Result<()> {
        self.block(entries.len());
        for (key, value) in entries {
            self.out.extend(sized(key.as_bytes()));
            self.value(of, value, depth)
                .map_err(|e| e.under(&format!(".{}", cut(key))))?;
        }
        self.end(entries.len());
        Ok(())
    }

    fn block(&mut self, items: usize) {
        self.out
            .extend(long(i64::try_from(items).unwrap_or(i64::MAX)));
    }

    /// An empty list is its own end.
    fn end(&mut self, items: usize) {
        if items > 0 {
            self.out.push(0);
        }
    }

    fn mismatch(&self, no: TypeNo, value: &Value) -> Error {
        let found = match value {
            Value::Object(_) => "an object".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::String(text) => format!("the text `{}`", cut(text)),
            plain => format!("`{plain}`"),
        };
        Error::Mismatch {
            path: String::new(),
            found,
            expected: shown(&self.schema.describe(no)),
        }
    }
}

fn of_missing(error: Error) -> Error {
    if error.is_final() {
        return error;
    }
    Error::Missing {
        path: String::new(),
    }
}

/// Of defaults within a default, the outermost is the one that `with` can replace.
fn of_default(error: Error) -> Error {
    if error.is_final() {
        return error;
    }
    Error::Default {
        path: String::new(),
        problem: shown(&error.under("default").to_string()),
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn is_container(r#type: &Type) -> bool {
    matches!(r#type, Type::Record(_) | Type::Array(_) | Type::Map(_))
}

fn fits_outside(r#type: &Type, value: &Value) -> bool {
    match value {
        Value::Object(_) => !matches!(r#type, Type::Array(_)),
        Value::Array(_) => matches!(r#type, Type::Array(_)),
        _ => false,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A whole number, also as text (how numbers beyond 2^53 are kept) or as `3.0`.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            #[expect(clippy::cast_possible_truncation, reason = "the bound is checked")]
            let exact = |double: f64| {
                let is_exact = double.fract() == 0.0 && double.abs() <= NUMBER_MAX as f64;
                is_exact.then_some(double as i64)
            };
            number.as_f64().and_then(exact)
        }),
        // Not `+5` or `007`: what was read back would be another text.
        Value::String(text) => text.parse().ok().filter(|n: &i64| n.to_string() == *text),
        _ => None,
    }
}

fn logical_text(r#type: &Type, text: &str) -> Option<Vec<u8>> {
    match r#type {
        Type::Uuid { .. } => uuid(text),
        Type::Date => time::date(text).map(|days| long(days.into())),
        Type::Time(Unit::Milli) => time::clock(text, Unit::Milli).map(long),
        Type::Time(unit) => time::clock(text, *unit).map(long),
        Type::Timestamp { unit, local } => time::timestamp(text, *unit, *local).map(long),
        _ => None,
    }
}

fn uuid(text: &str) -> Option<Vec<u8>> {
    let is_hyphen = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let fits = text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| (b == b'-') == is_hyphen(at));
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| *c != '-')
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect();
    let digits = digits.filter(|_| fits)?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

fn duration(parts: &Map<String, Value>) -> Option<Vec<u8>> {
    let names = ["months", "days", "millis"];
    if parts.keys().any(|key| !names.contains(&key.as_str())) {
        return None;
    }
    let part = |name: &&str| {
        let number = parts.get(*name).map_or(Some(0), whole)?;
        u32::try_from(number).ok().map(u32::to_le_bytes)
    };
    let parts: Option<Vec<_>> = names.iter().map(part).collect();
    parts.map(|parts| parts.concat())
}

/// Length and bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let mut out = long(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    out.extend(bytes);
    out
}

/// Zig-zag, 7 bits a byte, lowest first.
fn long(number: i64) -> Vec<u8> {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    let mut out = Vec::new();
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
    out
}
