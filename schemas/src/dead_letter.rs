//! Dead letters: records set aside, byte for byte, with origin and reason in headers.
//!
//! Header names are KIP-1191's (`__dlq.errors.*`) plus `.class`, `.stage`, `.saga` and `.definition`. The reader also understands the
//! families of Kafka Connect (KIP-298), Kafka Streams (KIP-1034) and Spring Kafka, so their dead letters can be listed and sent back.
//! A record that was already a dead letter of this app keeps its origin and its topic; only the reason is new.
//!
//! Absent on purpose: moving and deleting. Sending back is a copy (see [`crate::redrive`]).

mod family;

use saga_lib::id::SagaId;

use crate::headers;
use crate::record::{Headers, Outgoing, Partition, Received};
use crate::topics::{self, Topics};

use family::Family;

/// Largest dead letter: the topic's limit, less what a batch of one record adds. Of a larger record the value is left out, then the
/// headers, then the key: its place tells where it stands, and a record that cannot even be set aside would stop its partition.
pub const RECORD_BYTES_MAX: usize = topics::MESSAGE_BYTES_MAX - 1024;

/// Longest message in a header, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024;

/// Why a record is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cause {
    /// From a closed list, e.g. `undecodable`, `queue_full`, `unsigned`, `panic`.
    pub class: String,
    /// Stage that set it aside: `ingress`, `engine` ...
    pub stage: String,
    /// For people: names the place and the way out.
    pub message: String,
    /// Saga it belongs to, if that is known.
    pub saga: Option<SagaId>,
    /// Definition that refused it, `name@version#hash`, if one did.
    pub definition: Option<String>,
    /// Consumer group that read it.
    pub group: String,
    /// How often it was delivered, this time included.
    pub delivery_count: u32,
}

/// A dead letter as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// `topic/partition/offset` of the dead letter itself.
    pub position: String,
    /// When it was set aside, ms.
    pub timestamp_ms: i64,
    /// Where the record stood.
    pub partition: Partition,
    /// Its offset there.
    pub offset: i64,
    /// Why, from a closed list; the exception's class in foreign families.
    pub class: String,
    /// Stage that set it aside.
    pub stage: String,
    /// Why, for people.
    pub message: String,
    /// Saga it belongs to.
    pub saga: Option<String>,
    /// Definition that refused it.
    pub definition: Option<String>,
    /// Consumer group that read it.
    pub group: String,
    /// How often it was delivered.
    pub delivery_count: u32,
    /// What was too large to be kept (`value`, `headers`, `key`), with the record's size: it still stands in its place, perhaps.
    pub left_out: Option<String>,
    /// Original key.
    pub key: Option<Vec<u8>>,
    /// Original value.
    pub value: Option<Vec<u8>>,
    /// Original headers.
    pub headers: Headers,
}

/// Why a record is no dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No header tells the origin.
    #[error(
        "{position} has no origin headers (`__dlq.errors.topic` or those of Connect, Streams or Spring): read it as a plain record"
    )]
    NoOrigin {
        /// Where it stands.
        position: String,
    },
    /// The origin cannot be read.
    #[error("{position}: header `{header}` is not a number")]
    Number {
        /// Where it stands.
        position: String,
        /// The header.
        header: &'static str,
    },
}

/// The dead letter of a record.
pub fn encode(topics: &Topics, original: &Received, cause: &Cause) -> Outgoing {
    let kept = topics
        .source_of_dead_letter(&original.partition.topic)
        .and_then(|_| decode(original).ok());
    let (partition, offset) = kept.as_ref().map_or_else(
        || (&original.partition, original.offset),
        |letter| (&letter.partition, letter.offset),
    );
    let place = Place {
        partition,
        offset,
        left_out: kept.as_ref().and_then(|letter| letter.left_out.as_deref()),
    };
    let parts = [LeftOut::Value, LeftOut::Headers, LeftOut::Key];
    let with = |count| letter(topics, original, &place, cause, &parts[..count]);
    let fits = |letter: &Outgoing| letter.size() <= RECORD_BYTES_MAX;
    let found = (0..parts.len()).map(with).find(fits);
    found.unwrap_or_else(|| with(parts.len()))
}

/// Where the record first stood.
struct Place<'a> {
    partition: &'a Partition,
    offset: i64,
    /// What was left out when it was set aside before.
    left_out: Option<&'a str>,
}

/// A part of a record that is too large to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeftOut {
    Value,
    Headers,
    Key,
}

