//! Business events: what stands in topics of other owners, as type, identity and payload.
//!
//! Formats: JSON, CloudEvents binary mode (`ce_*` headers beside any format) and structured mode (`application/cloudevents+json`).
//! The format is the topic's setting, else follows from `content-type`, else from the first byte (0 = Confluent framing), else JSON.
//! The type is `ce_type`, else header `type`, else the JSON field `type`. A record without value is skipped, not refused.
//!
//! Absent on purpose: Avro, Protobuf and CloudEvents batches (refused with [`Error::Unsupported`]); filters and keys (expressions).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::record::{Headers, Received};
use crate::{headers, ids, json, limits, trace};

/// How a topic's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The value is the payload as JSON.
    Json,
    /// The value is a CloudEvent as JSON, with the payload in `data`.
    CloudEvents,
    /// Confluent framing: a zero byte, a schema id, Avro.
    Avro,
}

/// A business event as far as its record tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Its type, if it names one.
    pub r#type: Option<String>,
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
    #[error("value: {what} is not supported; publish JSON or CloudEvents on this topic")]
    Unsupported {
        /// Which format, and how it was recognised.
        what: String,
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

/// Reads a record of a business topic. `Ok(None)`: it has no value and is skipped. `format` is the topic's setting.
///
/// # Errors
/// See [`Error`].
pub fn decode(record: &Received, format: Option<Format>) -> Result<Option<Decoded>, Error> {
    limits::check(record)?;
    let Some(value) = record.value.as_deref() else {
        return Ok(None);
    };
    let format = match format {
        Some(format) => format,
        None => detect(&record.headers, value)?,
    };
    match format {
        Format::Json => binary(&record.headers, json::parse(value)?).map(Some),
        Format::CloudEvents => structured(&record.headers, json::parse(value)?).map(Some),
        Format::Avro => Err(unsupported("Confluent framing (first byte 0)")),
    }
}

fn detect(headers: &Headers, value: &[u8]) -> Result<Format, Error> {
    let declared = headers.text(headers::CONTENT_TYPE).unwrap_or_default();
    let media = declared.split(';').next().unwrap_or_default();
    let media = media.trim().to_ascii_lowercase();
    if media == "application/cloudevents+json" {
        return Ok(Format::CloudEvents);
    }
    let foreign = ["avro", "protobuf", "xml", "cloudevents-batch"];
    if foreign.iter().any(|name| media.contains(name)) {
        return Err(unsupported(&format!("content-type `{media}`")));
    }
    let is_json = media == "application/json" || media.ends_with("+json");
    Ok(if !is_json && value.first() == Some(&0) {
        Format::Avro
    } else {
        Format::Json
    })
}

fn unsupported(what: &str) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
    }
}

/// The payload is the value; attributes, if any, are headers.
fn binary(headers: &Headers, payload: Value) -> Result<Decoded, Error> {
    let id = headers::optional(headers, headers::CE_ID)?;
    let source = headers::optional(headers, headers::CE_SOURCE)?;
    let named = headers::optional(headers, headers::CE_TYPE)?
        .or(headers::optional(headers, headers::TYPE)?)
        .or_else(|| payload.get("type").and_then(Value::as_str));
    if let Some(name) = named {
        ids::check_text("event type", name)?;
    }
    Ok(Decoded {
        r#type: named.map(str::to_owned),
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
