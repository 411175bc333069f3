//! `name@version#hash`: which definition an instance keeps.
//!
//! Absent on purpose: references without hash; a version means one hash for ever.

use std::fmt;
use std::str::FromStr;

use saga_lib::id::is_name;

/// A definition's name, version and hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// Name.
    pub name: String,
    /// Version, from 1.
    pub version: u32,
    /// Hash, 16 hexadecimal digits.
    pub hash: String,
}

/// A text that is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a definition `<name>@<version>#<hash>`")]
pub struct Malformed {
    text: String,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}#{}", self.name, self.version, self.hash)
    }
}

impl FromStr for Reference {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        split(text).ok_or_else(|| Malformed {
            text: text.chars().take(128).collect(),
        })
    }
}

fn split(text: &str) -> Option<Reference> {
    let (alias, hash) = text.split_once('#')?;
    let (name, version) = alias_parts(alias)?;
    is_hash(hash).then(|| Reference {
        name: name.to_owned(),
        version,
        hash: hash.to_owned(),
    })
}

/// `name@version`.
pub(super) fn alias_parts(alias: &str) -> Option<(&str, u32)> {
    let (name, version) = alias.split_once('@')?;
    let number: u32 = version.parse().ok()?;
    (is_name(name) && number > 0 && number.to_string() == version).then_some((name, number))
}

/// 16 lower-case hexadecimal digits.
pub(super) fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
