//! Schemas as the reader and the writer walk them: every name resolved, every size checked.
//!
//! Absent on purpose: aliases, documentation, sort orders, and checks that only matter to who publishes a schema (such as the letters
//! of names); a registry has made them.

mod logical;
mod parse;

use serde_json::Value;

/// Why a text is no usable schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Larger than the limit; it was not looked into.
    #[error("schema of {bytes} bytes is larger than {max}: split the type")]
    TooLarge {
        /// Its size, with everything it refers to.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Not JSON.
    #[error("the schema is not JSON ({problem}): publish an Avro schema")]
    Json {
        /// What the parser said.
        problem: String,
    },
    /// It uses a type that is defined nowhere before.
    #[error(
        "schema at `{place}`: type `{name}` is not defined before it is used: add it to the schema's references"
    )]
    Undefined {
        /// Name of the type or field, from the outside in.
        place: String,
        /// Full name of the type.
        name: String,
    },
    /// Not Avro.
    #[error("schema at `{place}`: {problem}")]
    Invalid {
        /// Name of the type or field, from the outside in.
        place: String,
        /// What is wrong and what should be there.
        problem: String,
    },
}

/// A schema that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub(super) types: Vec<Type>,
    pub(super) root: TypeNo,
}

/// Number of a type within its schema.
pub(super) type TypeNo = usize;

/// One type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array(TypeNo),
    Map(TypeNo),
    Union(Vec<TypeNo>),
    Record(Record),
    Enum { name: String, symbols: Vec<String> },
    Fixed { name: String, size: usize },
    Decimal(Decimal),
    Uuid { name: String },
    Date,
    Time(Unit),
    Timestamp { unit: Unit, local: bool },
    Duration { name: String },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) of: TypeNo,
    pub(super) default: Option<Value>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decimal {
    pub(super) precision: usize,
    pub(super) scale: usize,
    /// Name and size of the fixed type; `None` is bytes.
    pub(super) fixed: Option<(String, usize)>,
}

/// What a time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Milli,
    Micro,
    Nano,
}

impl Schema {
    /// Reads a schema (the text of an `.avsc` file).
    ///
    /// # Errors
    /// See [`Error`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_with(text, &[])
    }

    /// Reads a schema that uses types of `references`, which stand in an order in which each uses only earlier ones.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn parse_with(text: &str, references: &[String]) -> Result<Self, Error> {
        parse::parse(text, references)
    }

    /// Full name of the outermost type, if that is a record, enum or fixed.
    pub fn name(&self) -> Option<&str> {
        self.name_of(self.root)
    }

    pub(super) fn at(&self, no: TypeNo) -> &Type {
        &self.types[no]
    }

    pub(super) fn name_of(&self, no: TypeNo) -> Option<&str> {
        match self.at(no) {
            Type::Record(Record { name, .. })
            | Type::Enum { name, .. }
            | Type::Fixed { name, .. }
            | Type::Uuid { name }
            | Type::Duration { name }
            | Type::Decimal(Decimal {
                fixed: Some((name, _)),
                ..
            }) => Some(name),
            _ => None,
        }
    }

    /// What people call a type.
    pub(super) fn describe(&self, no: TypeNo) -> String {
        match self.at(no) {
            Type::Null => "null".to_owned(),
            Type::Boolean => "boolean".to_owned(),
            Type::Int => "int (a whole number of 32 bits)".to_owned(),
            Type::Long => "long (a whole number of 64 bits)".to_owned(),
            Type::Float => "float".to_owned(),
            Type::Double => "double".to_owned(),
            Type::Bytes => "bytes (base64 text)".to_owned(),
            Type::String => "string".to_owned(),
            Type::Array(_) => "array".to_owned(),
            Type::Map(_) => "map".to_owned(),
            Type::Union(branches) => {
                let branches: Vec<_> = branches.iter().map(|b| self.describe(*b)).collect();
                format!("one of {}", branches.join(", "))
            }
            Type::Record(record) => format!("record {}", record.name),
            Type::Enum { name, symbols } => format!("enum {name} ({})", symbols.join(", ")),
            Type::Fixed { name, size } => {
                format!("fixed {name} (base64 text of {size} bytes)")
            }
            Type::Decimal(d) => format!("decimal({}, {})", d.precision, d.scale),
            Type::Uuid { .. } => "uuid (text)".to_owned(),
            Type::Date => "date (text such as 2026-01-31)".to_owned(),
            Type::Time(_) => "time (text such as 23:59:59.123)".to_owned(),
            Type::Timestamp { local: false, .. } => {
                "timestamp (text such as 2026-01-31T23:59:59.123Z)".to_owned()
            }
            Type::Timestamp { local: true, .. } => {
                "local timestamp (text such as 2026-01-31T23:59:59.123)".to_owned()
            }
            Type::Duration { .. } => "duration (months, days, millis)".to_owned(),
        }
    }
}
