//! The grammar of saga ids and command ids, and the limits of the business keys inside them.
//!
//! ABNF (RFC 5234):
//!
//! ```text
//! saga-id      = name "/" key [ "~" trigger ]
//! command-id   = saga-id "/" path [ "#" execution ] [ "!c" [ "#" execution ] ]
//!
//! name         = 1*( ALPHA / DIGIT / "_" / "-" )
//! key          = 1*( key-char / "%" 2hex-upper )          ; RFC 3986 percent-encoding of UTF-8
//! key-char     = ALPHA / DIGIT / "." / "_" / "-"          ; never percent-encoded
//! trigger      = 16hex-lower                              ; xxh3 of the trigger's identity
//! path         = name *( index / iteration )
//! index        = "[" 1*DIGIT "]"                          ; element of a for_each
//! iteration    = "." 1*DIGIT                              ; round of a loop
//! execution    = nonzero *DIGIT                           ; from 2: the first execution is not written
//!
//! nonzero      = %x31-39
//! hex-upper    = DIGIT / "A" / "B" / "C" / "D" / "E" / "F"
//! hex-lower    = DIGIT / "a" / "b" / "c" / "d" / "e" / "f"
//! ```
//!
//! An id has at most 256 bytes. None of `/ ~ # ! [ ]` can occur in an encoded key, so an id splits in one way only, and the lane of a
//! command follows from its id alone ([`crate::lane::lane_of_command`]).
//!
//! Absent on purpose: the types, which are `saga_lib::id`'s.

use saga_lib::id;

pub use saga_lib::id::{CommandId, ID_BYTES_MAX, SagaId};

/// Why a text cannot be a business key or a foreign id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing to correlate by.
    #[error("{what} is empty: give it a value")]
    Empty {
        /// Which text.
        what: String,
    },
    /// Longer than an id may be.
    #[error("{what} has {bytes} bytes, more than {max}: use a shorter one")]
    TooLong {
        /// Which text.
        what: String,
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A control character (of direction or line, too), which no console or log shows faithfully.
    #[error("{what} has the control character U+{code:04X} at byte {at}: remove it")]
    Control {
        /// Which text.
        what: String,
        /// Where.
        at: usize,
        /// Its code point.
        code: u32,
    },
}

/// Checks a business key or foreign id: 1 to 256 bytes without control characters. `what` names it in the error.
///
/// # Errors
/// [`Error::Empty`], [`Error::TooLong`] and [`Error::Control`].
pub fn check_text(what: &str, text: &str) -> Result<(), Error> {
    check_text_within(what, text, ID_BYTES_MAX)
}

/// As [`check_text`], with another limit.
///
/// # Errors
/// As [`check_text`].
pub fn check_text_within(what: &str, text: &str, max: usize) -> Result<(), Error> {
    let what = || what.to_owned();
    if text.is_empty() {
        return Err(Error::Empty { what: what() });
    }
    if text.len() > max {
        return Err(Error::TooLong {
            what: what(),
            bytes: text.len(),
            max,
        });
    }
    match text.char_indices().find(|(_, c)| id::is_unprintable(*c)) {
        None => Ok(()),
        Some((at, c)) => Err(Error::Control {
            what: what(),
            at,
            code: u32::from(c),
        }),
    }
}

#[cfg(test)]
mod tests;
