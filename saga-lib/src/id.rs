//! Saga ids and command ids: pure functions of (definition, key, step, execution, direction).
//!
//! `saga id = <definition>/<key>[~<16 hex digits>]`, `command id = <saga id>/<step path>[#n][!c[#m]]`. The key is percent-encoded
//! outside `[A-Za-z0-9._-]`, so none of the separators can occur in it. The grammar (ABNF) stands in `schemas::ids`.
//!
//! Absent on purpose: attempts. A re-send keeps its command id; the attempt travels as a header.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest saga or command id, in bytes.
pub const ID_BYTES_MAX: usize = 256;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The id would be longer than [`ID_BYTES_MAX`]: use a shorter business key.
    #[error("id of {bytes} bytes is longer than {ID_BYTES_MAX}: use a shorter key")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The key is empty: an event without a business key cannot be correlated.
    #[error("empty key")]
    Empty,
    /// A character that no console or log shows faithfully.
    #[error("the key has the control character U+{code:04X} at byte {at}: remove it")]
    Control {
        /// Where in the raw key.
        at: usize,
        /// Its code point.
        code: u32,
    },
    /// The text does not follow the grammar.
    #[error("`{text}` is not {expected}")]
    Malformed {
        /// The text, cut to 128 characters, without those that cannot be shown.
        text: String,
        /// What was expected there.
        expected: &'static str,
    },
}

/// Identity of a saga instance, e.g. `order/ORD-42`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SagaId(String);

impl SagaId {
    /// The id of the instance of `definition` for the raw business key `key`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::TooLong`] and [`Error::Control`].
    pub fn new(definition: &str, key: &str) -> Result<Self, Error> {
        if key.is_empty() {
            return Err(Error::Empty);
        }
        if let Some((at, c)) = key.char_indices().find(|(_, c)| is_unprintable(*c)) {
            let code = u32::from(c);
            return Err(Error::Control { at, code });
        }
        Self::bounded(format!("{definition}/{}", encode_key(key)))
    }

    /// The id of one occurrence under `duplicates: new`: the key followed by a hash of the trigger's identity.
    ///
    /// # Errors
    /// As [`SagaId::new`].
    pub fn occurrence(definition: &str, key: &str, trigger: &str) -> Result<Self, Error> {
        let base = Self::new(definition, key)?;
        let hash = xxhash_rust::xxh3::xxh3_64(trigger.as_bytes());
        Self::bounded(format!("{base}~{hash:016x}"))
    }

    fn bounded(text: String) -> Result<Self, Error> {
        if text.len() > ID_BYTES_MAX {
            return Err(Error::TooLong { bytes: text.len() });
        }
        Ok(Self(text))
    }

    /// Reads `<definition>/<encoded key>[~hash]`.
    ///
    /// # Errors
    /// [`Error::Malformed`] and [`Error::TooLong`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let malformed = || Error::Malformed {
            text: shown(text),
            expected: "a saga id `<definition>/<key>`",
        };
        let (definition, rest) = text.split_once('/').ok_or_else(malformed)?;
        let (key, hash) = rest
            .split_once('~')
            .map_or((rest, None), |(k, h)| (k, Some(h)));
        let hash_ok = hash.is_none_or(|h| {
            h.len() == 16 && h.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        });
        if !is_name(definition)
            || !hash_ok
            || decode_key(key).is_none_or(|k| !is_key(&k) || encode_key(&k) != key)
        {
            return Err(malformed());
        }
        Self::bounded(text.to_owned())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name of the definition.
    pub fn definition(&self) -> &str {
        self.0.split_once('/').map_or("", |(d, _)| d)
    }

    /// The raw business key, which is the Kafka record key of everything that belongs to the instance.
    pub fn key(&self) -> String {
        let rest = self.0.split_once('/').map_or("", |(_, k)| k);
        let key = rest.split_once('~').map_or(rest, |(k, _)| k);
        decode_key(key).unwrap_or_default()
    }
}

