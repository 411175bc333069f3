//! The participant's side of a command.
//!
//! Absent on purpose: the record of effects per forward id, which is the participant's own store.

use saga_lib::id::{self, CommandId};
use serde_json::Value;

use crate::envelope::Envelope;
use crate::record::{Outgoing, Received};
use crate::{headers, json, limits, time, trace};

/// A command as a participant sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// Command id: the same for every attempt.
    pub id: CommandId,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Message type, e.g. `reserve`.
    pub r#type: String,
    /// Step id, if it was told.
    pub step: Option<String>,
    /// Body.
    pub payload: Value,
    /// Forward execution it compensates.
    pub compensates: Option<CommandId>,
    /// Topic the reply goes to.
    pub reply_to: String,
    /// When the sender gives up waiting for this attempt, ms.
    pub expires_ms: Option<i64>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Topic it was read from.
    pub topic: String,
}

/// Why a record is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Beyond a limit.
    #[error(transparent)]
    Limit(#[from] limits::Error),
    /// A header is missing or cannot be read.
    #[error(transparent)]
    Header(#[from] headers::Error),
    /// A header names no command.
    #[error("header `{header}`: {error}")]
    Id {
        /// The header.
        header: &'static str,
        /// What is wrong.
        error: id::Error,
    },
    /// The value is not acceptable JSON.
    #[error("value: {0}")]
    Json(#[from] json::Error),
}

/// Reads a command.
///
/// # Errors
/// See [`Error`]; each names the header or the place in the value.
pub fn decode_command(record: &Received) -> Result<Incoming, Error> {
    limits::check(record)?;
    let headers = &record.headers;
    let expires_ms = headers::optional(headers, headers::CE_EXPIRYTIME)?
        .map(|text| {
            let error = || headers::Error::malformed(headers::CE_EXPIRYTIME, text, "RFC 3339");
            time::parse(text).ok_or_else(error)
        })
        .transpose()?;
    let attempt = headers::parsed(headers, headers::ATTEMPT, "an attempt number")?;
    Ok(Incoming {
        id: command_id(record, headers::CE_ID)?
            .map_or_else(|| required_id(record, headers::KAFKA_CORRELATION_ID), Ok)?,
        attempt: attempt.unwrap_or(1),
        r#type: headers::required(headers, headers::CE_TYPE)?.to_owned(),
        step: headers::optional(headers, headers::STEP)?.map(str::to_owned),
        payload: payload(record)?,
        compensates: command_id(record, headers::COMPENSATES)?,
        reply_to: reply_to(record)?.to_owned(),
        expires_ms,
        traceparent: trace::traceparent(headers).map(str::to_owned),
        topic: record.partition.topic.clone(),
    })
}

fn payload(record: &Received) -> Result<Value, Error> {
    match record.value.as_deref() {
        None | Some([]) => Ok(Value::Null),
        Some(bytes) => Ok(json::parse(bytes)?),
    }
}

fn reply_to(record: &Received) -> Result<&str, headers::Error> {
    match headers::optional(&record.headers, headers::REPLY_TO)? {
        Some(topic) => Ok(topic),
        None => headers::required(&record.headers, headers::KAFKA_REPLY_TOPIC),
    }
}

fn command_id(record: &Received, header: &'static str) -> Result<Option<CommandId>, Error> {
    headers::optional(&record.headers, header)?
        .map(|text| CommandId::parse(text).map_err(|error| Error::Id { header, error }))
        .transpose()
}

fn required_id(record: &Received, header: &'static str) -> Result<CommandId, Error> {
    headers::required(&record.headers, header)?;
    command_id(record, header)?.ok_or_else(|| {
        Error::Header(headers::Error::Missing {
            name: header.to_owned(),
        })
    })
}

/// The reply to a command. Its id derives from command and attempt, so answering a delivery twice gives the same record.
///
/// The partition follows from the key; where the client hashes otherwise, Skald forwards the reply to the right lane.
pub fn encode_reply(
    command: &Incoming,
    outcome: &str,
    payload: &Value,
    code: Option<&str>,
    reason: Option<&str>,
) -> Outgoing {
    let id = command.id.to_string();
    let mut headers = Envelope {
        id: &format!("{id}@{}", command.attempt),
        r#type: &format!("{}.{}", command.r#type, outcome),
        source: &format!("/{}", command.topic),
        correlation: Some(command.id.saga.as_str()),
        causation: Some(&id),
        traceparent: command.traceparent.as_deref(),
        ..Envelope::default()
    }
    .headers()
    .with(headers::OUTCOME, outcome);
    for (name, value) in [(headers::CODE, code), (headers::REASON, reason)] {
        if let Some(value) = value {
            headers.push(name, value);
        }
    }
    headers.push(headers::ATTEMPT, command.attempt.to_string());
    headers.push(headers::KAFKA_CORRELATION_ID, id.as_str());
    Outgoing {
        topic: command.reply_to.clone(),
        partition: None,
        key: Some(command.id.saga.key().into_bytes()),
        value: Some(payload.to_string().into_bytes()),
        headers,
    }
}
