//! JSON from outside, within bounds and without loss.
//!
//! Numbers: an integer up to 2^53 in magnitude and a decimal that a double reproduces digit by digit become numbers; any other number
//! (`9007199254740993`, `0.12345678901234567890`, `1e999999`) is **kept as text**, so no amount of money is ever rounded on the way
//! through. A document has at most 1 MiB and 64 levels, and its values take at most [`MEMORY_BYTES_MAX`], counted before they are made:
//! an object of one short key takes a hundred times its text. Refused beyond RFC 8259: duplicate keys, NUL, lone surrogates.
//!
//! Absent on purpose: a lenient mode, comments, and streaming; `serde_json` reads what Skald itself wrote where types are known.

mod scan;

use serde_json::{Map, Value};

use scan::Scanner;

/// Largest document from outside, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;

/// Most memory for the values of a document, in bytes: twice what 1 MiB of ordinary objects takes.
pub const MEMORY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Rough cost of a value in a list, of an entry of an object, and of an object's first node, in bytes: what the allocator sees at most.
const ITEM_BYTES: usize = 64;
const ENTRY_BYTES: usize = 160;
const OBJECT_BYTES: usize = 480;

/// Deepest nesting of objects and arrays.
pub const DEPTH_MAX: usize = 64;

/// Why bytes are not an acceptable JSON document. Places are byte offsets from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Larger than the limit; it was not looked into.
    #[error("JSON of {bytes} bytes is larger than {max}: send a reference instead of the data")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Not UTF-8.
    #[error("byte {at}: not UTF-8; JSON must be UTF-8 (RFC 8259)")]
    NotUtf8 {
        /// First bad byte.
        at: usize,
    },
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("byte {at}: nested deeper than {DEPTH_MAX} levels; flatten the document")]
    TooDeep {
        /// The bracket that is one too many.
        at: usize,
    },
    /// Many small values, which take far more memory than text.
    #[error(
        "byte {at}: its values would take more than {MEMORY_BYTES_MAX} bytes of memory; send fewer, or a reference"
    )]
    TooManyValues {
        /// The value that is one too many.
        at: usize,
    },
    /// A key occurs twice in one object: readers disagree which one counts.
    #[error("byte {at}: key `{key}` occurs twice in one object; remove one")]
    DuplicateKey {
        /// The second key.
        at: usize,
        /// Its name, cut to 64 characters.
        key: String,
    },
    /// A NUL character, which stores and consoles cut texts at.
    #[error("byte {at}: NUL character in a text; remove it")]
    Nul {
        /// The character or its escape.
        at: usize,
    },
    /// Half of a surrogate pair.
    #[error("byte {at}: lone surrogate in a text; escape the whole character as a pair")]
    LoneSurrogate {
        /// The escape.
        at: usize,
    },
    /// Not JSON.
    #[error("byte {at}: {found} where {expected} should be; send JSON (RFC 8259)")]
    Unexpected {
        /// Where.
        at: usize,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
}

/// Reads a document of at most [`DOCUMENT_BYTES_MAX`].
///
/// # Errors
/// See [`Error`]; every one names the byte.
pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
    parse_within(bytes, DOCUMENT_BYTES_MAX)
}

/// Reads a document of at most `max` bytes: for own records, which may be larger than what came from outside.
///
/// # Errors
/// See [`Error`]; every one names the byte.
pub fn parse_within(bytes: &[u8], max: usize) -> Result<Value, Error> {
    if bytes.len() > max {
        return Err(Error::TooLarge {
            bytes: bytes.len(),
            max,
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| Error::NotUtf8 {
        at: e.valid_up_to(),
    })?;
    let mut scanner = Scanner::new(text);
    let value = value(&mut scanner, 0)?;
    scanner.end()?;
    Ok(value)
}

/// A whole number as [`parse`] gives it: beyond 2^53 in magnitude it is text.
pub(crate) fn whole(number: i64) -> Value {
    scan::integer(&number.to_string())
}

/// A number as [`parse`] gives it: text unless a double has the same digits.
pub(crate) fn decimal_or_whole(text: &str) -> Value {
    if text.contains('.') {
        scan::decimal(text)
    } else {
        scan::integer(text)
    }
}

/// Sign, digits without zeros at either end, and the power of ten of a decimal number; `None` if the text is none.
pub(crate) fn decimal_parts(text: &str) -> Option<(bool, String, i64)> {
    let begins = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let is_number =
        begins && parse(text.as_bytes()).is_ok() && !text.ends_with(char::is_whitespace);
    is_number.then(|| scan::normal(text))?
}

fn value(scanner: &mut Scanner<'_>, depth: usize) -> Result<Value, Error> {
    scanner.charge(ITEM_BYTES)?;
    match scanner.peek() {
        Some(b'{') => object(scanner, depth + 1),
        Some(b'[') => array(scanner, depth + 1),
        Some(b'"') => scanner.string().map(Value::String),
        Some(b't') => scanner.word("true", Value::Bool(true)),
        Some(b'f') => scanner.word("false", Value::Bool(false)),
        Some(b'n') => scanner.word("null", Value::Null),
        Some(b'-' | b'0'..=b'9') => scanner.number(),
        _ => Err(scanner.unexpected("a value")),
    }
}

fn object(scanner: &mut Scanner<'_>, depth: usize) -> Result<Value, Error> {
    scanner.open(depth)?;
    let mut map = Map::new();
    if scanner.take(b'}') {
        return Ok(Value::Object(map));
    }
    scanner.charge(OBJECT_BYTES)?;
    loop {
        scanner.charge(ENTRY_BYTES)?;
        scanner.skip_space();
        let at = scanner.at();
        let key = scanner.string()?;
        scanner.expect(b':', "`:`")?;
        if map.contains_key(&key) {
            return Err(duplicate_key(at, &key));
        }
        map.insert(key, value(scanner, depth)?);
        if scanner.take(b'}') {
            return Ok(Value::Object(map));
        }
        scanner.expect(b',', "`,` or `}`")?;
    }
}

fn array(scanner: &mut Scanner<'_>, depth: usize) -> Result<Value, Error> {
    scanner.open(depth)?;
    let mut list = Vec::new();
    if scanner.take(b']') {
        return Ok(Value::Array(list));
    }
    loop {
        list.push(value(scanner, depth)?);
        if scanner.take(b']') {
            return Ok(Value::Array(list));
        }
        scanner.expect(b',', "`,` or `]`")?;
    }
}

fn duplicate_key(at: usize, key: &str) -> Error {
    Error::DuplicateKey {
        at,
        key: key.chars().take(64).collect(),
    }
}

#[cfg(test)]
mod tests;