impl fmt::Display for SagaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Identity of one execution of a step, forward or compensating, e.g. `order/ORD-42/credit!c`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId {
    /// The instance.
    pub saga: SagaId,
    /// Step path: the step's id, with `[i]` in for_each and `.n` in loops.
    pub path: String,
    /// Number of the forward execution, from 1.
    pub execution: u32,
    /// Number of the compensation of that execution, from 1; `None` for the forward command itself.
    pub compensation: Option<u32>,
}

impl CommandId {
    /// The forward command of an execution.
    pub fn forward(saga: &SagaId, path: &str, execution: u32) -> Self {
        Self {
            saga: saga.clone(),
            path: path.to_owned(),
            execution,
            compensation: None,
        }
    }

    /// The `m`-th compensation of this execution.
    #[must_use]
    pub fn compensated_by(&self, m: u32) -> Self {
        Self {
            compensation: Some(m),
            ..self.clone()
        }
    }

    /// The forward command of this execution (itself, if it is one).
    #[must_use]
    pub fn forward_id(&self) -> Self {
        Self {
            compensation: None,
            ..self.clone()
        }
    }

    /// Reads `<saga id>/<step path>[#n][!c[#m]]`.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let malformed = || Error::Malformed {
            text: shown(text),
            expected: "a command id `<saga id>/<step>`",
        };
        let (saga, step) = text.rsplit_once('/').ok_or_else(malformed)?;
        let saga = SagaId::parse(saga).map_err(|_| malformed())?;
        let (forward, compensation) = match step.split_once("!c") {
            None => (step, None),
            Some((forward, "")) => (forward, Some(1)),
            Some((forward, rest)) => (
                forward,
                Some(
                    rest.strip_prefix('#')
                        .and_then(repeat)
                        .ok_or_else(malformed)?,
                ),
            ),
        };
        let (path, execution) = match forward.split_once('#') {
            None => (forward, 1),
            Some((path, n)) => (path, repeat(n).ok_or_else(malformed)?),
        };
        if !is_path(path) {
            return Err(malformed());
        }
        Ok(Self {
            saga,
            path: path.to_owned(),
            execution,
            compensation,
        })
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.saga, self.path)?;
        if self.execution > 1 {
            write!(f, "#{}", self.execution)?;
        }
        match self.compensation {
            None => Ok(()),
            Some(1) => f.write_str("!c"),
            Some(m) => write!(f, "!c#{m}"),
        }
    }
}

impl Serialize for CommandId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CommandId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Is it a control character: of C0 and C1, of lines and paragraphs, or one that turns the direction of what follows?
pub fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What a message quotes of a text from outside.
fn shown(text: &str) -> String {
    let plain = |c| if is_unprintable(c) { '\u{fffd}' } else { c };
    text.chars().take(128).map(plain).collect()
}

/// Can this raw text be a business key?
fn is_key(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(is_unprintable)
}

/// Is `text` a name of a definition or a step: `[A-Za-z0-9_-]+`?
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// A second or later execution: a number without leading zeros, from 2 (the first is not written).
fn repeat(text: &str) -> Option<u32> {
    let n: u32 = text.parse().ok()?;
    (n >= 2 && n.to_string() == text).then_some(n)
}

/// A step's name, then `[i]` per for_each and `.n` per loop around it.
fn is_path(text: &str) -> bool {
    let name_end = text.find(['[', '.']).unwrap_or(text.len());
    let mut rest = &text[name_end..];
    while !rest.is_empty() {
        match position(rest) {
            Some(tail) => rest = tail,
            None => return false,
        }
    }
    is_name(&text[..name_end])
}

/// What follows one `[i]` or `.n`.
fn position(text: &str) -> Option<&str> {
    let (digits, close) = match text.strip_prefix('[') {
        Some(rest) => (rest, "]"),
        None => (text.strip_prefix('.')?, ""),
    };
    let tail = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    (tail.len() < digits.len()).then(|| tail.strip_prefix(close))?
}

fn encode_key(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn decode_key(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
