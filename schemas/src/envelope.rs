//! The CloudEvents envelope (binary mode of the Kafka protocol binding 1.0) of everything that Skald writes.
//!
//! Absent on purpose: reading (see [`crate::event`] and [`crate::inbox`]), structured mode and batches.

use crate::headers;
use crate::record::Headers;
use crate::time;

/// Attributes of one event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Envelope<'a> {
    /// `ce_id`.
    pub id: &'a str,
    /// `ce_type`.
    pub r#type: &'a str,
    /// `ce_source`.
    pub source: &'a str,
    /// `ce_subject`.
    pub subject: Option<&'a str>,
    /// `ce_time`, ms since 1970.
    pub time_ms: Option<i64>,
    /// `ce_correlationid`.
    pub correlation: Option<&'a str>,
    /// `ce_causationid`.
    pub causation: Option<&'a str>,
    /// `traceparent`.
    pub traceparent: Option<&'a str>,
}

impl Envelope<'_> {
    /// The headers of an event whose value is JSON.
    pub fn headers(&self) -> Headers {
        self.headers_of(headers::JSON)
    }

    /// The headers of an event whose value is of this media type.
    pub fn headers_of(&self, media: &str) -> Headers {
        let mut out = Headers::default()
            .with(headers::CE_SPECVERSION, "1.0")
            .with(headers::CE_ID, self.id)
            .with(headers::CE_TYPE, self.r#type)
            .with(headers::CE_SOURCE, self.source)
            .with(headers::CONTENT_TYPE, media);
        if let Some(ms) = self.time_ms {
            out.push(headers::CE_TIME, time::rfc3339(ms));
        }
        let optional = [
            (headers::CE_SUBJECT, self.subject),
            (headers::CE_CORRELATIONID, self.correlation),
            (headers::CE_CAUSATIONID, self.causation),
            (headers::TRACEPARENT, self.traceparent),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                out.push(name, value);
            }
        }
        out
    }
}

/// `ce_source` of an app: a URI reference, as CloudEvents asks for.
pub fn source(app: &str) -> String {
    format!("/skald/{app}")
}
