//! Header names, and reading headers as text and numbers.
//!
//! Sources: CloudEvents 1.0 Kafka protocol binding (`ce_*`, `content-type`), its distributed-tracing, expiry and correlation
//! extensions, W3C Trace Context, Spring Kafka (`kafka_*`), KIP-1191 (`__dlq.errors.*`). Own names exist only where no standard has
//! one. All values are UTF-8 text, except [`KAFKA_REPLY_PARTITION`].
//!
//! Absent on purpose: the foreign dead-letter families, which only [`crate::dead_letter`] reads.

use std::str::FromStr;

use crate::record::Headers;

/// CloudEvents: version of the specification, `1.0`.
pub const CE_SPECVERSION: &str = "ce_specversion";
/// CloudEvents: identity, unique within the source.
pub const CE_ID: &str = "ce_id";
/// CloudEvents: type.
pub const CE_TYPE: &str = "ce_type";
/// CloudEvents: where it comes from.
pub const CE_SOURCE: &str = "ce_source";
/// CloudEvents: when it happened.
pub const CE_TIME: &str = "ce_time";
/// CloudEvents: what it is about.
pub const CE_SUBJECT: &str = "ce_subject";
/// CloudEvents correlation extension: the saga id.
pub const CE_CORRELATIONID: &str = "ce_correlationid";
/// CloudEvents correlation extension: id of the causing record; in a reply the command id.
pub const CE_CAUSATIONID: &str = "ce_causationid";
/// CloudEvents expiry extension: when the sender gives up waiting.
pub const CE_EXPIRYTIME: &str = "ce_expirytime";
/// Media type of the value.
pub const CONTENT_TYPE: &str = "content-type";
/// W3C Trace Context.
pub const TRACEPARENT: &str = "traceparent";
/// W3C Trace Context, vendors' part.
pub const TRACESTATE: &str = "tracestate";
/// Event type of producers that know no CloudEvents.
pub const TYPE: &str = "type";

/// Kind of an inbox record; missing means Reply.
pub const KIND: &str = "skald-kind";
/// `name@version#hash`.
pub const DEFINITION: &str = "skald-definition";
/// Step id.
pub const STEP: &str = "skald-step";
/// Attempt of a command, from 1.
pub const ATTEMPT: &str = "skald-attempt";
/// Forward execution that a command compensates.
pub const COMPENSATES: &str = "skald-compensates";
/// Topic a reply goes to.
pub const REPLY_TO: &str = "skald-reply-to";
/// Outcome of a reply.
pub const OUTCOME: &str = "skald-outcome";
/// Machine-readable cause of a refusal or failure.
pub const CODE: &str = "skald-code";
/// Cause for people.
pub const REASON: &str = "skald-reason";
/// The record was copied from another lane, once.
pub const FORWARDED: &str = "skald-forwarded";
/// Signature.
pub const SIG: &str = "skald-sig";
/// Name that the payload of an event is bound to.
pub const BIND: &str = "skald-bind";
/// Identity of the trigger.
pub const TRIGGER: &str = "skald-trigger";
/// Arm sequence of a timer.
pub const ARM: &str = "skald-arm";
/// Business topic of an awaited event.
pub const TOPIC: &str = "skald-topic";
/// `topic/partition/offset` of the record this one is a copy of.
pub const ORIGIN: &str = "skald-origin";

/// Why nothing waited for the record that an orphan is a copy of.
pub const ORPHAN_REASON: &str = "skald-orphan-reason";

/// Spring Kafka: topic a reply goes to.
pub const KAFKA_REPLY_TOPIC: &str = "kafka_replyTopic";
/// Spring Kafka: partition a reply goes to, 4 bytes, big-endian: the one header that is not text.
pub const KAFKA_REPLY_PARTITION: &str = "kafka_replyPartition";
/// Spring Kafka: what a reply echoes; the command id as text.
pub const KAFKA_CORRELATION_ID: &str = "kafka_correlationId";

