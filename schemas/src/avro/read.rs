//! From a datum to JSON.
//!
//! Absent on purpose: trust. Every length is compared with what is there, every result is counted before it is made.

mod cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use super::schema::{Record, Schema, Type, TypeNo};
use super::{Datum, RESULT_BYTES_MAX, decimal, time};
use crate::json;

use cursor::Cursor;

/// Why bytes are no datum of a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not in Confluent framing.
    #[error(
        "{bytes} bytes {}: not in Confluent framing (a zero byte, a schema id of 4 bytes, Avro); publish with a registry's serializer, or set the topic's format to `avro-bare`",
        begin(*first)
    )]
    NotFramed {
        /// Size of the value.
        bytes: usize,
        /// Its first byte.
        first: Option<u8>,
    },
    /// Not what the schema says.
    #[error("Avro `{path}`, byte {at} of the datum: {problem}")]
    Datum {
        /// Names of the fields and numbers of the items, from the outside in; `$` is the whole.
        path: String,
        /// Where the reader stood, from 0.
        at: usize,
        /// What is wrong.
        problem: String,
    },
}

fn begin(first: Option<u8>) -> String {
    first.map_or("without a first one".to_owned(), |b| {
        format!("beginning with 0x{b:02x}")
    })
}

type Result<T> = std::result::Result<T, Error>;

/// Rough cost of a value in a list, of one in an object, and of an object's first node, in bytes: what the allocator sees at most.
const ITEM_BYTES: usize = 64;
const ENTRY_BYTES: usize = 160;
const OBJECT_BYTES: usize = 640;

pub(super) fn decode(schema: &Schema, body: &[u8]) -> Result<Datum> {
    let mut reader = Reader {
        schema,
        cursor: Cursor::new(body),
        left: RESULT_BYTES_MAX,
        name: schema.name().map(str::to_owned),
    };
    let value = reader.value(schema.root, 0).map_err(|e| e.under("$"))?;
    match reader.cursor.rest() {
        0 => Ok(Datum {
            value,
            name: reader.name,
        }),
        rest => Err(reader
            .error(format!(
                "{rest} bytes are left over: it was written with another schema"
            ))
            .under("$")),
    }
}

struct Reader<'a> {
    schema: &'a Schema,
    cursor: Cursor<'a>,
    /// Memory that may still be used.
    left: usize,
    name: Option<String>,
}

impl Error {
    /// The error with one more name in front of its path.
    fn under(self, name: &str) -> Self {
        match self {
            Self::Datum { path, at, problem } => Self::Datum {
                path: format!("{name}{path}"),
                at,
                problem,
            },
            framing => framing,
        }
    }
}

impl<'a> Reader<'a> {
    fn value(&mut self, no: TypeNo, depth: usize) -> Result<Value> {
        self.charge(ITEM_BYTES)?;
        let schema = self.schema;
        Ok(match schema.at(no) {
            Type::Null => Value::Null,
            Type::Boolean => Value::Bool(self.boolean()?),
            Type::Int => Value::from(self.int()?),
            Type::Long => json::whole(self.long()?),
            Type::Float => self.float()?,
            Type::Double => self.double()?,
            Type::Bytes => {
                let size = self.length()?;
                self.base64(size)?
            }
            Type::Fixed { size, .. } => self.base64(*size)?,
            Type::String => Value::String(self.text()?),
            Type::Array(of) => self.array(*of, depth + 1)?,
            Type::Map(of) => self.map(*of, depth + 1)?,
            Type::Union(branches) => self.branch(no, branches, depth)?,
            Type::Record(record) => self.record(record, depth + 1)?,
            Type::Enum { symbols, .. } => self.symbol(symbols)?,
            logical => self.logical(logical)?,
        })
    }