impl LeftOut {
    fn word(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Headers => "headers",
            Self::Key => "key",
        }
    }
}

fn letter(
    topics: &Topics,
    original: &Received,
    place: &Place<'_>,
    cause: &Cause,
    left_out: &[LeftOut],
) -> Outgoing {
    let keeps = |part| !left_out.contains(&part);
    let mut headers = match keeps(LeftOut::Headers) {
        true => without(&original.headers, &[headers::DLQ_PREFIX]),
        false => Headers::default(),
    };
    headers.push(headers::DLQ_TOPIC, place.partition.topic.as_str());
    headers.push(headers::DLQ_PARTITION, place.partition.number.to_string());
    headers.push(headers::DLQ_OFFSET, place.offset.to_string());
    push_cause(&mut headers, cause);
    if !left_out.is_empty() {
        let words: Vec<_> = left_out.iter().map(|part| part.word()).collect();
        let bytes = original.size();
        let told = format!("{} of a record of {bytes} bytes", words.join(", "));
        headers.push(headers::DLQ_LEFT_OUT, told);
    } else if let Some(told) = place.left_out {
        headers.push(headers::DLQ_LEFT_OUT, told);
    }
    Outgoing {
        topic: topics.dead_letter(&original.partition.topic),
        partition: None,
        key: original.key.clone().filter(|_| keeps(LeftOut::Key)),
        value: original.value.clone().filter(|_| keeps(LeftOut::Value)),
        headers,
    }
}

fn push_cause(headers: &mut Headers, cause: &Cause) {
    let message = &cause.message[..cause.message.floor_char_boundary(MESSAGE_BYTES_MAX)];
    headers.push(headers::DLQ_GROUP, cause.group.as_str());
    headers.push(
        headers::DLQ_DELIVERY_COUNT,
        cause.delivery_count.to_string(),
    );
    headers.push(headers::DLQ_MESSAGE, message);
    headers.push(headers::DLQ_CLASS, cause.class.as_str());
    headers.push(headers::DLQ_STAGE, cause.stage.as_str());
    if let Some(saga) = &cause.saga {
        headers.push(headers::DLQ_SAGA, saga.as_str());
    }
    if let Some(definition) = &cause.definition {
        headers.push(headers::DLQ_DEFINITION, definition.as_str());
    }
}

/// Reads a dead letter of Skald, Kafka, Connect, Streams or Spring.
///
/// # Errors
/// [`Error::NoOrigin`] and [`Error::Number`].
pub fn decode(record: &Received) -> Result<DeadLetter, Error> {
    let headers = &record.headers;
    let family = Family::of(headers).ok_or_else(|| Error::NoOrigin {
        position: record.position(),
    })?;
    let number = |header: &'static str| {
        family.number(headers, header).ok_or_else(|| Error::Number {
            position: record.position(),
            header,
        })
    };
    let partition = number(family.partition)?;
    let partition = u32::try_from(partition).map_err(|_| Error::Number {
        position: record.position(),
        header: family.partition,
    })?;
    let deliveries = family.number(headers, headers::DLQ_DELIVERY_COUNT);
    Ok(DeadLetter {
        position: record.position(),
        timestamp_ms: record.timestamp_ms,
        partition: Partition::new(lossy(headers, family.topic), partition),
        offset: number(family.offset)?,
        class: lossy(headers, family.class),
        stage: lossy(headers, family.stage),
        message: lossy(headers, family.message),
        saga: headers.text(headers::DLQ_SAGA).map(str::to_owned),
        definition: headers.text(headers::DLQ_DEFINITION).map(str::to_owned),
        group: lossy(headers, family.group),
        left_out: headers.text(headers::DLQ_LEFT_OUT).map(str::to_owned),
        delivery_count: deliveries.and_then(|n| n.try_into().ok()).unwrap_or(1),
        key: record.key.clone(),
        value: record.value.clone(),
        headers: without(headers, &[family.prefix, headers::DLQ_PREFIX]),
    })
}

/// Text for people: a foreign message with a broken byte still tells something.
fn lossy(headers: &Headers, name: &str) -> String {
    headers
        .bytes(name)
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .unwrap_or_default()
}

fn without(headers: &Headers, prefixes: &[&str]) -> Headers {
    let foreign = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let kept = headers.0.iter().filter(|(name, _)| !foreign(name));
    Headers(kept.cloned().collect())
}

#[cfg(test)]
mod tests;
