//! The ASCII header of a document: what scripts and timers need without decoding the body.
//!
//! Absent on purpose: anything that does not follow from the body (the re-send follows from it and the definition).

use std::fmt;

use saga_lib::instance::{Instance, Status, Wake};

use super::resend::{self, Resend};
use super::{Codec, Error, LAYOUT};

/// Longest header, in bytes: what a `GETRANGE` must ask for.
pub const HEADER_BYTES_MAX: usize = 192;

/// A document's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Layout version.
    pub layout: u16,
    /// Codec of the body.
    pub codec: Codec,
    /// The instance's revision.
    pub revision: u64,
    /// Kind and target of the timer entry.
    pub wake: Wake,
    /// Arm sequence of the timer entry.
    pub arm: u64,
    /// The instance's status.
    pub status: Status,
    /// Said only if the wake-up does nothing but send commands again.
    pub resend: Option<Resend>,
}

impl Header {
    /// The header of an instance's document.
    pub fn of(instance: &Instance, codec: Codec) -> Self {
        Self {
            layout: LAYOUT,
            codec,
            revision: instance.revision,
            wake: instance.wake,
            arm: instance.arm,
            status: instance.status,
            resend: None,
        }
    }

    /// Reads the header from the first bytes of a document; what follows it does not matter.
    ///
    /// # Errors
    /// [`Error::Layout`], [`Error::Codec`] and [`Error::Header`].
    pub fn parse(document: &[u8]) -> Result<Self, Error> {
        Self::split(document).map(|(header, _)| header)
    }

    /// The header and its length.
    pub(super) fn split(document: &[u8]) -> Result<(Self, usize), Error> {
        let mut fields = Fields {
            bytes: &document[..document.len().min(HEADER_BYTES_MAX)],
            at: 0,
        };
        let (layout, codec) = version(fields.next("layout")?)?;
        let revision = number(fields.next("revision")?, "revision")?;
        let armed = fields.next("arm")?;
        let target = target(fields.next("target")?)?;
        let status = status(fields.next("status")?)?;
        let (wake, arm) = wake(armed, target)?;
        let marked = fields.bytes.get(fields.at) == Some(&resend::MARK);
        let resend = marked
            .then(|| Resend::parse(fields.next("re-send")?))
            .transpose()?;
        let header = Self {
            layout,
            codec,
            revision,
            wake,
            arm,
            status,
            resend,
        };
        Ok((header, fields.at))
    }

    /// The score of the document's timer entry: +infinity if only an operator can wake it.
    pub fn score(&self) -> f64 {
        super::score(self.wake)
    }

    /// Does the body say the same?
    pub(super) fn check(&self, instance: &Instance) -> Result<(), Error> {
        let pairs = [
            ("revision", self.revision == instance.revision),
            ("arm sequence", self.arm == instance.arm),
            ("wake-up", self.wake == instance.wake),
            ("status", self.status == instance.status),
        ];
        match pairs.into_iter().find(|(_, agree)| !agree) {
            None => Ok(()),
            Some((field, _)) => Err(Error::Disagreement { field }),
        }
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (layout, codec) = (self.layout, self.codec.letter());
        write!(f, "{layout}{codec}:{}:", self.revision)?;
        match self.wake {
            Wake::At(ms) => write!(f, "w{}:{ms}:", self.arm)?,
            Wake::Never => write!(f, "w{}:-:", self.arm)?,
            Wake::Expire(ms) => write!(f, "x{}:{ms}:", self.arm)?,
        }
        write!(f, "{}:", self.status.code())?;
        self.resend.iter().try_for_each(|r| write!(f, "{r}:"))
    }
}

struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// The text up to the next colon.
    fn next(&mut self, field: &'static str) -> Result<&'a str, Error> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|b| *b == b':');
        let end = end.ok_or_else(|| bad(field, "missing or without its colon"))?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| bad(field, "not ASCII"))
    }
}

/// Layout and codec. A newer layout may have another header behind them, so they are judged first.
fn version(text: &str) -> Result<(u16, Codec), Error> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let layout = number(digits, "layout")?;
    if layout != LAYOUT {
        return Err(Error::Layout { layout });
    }
    let mut letters = text[digits.len()..].chars();
    match (letters.next(), letters.next()) {
        (Some('M'), None) => Ok((layout, Codec::MessagePack)),
        (Some('J'), None) => Ok((layout, Codec::Json)),
        (Some(codec), None) => Err(Error::Codec { codec }),
        _ => Err(bad("codec", "not one letter")),
    }
}

fn target(text: &str) -> Result<Option<i64>, Error> {
    if text == "-" {
        return Ok(None);
    }
    number(text, "target").map(Some)
}

fn wake(armed: &str, target: Option<i64>) -> Result<(Wake, u64), Error> {
    let kind = armed.get(..1).unwrap_or_default();
    let arm = number(armed.get(1..).unwrap_or_default(), "arm")?;
    match (kind, target) {
        ("w", Some(ms)) => Ok((Wake::At(ms), arm)),
        ("w", None) => Ok((Wake::Never, arm)),
        ("x", Some(ms)) => Ok((Wake::Expire(ms), arm)),
        _ => Err(bad("arm", "neither `w` nor `x` with a target")),
    }
}

fn status(text: &str) -> Result<Status, Error> {
    Status::ALL
        .into_iter()
        .find(|status| text.chars().eq([status.code()]))
        .ok_or_else(|| bad("status", "not a status letter"))
}

pub(super) fn number<T: std::str::FromStr>(text: &str, field: &'static str) -> Result<T, Error> {
    text.parse().map_err(|_| bad(field, "not a number"))
}

pub(super) fn bad(field: &'static str, problem: &'static str) -> Error {
    Error::Header { field, problem }
}
