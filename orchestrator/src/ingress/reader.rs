//! How records of business topics are read: formats by topic, schemas, and copies from the redrive topic.
//!
//! Absent on purpose: what follows from an event (see [`super::plan`]).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connectors::registry::{self, Catalog, Sources};
use schemas::event::{self, Error, Format, Reading};
use schemas::record::Received;
use schemas::redrive;
use schemas::topics::Topics;

/// Reads records of business topics.
#[derive(Debug, Clone)]
pub struct Reader {
    /// How topics are written, where that is set.
    pub formats: BTreeMap<String, Format>,
    /// Schemas of Avro records.
    pub schemas: Arc<Catalog>,
}

impl Reader {
    /// A reader with the schemas of these sources.
    ///
    /// # Errors
    /// The folder cannot be used, or lacks a type that a topic's format names.
    pub fn open(
        formats: &BTreeMap<String, Format>,
        sources: &Sources,
    ) -> Result<Self, registry::Error> {
        let schemas = Catalog::open(sources)?;
        for (topic, format) in formats {
            if let Some(name) = format.schema_name().filter(|name| !schemas.is_named(name)) {
                return Err(registry::Error::Unusable {
                    what: format!("`topics.formats` of `{topic}`"),
                    reason: format!("`schemas.folder` has no single type `{name}`"),
                });
            }
        }
        Ok(Self {
            formats: formats.clone(),
            schemas: Arc::new(schemas),
        })
    }

    /// A reader of JSON and CloudEvents only.
    pub fn without_schemas() -> Self {
        Self {
            formats: BTreeMap::new(),
            schemas: Arc::new(Catalog::none()),
        }
    }

    /// What a record says.
    ///
    /// # Errors
    /// It is no event: a dead letter.
    pub fn read(&self, record: &Received) -> Result<Reading, Error> {
        event::decode(record, self.format(record), &*self.schemas)
    }

    /// How many of the first records can be read or refused now: the next one waits for its schema.
    pub fn readable(&self, names: &Topics, records: &[Received]) -> usize {
        let waits = |record: &Received| {
            let original = original(names, record).map(|(record, _)| record);
            original.is_ok_and(|record| event::waits(&record, self.format(&record), &*self.schemas))
        };
        let first = records.iter().position(waits);
        first.unwrap_or(records.len())
    }

    /// Waits until a record can be read or refused.
    ///
    /// # Errors
    /// Why it cannot yet.
    pub fn wait_for(
        &self,
        names: &Topics,
        record: &Received,
        wait: Duration,
    ) -> Result<(), String> {
        let until = Instant::now() + wait;
        while self.readable(names, std::slice::from_ref(record)) == 0 {
            if Instant::now() >= until {
                let trouble = self.schemas.trouble();
                return Err(trouble.unwrap_or_else(|| "its schema is being fetched".to_owned()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn format(&self, record: &Received) -> Option<&Format> {
        self.formats.get(&record.partition.topic)
    }
}

/// The record as it first stood in its topic, and the one definition it is for if it comes from the redrive topic.
///
/// # Errors
/// It is no copy that Skald made.
pub fn original<'a>(
    names: &Topics,
    record: &'a Received,
) -> Result<(Cow<'a, Received>, Option<String>), redrive::Error> {
    if record.partition.topic != names.redrive() {
        return Ok((Cow::Borrowed(record), None));
    }
    let decoded = redrive::decode(record)?;
    Ok((Cow::Owned(decoded.record), decoded.definition))
}

#[cfg(test)]
mod tests {
    use connectors::registry::Address;
    use schemas::dead_letter::{self, Cause};
    use schemas::record::{Headers, Outgoing};
    use schemas::signature::Keys;

    use super::*;
    use crate::ingress::plan::{self, Context};
    use crate::registry::Definitions;

    fn names() -> Topics {
        Topics::new("shop").expect("names")
    }

    /// Nobody listens at its registry.
    fn reader() -> Reader {
        let registry = Address {
            url: "http://127.0.0.1:1".to_owned(),
            credentials: None,
            timeout: Duration::from_secs(1),
        };
        let sources = Sources {
            registry: Some(registry),
            folder: None,
        };
        let formats = BTreeMap::from([("texts".to_owned(), Format::Json)]);
        Reader::open(&formats, &sources).expect("a reader")
    }

    fn record(topic: &str, value: &[u8]) -> Received {
        let out = Outgoing {
            topic: topic.to_owned(),
            partition: None,
            key: None,
            value: Some(value.to_vec()),
            headers: Headers::default(),
        };
        out.received(0, 1, 1)
    }

    const AVRO: &[u8] = b"\0\0\0\0\x01x";

    #[test]
    fn only_a_record_that_needs_a_schema_waits_for_the_registry() {
        let reader = reader();
        let readable = |records: &[Received]| reader.readable(&names(), records);
        let json = record("orders", b"{}");
        let avro = record("orders", AVRO);
        assert_eq!(readable(&[json.clone(), avro.clone(), json.clone()]), 1);
        assert_eq!(readable(&[avro.clone(), json.clone()]), 0);
        // Refused with or without a registry.
        let impossible = record("orders", b"\0\xff\xff\xff\xffx");
        let not_avro = record("texts", AVRO);
        assert_eq!(readable(&[impossible, not_avro, json]), 3);
        assert_eq!(reader.read(&avro), Ok(Reading::NotYet));
    }

    #[test]
    fn a_plan_ends_before_a_record_that_waits() {
        let names = names();
        let cx = Context {
            names: &names,
            lanes: 4,
            keys: &Keys::default(),
            definitions: &Definitions::default(),
            group: "shop.ingress",
            bytes_max: 1_000_000,
            reader: &reader(),
        };
        let at = |offset, value: &[u8]| Received {
            offset,
            ..record("orders", value)
        };
        let records = [at(5, b"{}"), at(7, b"{"), at(9, AVRO), at(11, b"{")];
        let outcome = plan::plan(&cx, &records, &[]);
        assert_eq!((outcome.end, outcome.plan.outputs.len()), (9, 1));
        let outcome = plan::plan(&cx, &records[2..], &[]);
        assert_eq!((outcome.end, outcome.plan.outputs.len()), (9, 0));
    }

    #[test]
    fn a_copy_waits_as_its_original_did() {
        let letter = dead_letter::encode(&names(), &record("orders", AVRO), &Cause::default());
        let letter = dead_letter::decode(&letter.received(0, 5, 1)).expect("a dead letter");
        let copy = redrive::encode(&names(), &letter).received(0, 9, 1);
        assert_eq!(copy.partition.topic, names().redrive());
        assert_eq!(reader().readable(&names(), &[copy]), 0);
        let waited =
            reader().wait_for(&names(), &record("orders", AVRO), Duration::from_millis(50));
        assert!(waited.is_err());
    }

    #[test]
    fn a_format_must_name_a_type_of_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let sources = Sources {
            registry: None,
            folder: Some(folder.path().to_owned()),
        };
        let format = "avro:Order".parse().expect("a format");
        let formats = BTreeMap::from([("orders".to_owned(), format)]);
        let error = Reader::open(&formats, &sources).expect_err("no such type");
        assert_eq!(
            error.to_string(),
            "`topics.formats` of `orders`: `schemas.folder` has no single type `Order`"
        );
    }
}
