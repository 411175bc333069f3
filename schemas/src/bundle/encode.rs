//! From entry to record.
//!
//! Absent on purpose: headers; keys and values say everything.

use serde::Serialize;
use serde_json::json;

use super::{
    Active, BUNDLE_PREFIX, Bundle, INSTALLATION_KEY, Installation, SOURCE_PREFIX, StoredBundle,
    StoredVersion, hash,
};
use crate::record::{Headers, Outgoing, Partition};
use crate::topics::Topics;

/// A compiled definition.
pub fn encode_bundle(topics: &Topics, bundle: &Bundle) -> Outgoing {
    let ir = bundle.ir.canonical();
    let key = format!("{BUNDLE_PREFIX}{}", hash(&ir));
    let stored = StoredBundle {
        ir,
        source: bundle.source.clone(),
        file: bundle.file.clone(),
        used: bundle.used.clone(),
        ids: bundle.ids.clone(),
    };
    outgoing(topics, &key, &stored)
}

/// A version and its hash.
pub fn encode_version(topics: &Topics, name: &str, version: u32, hash: &str) -> Outgoing {
    let hash = hash.to_owned();
    outgoing(
        topics,
        &format!("{name}@{version}"),
        &StoredVersion { hash },
    )
}

/// The active version of a definition.
pub fn encode_active(topics: &Topics, name: &str, active: &Active) -> Outgoing {
    outgoing(topics, name, active)
}

/// What must never change.
pub fn encode_installation(topics: &Topics, installation: &Installation) -> Outgoing {
    outgoing(topics, INSTALLATION_KEY, installation)
}

/// Ingress begins to read this partition, in the transaction of its first commit there.
pub fn encode_source(topics: &Topics, source: &Partition) -> Outgoing {
    let key = format!("{SOURCE_PREFIX}{}/{}", source.topic, source.number);
    outgoing(topics, &key, &json!({}))
}

/// Removes an entry.
pub fn encode_removed(topics: &Topics, key: &str) -> Outgoing {
    record(topics, key, None)
}

fn outgoing(topics: &Topics, key: &str, value: &impl Serialize) -> Outgoing {
    let value = serde_json::to_vec(value).expect("entries are plain data");
    record(topics, key, Some(value))
}

fn record(topics: &Topics, key: &str, value: Option<Vec<u8>>) -> Outgoing {
    Outgoing {
        topic: topics.definitions(),
        partition: Some(0),
        key: Some(key.as_bytes().to_vec()),
        value,
        headers: Headers::default(),
    }
}
