//! From record to input.
//!
//! Absent on purpose: leniency. A field that is there must be right; only what is missing has a default.

use saga_lib::id::{CommandId, SagaId};
use saga_lib::input::{Awaited, Event, Input, Kind, Reply, Signal};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{EXPIRE_ENTRIES_MAX, Error, Inbox, kind};
use crate::record::Received;
use crate::{headers, ids, json, limits, topics, trace};

/// Longest identity of a record: one derived from a saga id is a little longer than that.
const RECORD_ID_BYTES_MAX: usize = 2 * ids::ID_BYTES_MAX;

/// Reads an inbox record.
///
/// # Errors
/// See [`Error`]; each names the header or the place in the value.
pub fn decode(record: &Received) -> Result<Inbox, Error> {
    match headers::optional(&record.headers, headers::KIND)?.unwrap_or(kind::REPLY) {
        kind::REPLY => reply(record),
        kind::EVENT => event(record),
        kind::AWAITED => awaited(record),
        kind::TIMER => timer(record),
        kind::SIGNAL => signal(record),
        kind::EXPIRE => expire(record),
        other => Err(Error::UnknownKind {
            kind: other.chars().take(64).collect(),
        }),
    }
}

fn reply(record: &Received) -> Result<Inbox, Error> {
    limits::check(record)?;
    let headers = &record.headers;
    let command = command(record)?;
    // A reply that does not say its outcome leaves it to the contract.
    let said = headers::optional(headers, headers::OUTCOME)?;
    if let Some(outcome) = said {
        ids::check_text("header `skald-outcome`", outcome)?;
    }
    let payload = body(record, json::DOCUMENT_BYTES_MAX)?;
    let reply = Reply {
        command: command.clone(),
        outcome: said.unwrap_or_default().to_owned(),
        r#type: headers::optional(headers, headers::CE_TYPE)?.map(str::to_owned),
        attempt: headers::parsed(headers, headers::ATTEMPT, "an attempt number")?,
        code: cause(record, headers::CODE, &payload, "code")?,
        reason: cause(record, headers::REASON, &payload, "reason")?,
        payload,
    };
    Ok(Inbox::Reply {
        command,
        input: input(record, Kind::Reply(reply))?,
        forwarded: headers.bytes(headers::FORWARDED).is_some(),
    })
}

/// The command id a reply echoes. A `ce_causationid` that is no command id may be the service's own business, so Spring's header gets
/// its turn before the reply is refused.
fn command(record: &Received) -> Result<CommandId, Error> {
    let mut wrong = None;
    for header in [headers::CE_CAUSATIONID, headers::KAFKA_CORRELATION_ID] {
        let Some(text) = record.headers.text(header) else {
            continue;
        };
        match CommandId::parse(text) {
            Ok(id) => return Ok(id),
            Err(error) => wrong = wrong.or(Some(Error::Id { header, error })),
        }
    }
    Err(wrong.unwrap_or(Error::NoCommand))
}

/// Code or reason of a reply: the header, else the field of the body.
///
/// # Errors
/// A header that is no text.
pub fn cause(
    record: &Received,
    header: &str,
    payload: &Value,
    field: &str,
) -> Result<Option<String>, headers::Error> {
    if let Some(text) = headers::optional(&record.headers, header)? {
        return Ok(Some(text.to_owned()));
    }
    Ok(match payload.get(field) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    })
}

fn event(record: &Received) -> Result<Inbox, Error> {
    // Canonical JSON may be longer than what came from outside (1e15 becomes 1000000000000000.0).
    limits::check_within(record, topics::MESSAGE_BYTES_MAX)?;
    let headers = &record.headers;
    let saga = saga(record)?;
    let event = Event {
        bind: headers::required(headers, headers::BIND)?.to_owned(),
        key: saga.key(),
        r#type: headers::optional(headers, headers::CE_TYPE)?.map(str::to_owned),
        trigger: headers::required(headers, headers::TRIGGER)?.to_owned(),
        payload: body(record, topics::MESSAGE_BYTES_MAX)?,
    };
    Ok(Inbox::Event {
        definition: headers::required(headers, headers::DEFINITION)?.to_owned(),
        traceparent: trace::traceparent(headers).map(str::to_owned),
        input: input(record, Kind::Event(event))?,
        saga,
    })
}

