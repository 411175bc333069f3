//! Redrive: dead letters sent back to Skald alone.
//!
//! A dead letter never goes to its original topic, where other consumers would see it again. It goes to `<app>.redrive`, which ingress
//! reads as if the record stood in its original place (so ids that derive from the place stay the same), for the one definition that
//! refused it. A dead inbox record goes to its lane again; the caller signs it anew, and therefore must not send back what was refused as
//! `unsigned` unless an operator vouches for it: the new signature would make a forged record genuine.
//!
//! Absent on purpose: deleting the dead letter (a replay copies), and limits of rate (the caller's).

use crate::dead_letter::DeadLetter;
use crate::headers;
use crate::record::{Headers, Outgoing, Partition, Received};
use crate::topics::Topics;

/// A record sent back, as if it was read from its original place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redriven {
    /// The record; its timestamp is the time of the redrive.
    pub record: Received,
    /// The one definition it is for; `None`: all.
    pub definition: Option<String>,
    /// How often it was delivered before.
    pub deliveries: u32,
}

/// Why a record is no redriven one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A header is missing or cannot be read.
    #[error(transparent)]
    Header(#[from] headers::Error),
}

/// The record that sends a dead letter back.
pub fn encode(topics: &Topics, letter: &DeadLetter) -> Outgoing {
    if letter.partition.topic == topics.inbox() {
        return to_lane(letter);
    }
    let mut headers = original(&letter.headers)
        .with(headers::REDRIVE_TOPIC, letter.partition.topic.as_str())
        .with(
            headers::REDRIVE_PARTITION,
            letter.partition.number.to_string(),
        )
        .with(headers::REDRIVE_OFFSET, letter.offset.to_string())
        .with(
            headers::REDRIVE_DELIVERIES,
            letter.delivery_count.to_string(),
        );
    if let Some(definition) = &letter.definition {
        headers.push(headers::REDRIVE_DEFINITION, definition.as_str());
    }
    outgoing(topics.redrive(), None, letter, headers)
}

fn to_lane(letter: &DeadLetter) -> Outgoing {
    let mut headers = original(&letter.headers);
    if headers.bytes(headers::CE_ID).is_none() {
        // Its first place stays its identity.
        let Partition { topic, number } = &letter.partition;
        headers.push(
            headers::CE_ID,
            format!("{topic}/{number}/{}", letter.offset),
        );
    }
    let topic = letter.partition.topic.clone();
    // So that its lane can count it; a later dead letter's copy loses it like all of its kind.
    headers.push(headers::REDRIVE_TOPIC, topic.as_str());
    outgoing(topic, Some(letter.partition.number), letter, headers)
}

fn outgoing(
    topic: String,
    partition: Option<u32>,
    letter: &DeadLetter,
    headers: Headers,
) -> Outgoing {
    Outgoing {
        topic,
        partition,
        key: letter.key.clone(),
        value: letter.value.clone(),
        headers,
    }
}

/// Reads a record of `<app>.redrive`.
///
/// # Errors
/// [`Error::Header`].
pub fn decode(record: &Received) -> Result<Redriven, Error> {
    let headers = &record.headers;
    let partition = required(headers, headers::REDRIVE_PARTITION, "a partition number")?;
    let topic = headers::required(headers, headers::REDRIVE_TOPIC)?;
    let deliveries = headers::parsed(headers, headers::REDRIVE_DELIVERIES, "a number")?;
    let definition = headers::optional(headers, headers::REDRIVE_DEFINITION)?;
    Ok(Redriven {
        definition: definition.map(str::to_owned),
        deliveries: deliveries.unwrap_or(0),
        record: Received {
            partition: Partition::new(topic, partition),
            offset: required(headers, headers::REDRIVE_OFFSET, "an offset")?,
            timestamp_ms: record.timestamp_ms,
            key: record.key.clone(),
            value: record.value.clone(),
            headers: original(headers),
        },
    })
}

fn required<T: std::str::FromStr>(
    headers: &Headers,
    name: &str,
    expected: &'static str,
) -> Result<T, headers::Error> {
    headers::parsed(headers, name, expected)?.ok_or_else(|| headers::Error::Missing {
        name: name.to_owned(),
    })
}

/// Without what belongs to one delivery only.
fn original(headers: &Headers) -> Headers {
    let passing = |name: &str| name.starts_with(headers::REDRIVE_PREFIX) || name == headers::SIG;
    let kept = headers.0.iter().filter(|(name, _)| !passing(name));
    Headers(kept.cloned().collect())
}

#[cfg(test)]
mod tests;
