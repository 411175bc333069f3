//! Limits on records from outside, checked before anything is parsed.
//!
//! Absent on purpose: limits on the contents (see [`crate::json`] and [`crate::ids`]).

use crate::record::Received;

/// Largest key and value of a record from outside, together, in bytes.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Most headers of a record.
pub const HEADERS_MAX: usize = 64;

/// Most bytes of header names and values of a record.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Why a record is refused unread.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Key and value are too large.
    #[error("record of {bytes} bytes is larger than {max}: send a reference instead of the data")]
    RecordBytes {
        /// Their size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Too many headers.
    #[error("{count} headers, more than {HEADERS_MAX}: drop those nobody reads")]
    Headers {
        /// How many.
        count: usize,
    },
    /// Headers too large.
    #[error("headers of {bytes} bytes, more than {HEADER_BYTES_MAX}: move data into the value")]
    HeaderBytes {
        /// Their size.
        bytes: usize,
    },
}

/// Checks a record from outside.
///
/// # Errors
/// See [`Error`].
pub fn check(record: &Received) -> Result<(), Error> {
    check_within(record, RECORD_BYTES_MAX)
}

/// Checks a record of which key and value may have `max` bytes.
///
/// # Errors
/// See [`Error`].
pub fn check_within(record: &Received, max: usize) -> Result<(), Error> {
    let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    let bytes = length(&record.key) + length(&record.value);
    if bytes > max {
        return Err(Error::RecordBytes { bytes, max });
    }
    let headers = &record.headers.0;
    if headers.len() > HEADERS_MAX {
        return Err(Error::Headers {
            count: headers.len(),
        });
    }
    let bytes = headers.iter().map(|(n, v)| n.len() + v.len()).sum();
    if bytes > HEADER_BYTES_MAX {
        return Err(Error::HeaderBytes { bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
