//! Records of the definitions topic: compiled definitions, their aliases, and what the installation must not forget.
//!
//! | key | value |
//! |---|---|
//! | `#<hash>` | bundle: canonical IR as text, source, file name, used files, ids of Avro schemas |
//! | `<name>@<version>` | hash of that version |
//! | `<name>` | active version, its hash and since when |
//! | `@installation` | UUID and number of lanes |
//! | `@source/<topic>/<partition>` | ingress has begun to read this partition |
//!
//! The IR stands as **text** and its hash is taken over these bytes, so no reader's idea of numbers or field order can change what a
//! hash means. The `#` keeps a definition whose name looks like a hash apart from bundles. A key of a newer release is
//! [`Entry::Unknown`], not an error: old members go on.
//!
//! Absent on purpose: who deploys and when, and checks across records (see `skald deploy`).

mod decode;
mod encode;
mod reference;

use saga_lib::ir::Definition;
use serde::{Deserialize, Serialize};

use crate::record::Partition;

pub use decode::decode;
pub use encode::{
    encode_active, encode_bundle, encode_installation, encode_removed, encode_source,
    encode_version,
};
pub use reference::Reference;

/// Key of the installation's record.
pub const INSTALLATION_KEY: &str = "@installation";

/// What keys of read partitions begin with.
pub const SOURCE_PREFIX: &str = "@source/";

/// What keys of bundles begin with.
pub const BUNDLE_PREFIX: &str = "#";

/// One compiled definition with its source.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// Hash of the canonical IR: the one to use, also where a newer release would compute another.
    pub hash: String,
    /// The definition.
    pub ir: Definition,
    /// What the author wrote.
    pub source: String,
    /// Name of the file it stood in.
    pub file: String,
    /// Contract and fragment files it used, in the order they were read.
    pub used: Vec<Used>,
    /// Ids of the schemas that it sends with, as the registry gave them when it was deployed.
    pub ids: Vec<SchemaId>,
}

/// The id of the schema of one message that is sent in Avro.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaId {
    /// Topic of the message.
    pub topic: String,
    /// Its type.
    pub r#type: String,
    /// Subject under which the registry has its schema.
    pub subject: String,
    /// The schema's id.
    pub id: u32,
}

/// A file that a definition used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Its name, as the definition's folder sees it.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl Bundle {
    /// The bundle of a definition that was just compiled.
    pub fn new(ir: Definition, source: impl Into<String>, file: impl Into<String>) -> Self {
        Self {
            hash: ir.hash(),
            ir,
            source: source.into(),
            file: file.into(),
            used: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// The same with the files it used.
    #[must_use]
    pub fn using(self, used: Vec<Used>) -> Self {
        Self { used, ..self }
    }

    /// The same with the ids of the schemas it sends with.
    #[must_use]
    pub fn sending(self, ids: Vec<SchemaId>) -> Self {
        Self { ids, ..self }
    }

    /// `name@version#hash`.
    pub fn reference(&self) -> Reference {
        Reference {
            name: self.ir.name.clone(),
            version: self.ir.version,
            hash: self.hash.clone(),
        }
    }
}

/// The active version of a definition: the one that events start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// Version.
    pub version: u32,
    /// Its hash.
    pub hash: String,
    /// Since when, ms: where `from: activation` begins to read.
    pub activated_ms: i64,
}

/// What must never change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// Identity of this installation.
    pub uuid: String,
    /// Number of lanes, chosen once: keys would be remapped.
    pub lanes: u32,
}

/// A decoded record.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A compiled definition.
    Bundle(Box<Bundle>),
    /// A version and its hash.
    Version {
        /// Definition.
        name: String,
        /// Version.
        version: u32,
        /// Hash.
        hash: String,
    },
    /// The active version of a definition.
    Active {
        /// Definition.
        name: String,
        /// Version.
        active: Active,
    },
    /// What must never change.
    Installation(Installation),
    /// Ingress has begun to read this partition.
    Source(Partition),
    /// The entry with this key was removed.
    Removed {
        /// The key.
        key: String,
    },
    /// A key of a newer release.
    Unknown {
        /// The key.
        key: String,
    },
}

/// Why a record of the definitions topic cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No key, or one that is not text.
    #[error(
        "definitions record {position} has no text as key: something else writes to this topic"
    )]
    Key {
        /// Where it stands.
        position: String,
    },
    /// The value has another shape.
    #[error("definitions record `{key}`: {problem}; deploy again")]
    Shape {
        /// Its key.
        key: String,
        /// What is wrong, with the field.
        problem: String,
    },
    /// The IR was written by a release with another layout.
    #[error(
        "definitions record `{key}`: IR layout {layout} is not readable by this release: upgrade it"
    )]
    Layout {
        /// Its key.
        key: String,
        /// The layout.
        layout: u64,
    },
    /// The IR is not what its key says.
    #[error(
        "definitions record `{key}`: the IR's hash is {actual}: the record was altered, deploy again"
    )]
    Hash {
        /// Its key.
        key: String,
        /// Hash of the IR that stands there.
        actual: String,
    },
}

/// The value of a bundle.
#[derive(Serialize, Deserialize)]
struct StoredBundle {
    ir: String,
    source: String,
    file: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    used: Vec<Used>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ids: Vec<SchemaId>,
}

/// The value of a version's alias.
#[derive(Serialize, Deserialize)]
struct StoredVersion {
    hash: String,
}

fn hash(ir: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(ir.as_bytes()))
}

#[cfg(test)]
pub(crate) mod tests;
