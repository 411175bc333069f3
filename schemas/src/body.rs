//! Values of what sagas send: JSON, or Avro where the definition says so.
//!
//! The schemas stand in the definition and their ids in its bundle, so nobody asks a registry when a command goes out.
//!
//! Absent on purpose: where ids come from (see `skald deploy`).

use saga_lib::ir::{AvroMessage, Definition};
use serde_json::Value;

use crate::avro::{self, Schema};
use crate::bundle::SchemaId;
use crate::headers;

/// Most characters of a reason: it becomes part of a saga's document.
const REASON_MAX: usize = 1_000;

/// The value of a record, and its media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The value.
    pub bytes: Vec<u8>,
    /// For the header `content-type`.
    pub media: &'static str,
}

impl Body {
    /// JSON without spaces.
    pub fn json(payload: &Value) -> Self {
        Self {
            bytes: payload.to_string().into_bytes(),
            media: headers::JSON,
        }
    }
}

/// How the messages of one definition are written. Whatever it does not name is JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Formats(Vec<Format>);

#[derive(Debug, Clone, PartialEq)]
struct Format {
    topic: String,
    r#type: String,
    name: String,
    writer: Result<(u32, Schema), Error>,
}

/// Why a message cannot be sent in Avro.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bundle has no id for it.
    #[error("no schema id was stored with the definition: raise its `version` and deploy it again")]
    NoId,
    /// Its schema cannot be read.
    #[error("{0}: mend the schema, raise the definition's `version` and deploy it")]
    Schema(#[from] avro::SchemaError),
    /// The payload does not fit.
    #[error("{0}")]
    Value(#[from] avro::WriteError),
}

impl Formats {
    /// The formats of a definition, with the ids of its bundle. What is wrong with one message is told when it is written.
    pub fn of(definition: &Definition, ids: &[SchemaId]) -> Self {
        let format = |message: &AvroMessage| Format {
            topic: message.topic.clone(),
            r#type: message.r#type.clone(),
            name: message.name.clone(),
            writer: writer(message, ids),
        };
        Self(definition.avro.iter().map(format).collect())
    }

    /// Is everything JSON?
    pub fn is_json(&self) -> bool {
        self.0.is_empty()
    }

    /// The body of a command or event of this type in this topic.
    ///
    /// # Errors
    /// A text for the operator: the message, its Avro type, and what is wrong with the id, the schema or the payload (see [`Error`]).
    pub fn body(&self, topic: &str, r#type: &str, payload: &Value) -> Result<Body, String> {
        let mut formats = self.0.iter();
        match formats.find(|f| f.topic == topic && f.r#type == r#type) {
            None => Ok(Body::json(payload)),
            Some(format) => format.body(payload).map_err(|error| format.refuse(&error)),
        }
    }
}

impl Format {
    fn body(&self, payload: &Value) -> Result<Body, Error> {
        let (id, schema) = self.writer.as_ref().map_err(Clone::clone)?;
        Ok(Body {
            bytes: avro::encode_framed(*id, schema, payload)?,
            media: headers::AVRO,
        })
    }

    fn refuse(&self, error: &Error) -> String {
        let (r#type, topic, name) = (&self.r#type, &self.topic, &self.name);
        let whole =
            format!("`{type}` for topic `{topic}` cannot be written as Avro {name}: {error}");
        whole.chars().take(REASON_MAX).collect()
    }
}

fn writer(message: &AvroMessage, ids: &[SchemaId]) -> Result<(u32, Schema), Error> {
    let mut ids = ids.iter();
    let known = ids.find(|id| id.topic == message.topic && id.r#type == message.r#type);
    let id = known.ok_or(Error::NoId)?.id;
    Ok((id, Schema::parse(&message.schema)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition() -> Definition {
        let schema = json!({"type": "record", "name": "shop.Reserve", "fields": [{"name": "amount", "type": "int"}]});
        let message = |r#type: &str, schema: &str| AvroMessage {
            topic: "credit.commands".to_owned(),
            r#type: r#type.to_owned(),
            name: "shop.Reserve".to_owned(),
            schema: schema.to_owned(),
        };
        Definition {
            avro: vec![
                message("Reserve", &schema.to_string()),
                message("Broken", "{"),
                message("Unknown", &schema.to_string()),
            ],
            ..crate::bundle::tests::definition()
        }
    }

    fn id(r#type: &str) -> SchemaId {
        SchemaId {
            topic: "credit.commands".to_owned(),
            r#type: r#type.to_owned(),
            subject: "s".to_owned(),
            id: 7,
        }
    }

    fn body(topic: &str, r#type: &str, payload: Value) -> Result<Body, String> {
        let formats = Formats::of(&definition(), &[id("Reserve"), id("Broken")]);
        assert!(!formats.is_json());
        formats.body(topic, r#type, &payload)
    }

    #[test]
    fn a_message_is_avro_by_its_type_and_topic_and_json_else() {
        let avro = body("credit.commands", "Reserve", json!({"amount": 5})).unwrap();
        assert_eq!(
            (avro.media, avro.bytes.as_slice()),
            ("application/avro", &[0, 0, 0, 0, 7, 10][..])
        );
        for (topic, r#type) in [("other", "Reserve"), ("credit.commands", "Release")] {
            let json = body(topic, r#type, json!({"amount": 5})).unwrap();
            assert_eq!(
                (json.media, json.bytes.as_slice()),
                ("application/json", &br#"{"amount":5}"#[..])
            );
        }
        assert!(Formats::of(&crate::bundle::tests::definition(), &[]).is_json());
    }

    #[test]
    fn what_cannot_be_written_says_why_and_what_to_do() {
        let refused = |r#type, payload| body("credit.commands", r#type, payload).unwrap_err();
        assert_eq!(
            refused("Reserve", json!({"amount": "much"})),
            "`Reserve` for topic `credit.commands` cannot be written as Avro shop.Reserve: `$.amount` is the text `much`, but the schema \
             asks for int (a whole number of 32 bits)"
        );
        assert!(refused("Unknown", json!({})).ends_with("raise its `version` and deploy it again"));
        assert!(refused("Broken", json!({})).contains("the schema is not JSON"));
        let long = refused("Reserve", json!({"n".repeat(5_000): 1}));
        assert!(long.chars().count() <= REASON_MAX, "{}", long.len());
    }
}