fn awaited(record: &Received) -> Result<Inbox, Error> {
    limits::check_within(record, topics::MESSAGE_BYTES_MAX)?;
    let headers = &record.headers;
    let saga = saga(record)?;
    let event = Awaited {
        key: saga.key(),
        topic: headers::required(headers, headers::TOPIC)?.to_owned(),
        r#type: headers::optional(headers, headers::CE_TYPE)?.map(str::to_owned),
        event: headers::required(headers, headers::TRIGGER)?.to_owned(),
        payload: body(record, topics::MESSAGE_BYTES_MAX)?,
    };
    Ok(Inbox::Awaited {
        definition: headers::required(headers, headers::DEFINITION)?.to_owned(),
        input: input(record, Kind::Awaited(event))?,
        saga,
    })
}

fn timer(record: &Received) -> Result<Inbox, Error> {
    limits::check(record)?;
    let arm = headers::parsed(&record.headers, headers::ARM, "an arm sequence")?;
    let arm = arm.ok_or_else(|| headers::Error::Missing {
        name: headers::ARM.to_owned(),
    })?;
    Ok(Inbox::Timer {
        saga: saga(record)?,
        input: input(record, Kind::TimerFired { arm })?,
    })
}

fn signal(record: &Received) -> Result<Inbox, Error> {
    limits::check(record)?;
    let signal: Signal = typed(record, "a signal")?;
    ids::check_text("field `id` of the signal", &signal.id)?;
    Ok(Inbox::Signal {
        saga: saga(record)?,
        input: input(record, Kind::Signal(signal))?,
    })
}

fn expire(record: &Received) -> Result<Inbox, Error> {
    limits::check(record)?;
    let listed: Vec<(String, u64)> = typed(record, "a list of [saga id, arm sequence]")?;
    if listed.len() > EXPIRE_ENTRIES_MAX {
        return Err(Error::Shape {
            problem: format!(
                "{} entries, more than {EXPIRE_ENTRIES_MAX}: write several records",
                listed.len()
            ),
        });
    }
    let entries = listed.into_iter().map(|(id, arm)| {
        let saga = SagaId::parse(&id).map_err(|error| Error::Shape {
            problem: error.to_string(),
        })?;
        Ok((saga, arm))
    });
    Ok(Inbox::Expire {
        entries: entries.collect::<Result<_, Error>>()?,
        id: identity(record)?,
        time_ms: record.timestamp_ms,
    })
}

fn saga(record: &Received) -> Result<SagaId, Error> {
    let text = headers::required(&record.headers, headers::CE_CORRELATIONID)?;
    SagaId::parse(text).map_err(|error| Error::Id {
        header: headers::CE_CORRELATIONID,
        error,
    })
}

fn input(record: &Received, kind: Kind) -> Result<Input, Error> {
    Ok(Input {
        id: identity(record)?,
        time_ms: record.timestamp_ms,
        kind,
    })
}

/// `ce_id`, else topic/partition/offset.
fn identity(record: &Received) -> Result<String, Error> {
    let Some(id) = headers::optional(&record.headers, headers::CE_ID)? else {
        return Ok(record.position());
    };
    ids::check_text_within("header `ce_id`", id, RECORD_ID_BYTES_MAX)?;
    Ok(id.to_owned())
}

/// The value as JSON; nothing is `null`.
fn body(record: &Received, max: usize) -> Result<Value, Error> {
    match record.value.as_deref() {
        None | Some([]) => Ok(Value::Null),
        Some(bytes) => Ok(json::parse_within(bytes, max)?),
    }
}

fn typed<T: DeserializeOwned>(record: &Received, what: &str) -> Result<T, Error> {
    serde_json::from_value(body(record, json::DOCUMENT_BYTES_MAX)?).map_err(|error| Error::Shape {
        problem: format!("not {what}: {error}"),
    })
}