    fn logical(&mut self, r#type: &Type) -> Result<Value> {
        let (count, text) = match r#type {
            Type::Decimal(d) => {
                let size = match &d.fixed {
                    Some((_, size)) => *size,
                    None => self.length()?,
                };
                let bytes = self.take(size)?;
                let text = decimal::text(bytes, d.scale)
                    .ok_or_else(|| self.error("a decimal of too many digits"))?;
                self.charge(text.len())?;
                return Ok(json::decimal_or_whole(&text));
            }
            Type::Uuid { .. } => return self.uuid(),
            Type::Duration { .. } => return self.duration(),
            Type::Date => {
                let days = self.int()?;
                (i64::from(days), time::date_text(days))
            }
            Type::Time(unit) => {
                let count = match unit {
                    super::schema::Unit::Milli => i64::from(self.int()?),
                    _ => self.long()?,
                };
                (count, time::clock_text(count, *unit))
            }
            Type::Timestamp { unit, local } => {
                let count = self.long()?;
                (count, time::timestamp_text(count, *unit, *local))
            }
            _ => return Err(self.error("a type that is not read")),
        };
        text.map(Value::String)
            .ok_or_else(|| self.error(format!("{count} is no date or time of the years 1 to 9999")))
    }

    fn boolean(&mut self) -> Result<bool> {
        match self.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            other => Err(self.error(format!("{other:?} is no boolean"))),
        }
    }

    fn long(&mut self) -> Result<i64> {
        self.cursor.long().map_err(|problem| self.error(problem))
    }

    fn int(&mut self) -> Result<i32> {
        let long = self.long()?;
        i32::try_from(long).map_err(|_| self.error(format!("{long} is no int of 32 bits")))
    }

    fn float(&mut self) -> Result<Value> {
        let bytes = self.take(4)?;
        let float = f32::from_le_bytes(bytes.try_into().unwrap_or_default());
        // The shortest digits of the float itself: a cast to a double would show digits that nobody wrote.
        let double = float.to_string().parse().unwrap_or(f64::NAN);
        self.finite(double)
    }

    fn double(&mut self) -> Result<Value> {
        let bytes = self.take(8)?;
        self.finite(f64::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }

    fn finite(&self, number: f64) -> Result<Value> {
        Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| self.error(format!("{number}, which JSON cannot write; send null")))
    }

    fn text(&mut self) -> Result<String> {
        let size = self.length()?;
        let bytes = self.take(size)?;
        self.charge(size)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.error("text that is not UTF-8"))?;
        if text.contains('\0') {
            return Err(self.error("NUL character in a text; remove it"));
        }
        Ok(text.to_owned())
    }

    fn base64(&mut self, size: usize) -> Result<Value> {
        let bytes = self.take(size)?;
        self.charge(size.div_ceil(3) * 4)?;
        Ok(Value::String(STANDARD.encode(bytes)))
    }

    fn uuid(&mut self) -> Result<Value> {
        let bytes = self.take(16)?;
        self.charge(36)?;
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let parts = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        Ok(Value::String(parts.join("-")))
    }

    fn duration(&mut self) -> Result<Value> {
        let bytes = self.take(12)?;
        self.charge(OBJECT_BYTES)?;
        let part = |at: usize| {
            let part = bytes[at..at + 4].try_into().unwrap_or_default();
            Value::from(u32::from_le_bytes(part))
        };
        let names = ["months", "days", "millis"];
        let entries = names.iter().zip([0, 4, 8]);
        Ok(Value::Object(
            entries
                .map(|(name, at)| ((*name).to_owned(), part(at)))
                .collect(),
        ))
    }

    fn symbol(&mut self, symbols: &[String]) -> Result<Value> {
        let index = self.long()?;
        let symbol = usize::try_from(index).ok().and_then(|i| symbols.get(i));
        let symbol = symbol
            .ok_or_else(|| self.error(format!("symbol {index} of an enum of {}", symbols.len())))?;
        self.charge(symbol.len())?;
        Ok(Value::String(symbol.clone()))
    }

    fn branch(&mut self, no: TypeNo, branches: &[TypeNo], depth: usize) -> Result<Value> {
        let index = self.long()?;
        let branch = usize::try_from(index).ok().and_then(|i| branches.get(i));
        let Some(branch) = branch.copied() else {
            return Err(self.error(format!("branch {index} of a union of {}", branches.len())));
        };
        if no == self.schema.root {
            self.name = self.schema.name_of(branch).map(str::to_owned);
        }
        self.value(branch, depth)
    }

    fn array(&mut self, of: TypeNo, depth: usize) -> Result<Value> {
        self.enter(depth)?;
        let mut items = Vec::new();
        loop {
            let count = self.block()?;
            if count == 0 {
                return Ok(Value::Array(items));
            }
            for _ in 0..count {
                let item = self.value(of, depth);
                items.push(item.map_err(|e| e.under(&format!("[{}]", items.len())))?);
            }
        }
    }

    fn map(&mut self, of: TypeNo, depth: usize) -> Result<Value> {
        self.enter(depth)?;
        self.charge(OBJECT_BYTES)?;
        let mut entries = Map::new();
        loop {
            let count = self.block()?;
            if count == 0 {
                return Ok(Value::Object(entries));
            }
            for _ in 0..count {
                self.charge(ENTRY_BYTES)?;
                let key = self.text()?;
                let value = self.value(of, depth).map_err(|e| e.inside(&key))?;
                if entries.contains_key(&key) {
                    return Err(self.error("key occurs twice in one map").inside(&key));
                }
                entries.insert(key, value);
            }
        }
    }

    fn record(&mut self, record: &Record, depth: usize) -> Result<Value> {
        self.enter(depth)?;
        self.charge(OBJECT_BYTES)?;
        let mut entries = Map::new();
        for field in &record.fields {
            self.charge(ENTRY_BYTES + field.name.len())?;
            let value = self.value(field.of, depth);
            entries.insert(
                field.name.clone(),
                value.map_err(|e| e.inside(&field.name))?,
            );
        }
        Ok(Value::Object(entries))
    }

    fn enter(&self, depth: usize) -> Result<()> {
        if depth > json::DEPTH_MAX {
            return Err(self.error(format!("nested deeper than {} levels", json::DEPTH_MAX)));
        }
        Ok(())
    }

    /// Items of the next block of an array or map; 0 ends it. A negative count is followed by the block's size, which nobody needs.
    fn block(&mut self) -> Result<u64> {
        let count = self.long()?;
        if count < 0 {
            self.long()?;
        }
        Ok(count.unsigned_abs())
    }

    fn length(&mut self) -> Result<usize> {
        let length = self.long()?;
        usize::try_from(length).map_err(|_| self.error(format!("a length of {length}")))
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8]> {
        self.cursor.take(size).map_err(|problem| Error::Datum {
            path: String::new(),
            at: self.cursor.at(),
            problem,
        })
    }

    fn charge(&mut self, bytes: usize) -> Result<()> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self.error(format!(
                "it would take more than {RESULT_BYTES_MAX} bytes of memory: send a reference instead of the data"
            ))),
        }
    }

    fn error(&self, problem: impl Into<String>) -> Error {
        Error::Datum {
            path: String::new(),
            at: self.cursor.at(),
            problem: problem.into(),
        }
    }
}

impl Error {
    /// Within a field or under a key.
    fn inside(self, name: &str) -> Self {
        let short: String = name.chars().take(64).collect();
        self.under(&format!(".{short}"))
    }
}
