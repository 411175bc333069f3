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
