//! How a value is written: by setting, by `content-type`, by its first byte.
//!
//! Absent on purpose: looking further into a value. A guess would be right often and wrong with money.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::{Error, Wanted};
use crate::record::Headers;
use crate::{avro, headers};

/// How a topic's values are written. Settings say `json`, `cloudevents`, `avro`, `avro:<type name>` or `avro-bare:<type name>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Format {
    /// The value is the payload as JSON.
    Json,
    /// The value is a CloudEvent as JSON, with the payload in `data`.
    CloudEvents,
    /// Confluent framing: a zero byte, a schema id, Avro.
    Avro {
        /// The type, by full or last name, that every value is written with, whatever its id says.
        schema: Option<String>,
    },
    /// Avro without framing.
    AvroBare {
        /// The type, by full or last name, that every value is written with.
        schema: String,
    },
}

impl Format {
    pub(super) fn is_avro(&self) -> bool {
        matches!(self, Self::Avro { .. } | Self::AvroBare { .. })
    }

    /// Full or last name of the schema that a setting names.
    pub fn schema_name(&self) -> Option<&str> {
        match self {
            Self::Avro { schema } => schema.as_deref(),
            Self::AvroBare { schema } => Some(schema),
            Self::Json | Self::CloudEvents => None,
        }
    }

    /// The schema of an Avro value, and its body.
    pub(super) fn schema<'a>(
        &'a self,
        headers: &'a Headers,
        value: &'a [u8],
    ) -> Result<(Wanted<'a>, &'a [u8]), Error> {
        if let Self::AvroBare { schema } = self {
            return Ok((Wanted::Named(schema), value));
        }
        let (id, body) = avro::unframe(value)?;
        let wanted = match self.schema_name() {
            Some(name) => Wanted::Named(name),
            None => Wanted::Framed {
                id,
                r#type: headers
                    .text(headers::CE_TYPE)
                    .or_else(|| headers.text(headers::TYPE)),
            },
        };
        Ok((wanted, body))
    }
}

/// Why a text is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no format; it must be `json`, `cloudevents`, `avro`, `avro:<type name>` or `avro-bare:<type name>`"
)]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let schema = |name: &str| name.trim().to_owned();
        let (word, name) = match text.split_once(':') {
            Some((word, name)) if !name.trim().is_empty() => (word.trim(), Some(schema(name))),
            Some(_) => return Err(UnknownFormat(text.to_owned())),
            None => (text.trim(), None),
        };
        match (word, name) {
            ("json", None) => Ok(Self::Json),
            ("cloudevents", None) => Ok(Self::CloudEvents),
            ("avro", schema) => Ok(Self::Avro { schema }),
            ("avro-bare", Some(schema)) => Ok(Self::AvroBare { schema }),
            _ => Err(UnknownFormat(text.to_owned())),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.write_str("json"),
            Self::CloudEvents => f.write_str("cloudevents"),
            Self::Avro { schema: None } => f.write_str("avro"),
            Self::Avro { schema: Some(name) } => write!(f, "avro:{name}"),
            Self::AvroBare { schema } => write!(f, "avro-bare:{schema}"),
        }
    }
}

/// The format of one value.
pub(super) fn of<'a>(
    headers: &Headers,
    value: &[u8],
    setting: Option<&'a Format>,
) -> Result<Cow<'a, Format>, Error> {
    match setting {
        Some(format) => Ok(Cow::Borrowed(format)),
        None => detect(headers, value).map(Cow::Owned),
    }
}

fn detect(headers: &Headers, value: &[u8]) -> Result<Format, Error> {
    let declared = headers.text(headers::CONTENT_TYPE).unwrap_or_default();
    let media = declared.split(';').next().unwrap_or_default();
    let media = media.trim().to_ascii_lowercase();
    if media == "application/cloudevents+json" {
        return Ok(Format::CloudEvents);
    }
    let foreign = ["cloudevents+", "cloudevents-batch", "protobuf", "xml"];
    if foreign.iter().any(|name| media.contains(name)) {
        return Err(Error::Unsupported {
            what: format!("content-type `{media}`"),
        });
    }
    let is_json = media == "application/json" || media.ends_with("+json");
    let is_framed = value.first() == Some(&avro::MAGIC);
    Ok(if media.contains("avro") || (is_framed && !is_json) {
        Format::Avro { schema: None }
    } else {
        Format::Json
    })
}