/// KIP-1191: what every header of the family begins with.
pub const DLQ_PREFIX: &str = "__dlq.errors.";
/// KIP-1191: original topic.
pub const DLQ_TOPIC: &str = "__dlq.errors.topic";
/// KIP-1191: original partition.
pub const DLQ_PARTITION: &str = "__dlq.errors.partition";
/// KIP-1191: original offset.
pub const DLQ_OFFSET: &str = "__dlq.errors.offset";
/// KIP-1191: group that set it aside.
pub const DLQ_GROUP: &str = "__dlq.errors.group";
/// KIP-1191: how often it was delivered.
pub const DLQ_DELIVERY_COUNT: &str = "__dlq.errors.delivery.count";
/// KIP-1191: why, for people.
pub const DLQ_MESSAGE: &str = "__dlq.errors.message";
/// Why, from a closed list.
pub const DLQ_CLASS: &str = "__dlq.errors.class";
/// What of the record was too large to be kept.
pub const DLQ_LEFT_OUT: &str = "__dlq.errors.leftout";
/// Stage that set it aside.
pub const DLQ_STAGE: &str = "__dlq.errors.stage";
/// Saga it belongs to, if that is known.
pub const DLQ_SAGA: &str = "__dlq.errors.saga";
/// Definition that refused it, if one did.
pub const DLQ_DEFINITION: &str = "__dlq.errors.definition";

/// What every header of a redriven record begins with that is not the original's.
pub const REDRIVE_PREFIX: &str = "skald-redrive-";
/// Original topic of a redriven record.
pub const REDRIVE_TOPIC: &str = "skald-redrive-topic";
/// Original partition of a redriven record.
pub const REDRIVE_PARTITION: &str = "skald-redrive-partition";
/// Original offset of a redriven record.
pub const REDRIVE_OFFSET: &str = "skald-redrive-offset";
/// The one definition a redriven record is for.
pub const REDRIVE_DEFINITION: &str = "skald-redrive-definition";
/// How often a redriven record was delivered before.
pub const REDRIVE_DELIVERIES: &str = "skald-redrive-deliveries";

/// Media type of JSON values.
pub const JSON: &str = "application/json";

/// Media type of Avro values in the framing of a schema registry.
pub const AVRO: &str = "application/avro";

/// Why a header cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not there.
    #[error("header `{name}` is missing: the writer must set it")]
    Missing {
        /// Its name.
        name: String,
    },
    /// Its bytes are not UTF-8.
    #[error("header `{name}` is not UTF-8 text: the writer must encode it as text")]
    NotText {
        /// Its name.
        name: String,
    },
    /// Its text is not what it should be.
    #[error("header `{name}`: `{value}` is not {expected}")]
    Malformed {
        /// Its name.
        name: String,
        /// Its text, cut to 128 characters.
        value: String,
        /// What should be there.
        expected: &'static str,
    },
}

impl Error {
    /// A [`Error::Malformed`] that quotes at most 128 characters of the value.
    pub fn malformed(name: &str, value: &str, expected: &'static str) -> Self {
        Self::Malformed {
            name: name.to_owned(),
            value: value.chars().take(128).collect(),
            expected,
        }
    }
}

/// The text of a header that may be missing.
///
/// # Errors
/// [`Error::NotText`].
pub fn optional<'a>(headers: &'a Headers, name: &str) -> Result<Option<&'a str>, Error> {
    let Some(bytes) = headers.bytes(name) else {
        return Ok(None);
    };
    std::str::from_utf8(bytes)
        .map(Some)
        .map_err(|_| Error::NotText {
            name: name.to_owned(),
        })
}

/// The text of a header that must be there.
///
/// # Errors
/// [`Error::Missing`] and [`Error::NotText`].
pub fn required<'a>(headers: &'a Headers, name: &str) -> Result<&'a str, Error> {
    optional(headers, name)?.ok_or_else(|| Error::Missing {
        name: name.to_owned(),
    })
}

/// A number or id in a header that may be missing.
///
/// # Errors
/// [`Error::NotText`] and [`Error::Malformed`].
pub fn parsed<T: FromStr>(
    headers: &Headers,
    name: &str,
    expected: &'static str,
) -> Result<Option<T>, Error> {
    optional(headers, name)?
        .map(|text| {
            text.parse()
                .map_err(|_| Error::malformed(name, text, expected))
        })
        .transpose()
}
