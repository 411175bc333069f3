//! Business events: what stands in topics of other owners, as type, identity and payload.
//!
//! Formats: JSON, Avro (see [`crate::avro`]), CloudEvents binary mode (`ce_*` headers beside any format) and structured mode
//! (`application/cloudevents+json`). The format is the topic's setting, else follows from `content-type`, else from the first byte
//! (0 = Confluent framing), else JSON. The type is `ce_type`, else the full or last name of the Avro type, else header `type`, else the
//! JSON field `type`. A record without value is skipped, not refused.
//!
//! The schema of an Avro record is the one that the topic's setting names; else, by [`Schemas`]' choice, the one with the record's id
//! or the one that `ce_type` or header `type` names.
//!
//! Absent on purpose: Protobuf and CloudEvents batches (refused with [`Error::Unsupported`]); fetching schemas (a shell's business);
//! filters and keys (expressions).

mod format;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::record::{Headers, Received};
use crate::{avro, headers, ids, json, limits, trace};

pub use format::Format;

/// The schema that a record was written with, as far as the record and its topic's setting tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The topic's setting names it.
    Named(&'a str),
    /// The record tells.
    Framed {
        /// The id of its framing.
        id: u32,
        /// `ce_type`, else header `type`.
        r#type: Option<&'a str>,
    },
}

/// What is known of a schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The schema.
    Schema(Arc<avro::Schema>),
    /// There is none that could read the record, and why: the record is a dead letter.
    Never(String),
    /// Nothing yet: the record must wait.
    NotYet,
}

/// Where schemas come from. Never blocks.
pub trait Schemas {
    /// The schema wanted.
    fn find(&self, wanted: &Wanted<'_>) -> Found;
}

/// No schemas at all: every Avro record is refused.
#[derive(Debug, Clone, Copy)]
pub struct NoSchemas;

impl Schemas for NoSchemas {
    fn find(&self, _wanted: &Wanted<'_>) -> Found {
        Found::Never("no schemas are configured: set `registry.url` or `schemas.folder`".to_owned())
    }
}

/// A business event as far as its record tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Its type, if it names one.
    pub r#type: Option<String>,
    /// The last part of the type's name, if the type is that of an Avro record: definitions may use either.
    pub short_type: Option<String>,
    /// Identity of the trigger, `<ce_source> <ce_id>`, if it has both: a second event with the same identity is the same event.
    pub trigger: Option<String>,
    /// The payload.
    pub payload: Value,
    /// W3C trace context, if it is well-formed.
    pub traceparent: Option<String>,
}

