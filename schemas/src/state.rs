//! The stored document of an instance: an ASCII header that scripts can read, and a body with named fields.
//!
//! ```text
//! document = layout codec ":" revision ":" wake arm ":" target ":" status ":" [ resend ":" ] body
//! layout   = 1*DIGIT               ; 1
//! codec    = "M" / "J"             ; MessagePack with field names / JSON for people
//! wake     = "w" / "x"             ; wake-up / expiry
//! target   = "-" / [ "-" ] 1*DIGIT ; never / ms since 1970
//! status   = ALPHA                 ; saga_lib::instance::Status::code
//! resend   = "@" topic [ "*" 1*DIGIT ] [ "+" 1*DIGIT ]
//! ```
//!
//! `1M:7:w3:1700000005000:r:` is revision 7 of a running instance that wakes at its third arming. The header repeats what the body
//! says, so that timers and indexes need no decoder; a document whose two halves disagree is refused.
//!
//! `@credit.commands*2+5000` says that the wake-up sends two commands to that topic again and does nothing else if it comes at most 5 s
//! late (`*1` is left out; without `+` it may come at any time). No body begins with `@`, so a document without it reads as ever.
//!
//! A layout, once released, is readable for ever by its own code: a change of the instance's shape that old code would misread gets
//! a new number, and the golden files of the old one stay as they are.
//!
//! Absent on purpose: positional codecs (they misread evolved documents silently), and codec Z (zstd), which a later release brings.

mod header;
mod resend;

use saga_lib::instance::{Instance, Wake};
use serde::{Deserialize as _, Serialize as _};

pub use header::{HEADER_BYTES_MAX, Header};
pub use resend::{Resend, TARGET_BYTES_MAX};

/// The layout that is written.
pub const LAYOUT: u16 = 1;

/// Largest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// Deepest nesting of a body: more than results and payloads of [`crate::json::DEPTH_MAX`] levels make of it, and little enough that
/// reading a damaged one needs no more stack than a thread has.
const DEPTH_MAX: usize = 256;

/// How the body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// MessagePack with field names.
    MessagePack,
    /// JSON, for people.
    Json,
}

impl Codec {
    /// Its letter in the header.
    pub fn letter(self) -> char {
        match self {
            Self::MessagePack => 'M',
            Self::Json => 'J',
        }
    }
}

/// Why a document cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The document would be too large: its instance is parked before it hurts its lane.
    #[error(
        "document of {bytes} bytes is larger than {DOCUMENT_BYTES_MAX}: keep less of the replies (`keep`)"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Written by a release with another layout. The lane stops; nothing is set aside.
    #[error(
        "document layout {layout} is not readable by this release (it reads {LAYOUT}): run the release that wrote it, or a newer one"
    )]
    Layout {
        /// The layout.
        layout: u16,
    },
    /// Written with a codec that this release does not know. The lane stops; nothing is set aside.
    #[error("document codec `{codec}` is not readable by this release (it reads M and J)")]
    Codec {
        /// Its letter.
        codec: char,
    },
    /// The header does not follow the grammar.
    #[error("document header: {field} is {problem}; rebuild the lane from the journal")]
    Header {
        /// The field.
        field: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// The body cannot be read.
    #[error("document body: {problem}; rebuild the lane from the journal")]
    Body {
        /// What the codec said.
        problem: String,
    },
    /// Header and body tell different things.
    #[error(
        "document header and body disagree about the {field}; rebuild the lane from the journal"
    )]
    Disagreement {
        /// The field.
        field: &'static str,
    },
}

/// The document of an instance.
///
/// # Errors
/// [`Error::TooLarge`]; [`Error::Body`] if the codec cannot express a value (never for an instance made by transitions).
pub fn encode(instance: &Instance, codec: Codec) -> Result<Vec<u8>, Error> {
    encode_with(instance, codec, None)
}

/// The document of an instance whose next wake-up does nothing but send commands again.
///
/// # Errors
/// As [`encode`].
pub fn encode_with(
    instance: &Instance,
    codec: Codec,
    resend: Option<Resend>,
) -> Result<Vec<u8>, Error> {
    let header = Header {
        resend,
        ..Header::of(instance, codec)
    };
    let mut out = header.to_string().into_bytes();
    let failed = |problem: String| Error::Body { problem };
    match codec {
        Codec::MessagePack => {
            let mut writer = rmp_serde::Serializer::new(&mut out).with_struct_map();
            writer.unstable_set_max_depth(DEPTH_MAX);
            let written = instance.serialize(&mut writer);
            written.map_err(|e| failed(e.to_string()))?;
        }
        Codec::Json => {
            serde_json::to_writer(&mut out, instance).map_err(|e| failed(e.to_string()))?;
        }
    }
    if out.len() > DOCUMENT_BYTES_MAX {
        return Err(Error::TooLarge { bytes: out.len() });
    }
    Ok(out)
}

/// The instance of a document.
///
/// # Errors
/// All but [`Error::TooLarge`]: what is stored is read, whatever the limit was when it was written.
pub fn decode(document: &[u8]) -> Result<Instance, Error> {
    let (header, length) = Header::split(document)?;
    let body = &document[length..];
    let failed = |problem: String| Error::Body { problem };
    let instance: Instance = match header.codec {
        Codec::MessagePack => {
            let mut reader = rmp_serde::Deserializer::from_read_ref(body);
            reader.set_max_depth(DEPTH_MAX);
            Instance::deserialize(&mut reader).map_err(|e| failed(e.to_string()))?
        }
        Codec::Json => serde_json::from_slice(body).map_err(|e| failed(e.to_string()))?,
    };
    header.check(&instance)?;
    Ok(instance)
}

/// The score of a wake-up in the lane's timer set.
pub fn score(wake: Wake) -> f64 {
    match wake {
        // Exact: milliseconds stay below 2^53 for 285,000 years.
        Wake::At(ms) | Wake::Expire(ms) => ms as f64,
        Wake::Never => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests;
