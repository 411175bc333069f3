//! From record to entry.
//!
//! Absent on purpose: which entry wins; the topic is read in order, the last one of a key counts.

use saga_lib::id::is_name;
use saga_lib::ir::{Definition, LAYOUT};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::reference::{alias_parts, is_hash};
use super::{
    Active, BUNDLE_PREFIX, Bundle, Entry, Error, INSTALLATION_KEY, Installation, SOURCE_PREFIX,
    StoredBundle, StoredVersion, hash,
};
use crate::record::{Partition, Received};

/// Reads a record of the definitions topic.
///
/// # Errors
/// See [`Error`]; each names the record.
pub fn decode(record: &Received) -> Result<Entry, Error> {
    let Some(Ok(key)) = record.key.as_deref().map(std::str::from_utf8) else {
        return Err(Error::Key {
            position: record.position(),
        });
    };
    match record.value.as_deref() {
        None => Ok(Entry::Removed {
            key: key.to_owned(),
        }),
        Some(value) => entry(key, value),
    }
}

fn entry(key: &str, value: &[u8]) -> Result<Entry, Error> {
    if let Some(expected) = key.strip_prefix(BUNDLE_PREFIX).filter(|h| is_hash(h)) {
        return bundle(key, expected, value).map(|bundle| Entry::Bundle(Box::new(bundle)));
    }
    if key == INSTALLATION_KEY {
        return typed::<Installation>(key, value).map(Entry::Installation);
    }
    if let Some(source) = key.strip_prefix(SOURCE_PREFIX).and_then(source) {
        return Ok(Entry::Source(source));
    }
    if let Some((name, version)) = alias_parts(key) {
        return Ok(Entry::Version {
            name: name.to_owned(),
            version,
            hash: typed::<StoredVersion>(key, value)?.hash,
        });
    }
    if is_name(key) {
        return Ok(Entry::Active {
            name: key.to_owned(),
            active: typed::<Active>(key, value)?,
        });
    }
    Ok(Entry::Unknown {
        key: key.to_owned(),
    })
}

fn source(text: &str) -> Option<Partition> {
    let (topic, number) = text.rsplit_once('/')?;
    Some(Partition::new(topic, number.parse().ok()?))
}

fn bundle(key: &str, expected: &str, value: &[u8]) -> Result<Bundle, Error> {
    #[derive(Deserialize)]
    struct Layout {
        layout: u64,
    }
    let stored: StoredBundle = typed(key, value)?;
    let actual = hash(&stored.ir);
    if actual != expected {
        return Err(Error::Hash {
            key: key.to_owned(),
            actual,
        });
    }
    // Judged alone and first: another layout may have other fields.
    let Layout { layout } = typed(key, stored.ir.as_bytes())?;
    if layout != u64::from(LAYOUT) {
        return Err(Error::Layout {
            key: key.to_owned(),
            layout,
        });
    }
    Ok(Bundle {
        hash: actual,
        ir: typed::<Definition>(key, stored.ir.as_bytes())?,
        source: stored.source,
        file: stored.file,
        used: stored.used,
        ids: stored.ids,
    })
}

fn typed<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|error| Error::Shape {
        key: key.to_owned(),
        problem: error.to_string(),
    })
}