/// Why a record is no business event. Each is a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Beyond a limit.
    #[error(transparent)]
    Limit(#[from] limits::Error),
    /// A header cannot be used.
    #[error(transparent)]
    Header(#[from] headers::Error),
    /// An id cannot be used.
    #[error(transparent)]
    Id(#[from] ids::Error),
    /// The value is not acceptable JSON.
    #[error("value: {0}")]
    Json(#[from] json::Error),
    /// A format that this release does not read.
    #[error("value: {what} is not supported; publish JSON, Avro or CloudEvents on this topic")]
    Unsupported {
        /// Which format, and how it was recognised.
        what: String,
    },
    /// Not Avro, or not of its schema.
    #[error("value: {0}")]
    Avro(#[from] avro::Error),
    /// No schema could read it.
    #[error("schema: {reason}")]
    Schema {
        /// Why, and what to do.
        reason: String,
    },
    /// A structured CloudEvent without what it must have.
    #[error("CloudEvent attribute `{attribute}`: {problem}")]
    CloudEvent {
        /// The attribute.
        attribute: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Decoded {
    /// Is it of the type that a definition names?
    pub fn is_type(&self, name: &str) -> bool {
        [&self.r#type, &self.short_type]
            .into_iter()
            .any(|own| own.as_deref() == Some(name))
    }
}

/// What came of reading a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// It has no value and is skipped.
    Nothing,
    /// An event.
    Event(Box<Decoded>),
    /// Its schema is not there yet: no verdict.
    NotYet,
}

/// Reads a record of a business topic. `format` is the topic's setting.
///
/// # Errors
/// See [`Error`].
pub fn decode(
    record: &Received,
    format: Option<&Format>,
    schemas: &impl Schemas,
) -> Result<Reading, Error> {
    limits::check(record)?;
    let Some(value) = record.value.as_deref() else {
        return Ok(Reading::Nothing);
    };
    let headers = &record.headers;
    let decoded = match &*format::of(headers, value, format)? {
        Format::Json => binary(headers, json::parse(value)?, None)?,
        Format::CloudEvents => structured(headers, json::parse(value)?)?,
        avro => {
            let (wanted, body) = avro.schema(headers, value)?;
            let schema = match schemas.find(&wanted) {
                Found::Schema(schema) => schema,
                Found::Never(reason) => return Err(Error::Schema { reason }),
                Found::NotYet => return Ok(Reading::NotYet),
            };
            let datum = avro::decode(&schema, body)?;
            binary(headers, datum.value, datum.name.as_deref())?
        }
    };
    Ok(Reading::Event(Box::new(decoded)))
}

/// Must the record wait for its schema? One that is no event at all need not.
pub fn waits(record: &Received, format: Option<&Format>, schemas: &impl Schemas) -> bool {
    let Some(value) = record.value.as_deref() else {
        return false;
    };
    let Ok(format) = format::of(&record.headers, value, format) else {
        return false;
    };
    match format.schema(&record.headers, value) {
        Ok((wanted, _)) if format.is_avro() => matches!(schemas.find(&wanted), Found::NotYet),
        _ => false,
    }
}

/// The payload is the value; attributes, if any, are headers. `avro` is the full name of the value's type.
fn binary(headers: &Headers, payload: Value, avro: Option<&str>) -> Result<Decoded, Error> {
    let id = headers::optional(headers, headers::CE_ID)?;
    let source = headers::optional(headers, headers::CE_SOURCE)?;
    let cloud = headers::optional(headers, headers::CE_TYPE)?;
    let named = cloud
        .or(avro)
        .or(headers::optional(headers, headers::TYPE)?)
        .or_else(|| payload.get("type").and_then(Value::as_str));
    if let Some(name) = named {
        ids::check_text("event type", name)?;
    }
    let short = avro.filter(|_| cloud.is_none());
    let short = short.and_then(|full| full.rsplit_once('.'));
    Ok(Decoded {
        r#type: named.map(str::to_owned),
        short_type: short.map(|(_, last)| last.to_owned()),
        trigger: trigger(source, id)?,
        traceparent: trace::traceparent(headers).map(str::to_owned),
        payload,
    })
}

/// Attributes and payload stand together in the value.
fn structured(headers: &Headers, value: Value) -> Result<Decoded, Error> {
    let Value::Object(mut event) = value else {
        return Err(attribute("specversion", "the value is not a JSON object"));
    };
    let payload = data(&mut event)?;
    let version = text(&event, "specversion")?;
    if !version.starts_with("1.") {
        return Err(attribute("specversion", "only 1.x is supported"));
    }
    let r#type = text(&event, "type")?;
    ids::check_text("event type", r#type)?;
    let trigger = trigger(Some(text(&event, "source")?), Some(text(&event, "id")?))?;
    let own = event.get("traceparent").and_then(Value::as_str);
    let traceparent = own
        .filter(|text| trace::is_traceparent(text))
        .or_else(|| trace::traceparent(headers));
    Ok(Decoded {
        r#type: Some(r#type.to_owned()),
        short_type: None,
        trigger,
        traceparent: traceparent.map(str::to_owned),
        payload,
    })
}

fn data(event: &mut Map<String, Value>) -> Result<Value, Error> {
    match (event.remove("data"), event.remove("data_base64")) {
        (Some(_), Some(_)) => Err(attribute("data", "stands beside `data_base64`; send one")),
        (Some(data), None) => Ok(data),
        (None, None) => Ok(Value::Null),
        (None, Some(Value::String(text))) => {
            let bytes = STANDARD
                .decode(text)
                .map_err(|_| attribute("data_base64", "is not base64"))?;
            Ok(json::parse(&bytes)?)
        }
        (None, Some(_)) => Err(attribute("data_base64", "is not a text")),
    }
}

fn text<'a>(event: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, Error> {
    match event.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(_) => Err(attribute(name, "is not a non-empty text")),
        None => Err(attribute(name, "is missing; CloudEvents 1.0 requires it")),
    }
}

fn attribute(attribute: &'static str, problem: &'static str) -> Error {
    Error::CloudEvent { attribute, problem }
}

/// Source and id, parted by a space: none can stand in the source, so two different pairs never give one identity.
fn trigger(source: Option<&str>, id: Option<&str>) -> Result<Option<String>, Error> {
    let (Some(source), Some(id)) = (source, id) else {
        return Ok(None);
    };
    ids::check_text("CloudEvents source", source)?;
    ids::check_text("CloudEvents id", id)?;
    Ok(Some(format!("{} {id}", source.replace(' ', "%20"))))
}

#[cfg(test)]
mod tests;
