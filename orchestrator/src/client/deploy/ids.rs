//! Ids of the schemas that a definition sends with.
//!
//! They are asked for once, when a version is deployed, and stand in its bundle: no command waits for a registry. A subject is
//! `<topic>-<full name of the type>` (Confluent's TopicRecordNameStrategy), because command topics carry several types.
//!
//! Absent on purpose: compatibility rules (the registry has them), and taking back what was registered before a refusal: a schema that
//! nobody writes with does no harm.

use connectors::registry::{Client, Error as RegistryError, Sources};
use saga_lib::ir::AvroMessage;
use schemas::avro::Schema;
use schemas::bundle::{Bundle, SchemaId};

use crate::client::Error;

/// The bundle with the ids of its schemas; a schema that the registry does not know is registered.
pub(super) fn resolve(bundle: &Bundle, sources: &Sources) -> Result<Bundle, Error> {
    let client = sources.registry.as_ref().map(Client::new);
    let id = |subject: &str, schema: &str| match &client {
        Some(client) => client.id_of(subject, schema).map_err(|e| unknown(&e)),
        None => Err(unregistered(sources)),
    };
    let of = |message| id_of(message, &id).map_err(|reason| refused(bundle, message, &reason));
    let ids: Result<Vec<_>, _> = bundle.ir.avro.iter().map(of).collect();
    Ok(bundle.clone().sending(ids?))
}

fn id_of(
    message: &AvroMessage,
    id: &impl Fn(&str, &str) -> Result<u32, String>,
) -> Result<SchemaId, String> {
    let schema = Schema::parse(&message.schema).map_err(|error| error.to_string())?;
    if schema.name() != Some(&message.name) {
        return Err(format!("its schema is not that of {}", message.name));
    }
    let subject = format!("{}-{}", message.topic, message.name);
    Ok(SchemaId {
        id: id(&subject, &message.schema)?,
        topic: message.topic.clone(),
        r#type: message.r#type.clone(),
        subject,
    })
}

fn refused(bundle: &Bundle, message: &AvroMessage, reason: &str) -> Error {
    Error::Refused(format!(
        "nothing is deployed: `{}@{}` sends `{}` to `{}` in Avro, but {reason}",
        bundle.ir.name, bundle.ir.version, message.r#type, message.topic
    ))
}

fn unknown(error: &RegistryError) -> String {
    match error {
        RegistryError::Refused { .. } => {
            format!("{error}: make the schema compatible, or change the rule of the subject there")
        }
        other => other.to_string(),
    }
}

fn unregistered(sources: &Sources) -> String {
    let folder = match sources.folder {
        Some(_) => " (`schemas.folder` knows no ids, by which readers find a schema)",
        None => "",
    };
    format!(
        "no schema registry is configured{folder}: set `registry.url`, or write `format: json` in the contract"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(schema: &str) -> AvroMessage {
        AvroMessage {
            topic: "credit.commands".to_owned(),
            r#type: "Reserve".to_owned(),
            name: "shop.Reserve".to_owned(),
            schema: schema.to_owned(),
        }
    }

    const SCHEMA: &str = r#"{"type":"record","name":"Reserve","namespace":"shop","fields":[]}"#;

    #[test]
    fn a_subject_is_named_after_topic_and_type() {
        let ask = |subject: &str, schema: &str| {
            assert_eq!((subject, schema), ("credit.commands-shop.Reserve", SCHEMA));
            Ok(7)
        };
        let id = id_of(&message(SCHEMA), &ask).expect("an id");
        assert_eq!(
            (id.id, id.subject.as_str()),
            (7, "credit.commands-shop.Reserve")
        );
        assert_eq!(
            (id.topic.as_str(), id.r#type.as_str()),
            ("credit.commands", "Reserve")
        );
    }

    #[test]
    fn what_cannot_be_written_with_is_never_registered() {
        let never = |_: &str, _: &str| -> Result<u32, String> { panic!("asked") };
        let unknown = r#"{"type":"record","name":"shop.Reserve","fields":[{"name":"a","type":{"type":"bytes","logicalType":"decimal"}}]}"#;
        let reason = id_of(&message(unknown), &never).expect_err("no precision");
        assert!(reason.contains("`precision`"), "{reason}");
        let other = r#"{"type":"record","name":"Other","fields":[]}"#;
        assert!(id_of(&message(other), &never).is_err());
    }

    #[test]
    fn without_a_registry_the_way_out_is_named() {
        let none = unregistered(&Sources::default());
        assert!(
            none.contains("`registry.url`") && none.contains("format: json"),
            "{none}"
        );
        let folder = unregistered(&Sources {
            folder: Some("schemas".into()),
            ..Sources::default()
        });
        assert!(folder.contains("`schemas.folder` knows no ids"), "{folder}");
    }
}
