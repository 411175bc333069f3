//! W3C Trace Context: which `traceparent` is worth carrying on.
//!
//! Absent on purpose: making spans and sampling. A header that does not follow the recommendation is dropped, as it demands.

use crate::headers;
use crate::record::Headers;

/// The record's `traceparent`, if it is well-formed.
pub fn traceparent(headers: &Headers) -> Option<&str> {
    headers
        .text(headers::TRACEPARENT)
        .filter(|text| is_traceparent(text))
}

/// Does the text follow `version-traceid-parentid-flags`, with neither id all zeros?
pub fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut hex = |length: usize| {
        parts
            .next()
            .filter(|part| part.len() == length && part.bytes().all(is_hex_lower))
    };
    let (version, trace, parent, flags) = (hex(2), hex(32), hex(16), hex(2));
    let not_zero = |part: Option<&str>| part.is_some_and(|p| p.bytes().any(|b| b != b'0'));
    // Only version 00 ends here; later ones may append fields.
    let ends = version != Some("00") || parts.next().is_none();
    version.is_some_and(|v| v != "ff")
        && not_zero(trace)
        && not_zero(parent)
        && flags.is_some()
        && ends
        && text.len() <= 256
}

fn is_hex_lower(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests;
