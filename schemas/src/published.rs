//! What Skald writes for others, as Avro: the schemas in `schemas/avro/`, and records as values of them.
//!
//! Skald's own records are JSON with CloudEvents headers. Who keeps them elsewhere (a lake, a warehouse, another topic) needs one typed
//! value instead of headers and bytes; these schemas are that value, and tests hold them to the encoders. A payload is the business's
//! and stays JSON text.
//!
//! `schemas/avro/released/N/` is a copy of what was released. It never changes; tests prove that today's schemas read it and that it
//! reads today's, so a field may come or go only with a default.
//!
//! Absent on purpose: commands and events whose contract names an Avro type of their own (see [`crate::body`]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::avro::Schema;
use crate::record::{Headers, Received};
use crate::{dead_letter, headers, history, time};

/// A kind of record that others read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A business event that a saga published.
    Event,
    /// A command to a participant.
    Command,
    /// A participant's answer.
    Reply,
    /// A history fact.
    Fact,
    /// A record that was set aside.
    DeadLetter,
}

/// Why a record is no value of its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A header cannot be used.
    #[error(transparent)]
    Header(#[from] headers::Error),
    /// It is no fact.
    #[error(transparent)]
    Fact(#[from] history::Error),
    /// It is no dead letter.
    #[error(transparent)]
    DeadLetter(#[from] dead_letter::Error),
    /// Its value is not UTF-8.
    #[error(
        "{position}: the value is not text, as everything that Skald writes is: something else writes to this topic"
    )]
    NotText {
        /// Where it stands.
        position: String,
    },
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Event,
        Self::Command,
        Self::Reply,
        Self::Fact,
        Self::DeadLetter,
    ];

    /// Name of its file in `schemas/avro/`, without the ending.
    pub fn word(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Command => "command",
            Self::Reply => "reply",
            Self::Fact => "fact",
            Self::DeadLetter => "dead-letter",
        }
    }

    /// Text of its schema.
    pub fn text(self) -> &'static str {
        match self {
            Self::Event => include_str!("../avro/event.avsc"),
            Self::Command => include_str!("../avro/command.avsc"),
            Self::Reply => include_str!("../avro/reply.avsc"),
            Self::Fact => include_str!("../avro/fact.avsc"),
            Self::DeadLetter => include_str!("../avro/dead-letter.avsc"),
        }
    }

    /// Its schema.
    ///
    /// # Panics
    /// Never: a test reads every one.
    pub fn schema(self) -> Schema {
        Schema::parse(self.text()).expect("our own schemas are read by a test")
    }

    /// A record as a value of the schema.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn value(self, record: &Received) -> Result<Value, Error> {
        match self {
            Self::Event => message(record, &[]),
            Self::Command => message(record, &COMMAND),
            Self::Reply => message(record, &REPLY),
            Self::Fact => fact(record),
            Self::DeadLetter => letter(record),
        }
    }
}

/// Field, header, and whether it is a number.
type FieldOf = (&'static str, &'static str, bool);

const ENVELOPE: [FieldOf; 9] = [
    ("id", headers::CE_ID, false),
    ("source", headers::CE_SOURCE, false),
    ("type", headers::CE_TYPE, false),
    ("subject", headers::CE_SUBJECT, false),
    ("time", headers::CE_TIME, false),
    ("correlationid", headers::CE_CORRELATIONID, false),
    ("causationid", headers::CE_CAUSATIONID, false),
    ("traceparent", headers::TRACEPARENT, false),
    ("definition", headers::DEFINITION, false),
];

const COMMAND: [FieldOf; 5] = [
    ("expirytime", headers::CE_EXPIRYTIME, false),
    ("step", headers::STEP, false),
    ("attempt", headers::ATTEMPT, true),
    ("compensates", headers::COMPENSATES, false),
    ("replyto", headers::REPLY_TO, false),
];

const REPLY: [FieldOf; 4] = [
    ("outcome", headers::OUTCOME, false),
    ("attempt", headers::ATTEMPT, true),
    ("code", headers::CODE, false),
    ("reason", headers::REASON, false),
];

/// Fields that are not there are null.
fn message(record: &Received, more: &[FieldOf]) -> Result<Value, Error> {
    let mut value = Map::new();
    for (field, header, is_number) in ENVELOPE.iter().chain(more) {
        let text = headers::optional(&record.headers, header)?;
        let typed = match text {
            Some(_) if *is_number => {
                let number: Option<i32> = headers::parsed(&record.headers, header, "a number")?;
                json!(number)
            }
            text => json!(text),
        };
        value.insert((*field).to_owned(), typed);
    }
    value.insert("data".to_owned(), json!(text(record)?));
    Ok(Value::Object(value))
}

fn text(record: &Received) -> Result<Option<&str>, Error> {
    let text = record.value.as_deref().map(std::str::from_utf8);
    text.transpose().map_err(|_| Error::NotText {
        position: record.position(),
    })
}

/// Notes become texts, because new kinds of them come with new releases; the time becomes one.
fn fact(record: &Received) -> Result<Value, Error> {
    let fact = history::decode(record)?;
    let mut value = serde_json::to_value(&fact).unwrap_or_default();
    let notes: Vec<_> = fact
        .notes
        .iter()
        .map(|note| json!(note).to_string())
        .collect();
    value["notes"] = json!(notes);
    value["commands"] = json!(fact.commands);
    value["time_ms"] = json!(time::rfc3339(fact.time_ms));
    for field in [
        "definition",
        "reason",
        "status_before",
        "status_after",
        "revision_before",
        "revision_after",
    ] {
        // The encoder leaves out what is missing.
        if value.get(field).is_none() {
            value[field] = Value::Null;
        }
    }
    if value["input"].get("command").is_none() {
        value["input"]["command"] = Value::Null;
    }
    Ok(value)
}

fn letter(record: &Received) -> Result<Value, Error> {
    let letter = dead_letter::decode(record)?;
    let binary = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
    Ok(json!({
        "topic": letter.partition.topic,
        "partition": letter.partition.number,
        "offset": letter.offset,
        "class": letter.class,
        "stage": letter.stage,
        "message": letter.message,
        "saga": letter.saga,
        "definition": letter.definition,
        "group": letter.group,
        "deliverycount": letter.delivery_count,
        "key": binary(&letter.key),
        "value": binary(&letter.value),
        "headers": all(&letter.headers),
    }))
}

fn all(headers: &Headers) -> Vec<Value> {
    let header =
        |(name, value): &(String, Vec<u8>)| json!({"name": name, "value": STANDARD.encode(value)});
    headers.0.iter().map(header).collect()
}

#[cfg(test)]
mod tests;
