//! Types of payloads, as far as schemas and `keep` tell them.
//!
//! What is not known is [`Type::Any`] and is never complained about.
//!
//! Absent on purpose: validation of payloads when a saga runs. Participants check what they get.

mod avro;
mod json_schema;

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

/// Deepest schema that is followed; whatever is below is unknown.
const DEPTH_MAX: usize = 12;

/// Most parts of one schema; whatever comes after is unknown.
const PARTS_MAX: usize = 2000;

/// What a value looks like.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    /// Not known.
    Any,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// Text.
    Text,
    /// One of these texts.
    Symbols(Rc<[String]>),
    /// A list.
    List(Rc<Slot>),
    /// An object with these fields.
    Record {
        /// Its fields; shared, because a schema may name one record in many places.
        fields: Rc<BTreeMap<String, Slot>>,
        /// May it have others?
        open: bool,
    },
}

/// A place for a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slot {
    /// What the value looks like.
    pub(super) r#type: Type,
    /// Must it be there?
    pub(super) required: bool,
    /// May it be null?
    pub(super) nullable: bool,
}

/// What following a path found out.
#[derive(Debug, PartialEq)]
pub(super) enum Found<'t> {
    /// The value's place, and whether it may be missing or null on the way.
    Slot(&'t Slot, bool),
    /// The place is not known.
    Unknown,
    /// A record has no such field: position in the path, and the fields it has.
    Missing(usize, Vec<&'t str>),
}

impl Type {
    /// What it is, for people.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Symbols(_) => "one of a few words",
            Self::List(_) => "a list",
            Self::Record { .. } => "an object",
        }
    }

    /// Could a value of the type `other` stand here?
    pub(super) fn takes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Text | Self::Symbols(_), Self::Text | Self::Symbols(_)) => true,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Slot {
    /// A value that is there.
    pub(super) fn of(r#type: Type) -> Self {
        Self {
            r#type,
            required: true,
            nullable: false,
        }
    }

    /// Follows a path of fields from here.
    pub(super) fn follow(&self, path: &[String]) -> Found<'_> {
        let mut slot = self;
        let mut doubtful = false;
        for (position, name) in path.iter().enumerate() {
            let Type::Record { fields, open } = &slot.r#type else {
                return Found::Unknown;
            };
            let Some(next) = fields.get(name) else {
                return match open {
                    true => Found::Unknown,
                    false => Found::Missing(position, fields.keys().map(String::as_str).collect()),
                };
            };
            doubtful |= slot.nullable || !next.required;
            slot = next;
        }
        Found::Slot(slot, doubtful)
    }
}

/// What `saga` holds.
pub(super) fn saga() -> Type {
    let fields = [
        ("id", Type::Text),
        ("key", Type::Text),
        ("version", Type::Number),
        ("started", Type::Number),
    ];
    let fields = fields.map(|(name, r#type)| (name.to_owned(), Slot::of(r#type)));
    Type::Record {
        fields: Rc::new(BTreeMap::from(fields)),
        open: false,
    }
}

/// Reads a schema: Avro or JSON Schema, by the name of its file.
pub(super) fn parse(path: &str, text: &str) -> Result<Slot, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if path.ends_with(".avsc") {
        Ok(avro::slot(&value))
    } else {
        Ok(json_schema::slot(&value))
    }
}

#[cfg(test)]
mod tests;
