//! From input to record.
//!
//! Absent on purpose: signing, which needs the finished record (see [`crate::signature`]).

use saga_lib::id::SagaId;
use saga_lib::input::{Awaited, Event, Reply, Signal};

use super::kind;
use crate::envelope::{self, Envelope};
use crate::headers;
use crate::lane::{lane_of_command, lane_of_saga};
use crate::record::{Outgoing, Received};
use crate::topics::Topics;

/// What an inbox record takes over from the record it was made of.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Identity of that record: its `ce_id`, else topic/partition/offset.
    pub id: &'a str,
    /// Its W3C trace context.
    pub traceparent: Option<&'a str>,
}

/// A business event for one definition.
pub fn encode_event(
    topics: &Topics,
    lanes: u32,
    saga: &SagaId,
    definition: &str,
    event: &Event,
    origin: &Origin<'_>,
) -> Outgoing {
    let about = (event.r#type.as_deref(), event.key.as_str());
    let mut out = business(topics, lanes, saga, about, origin);
    out.headers.push(headers::KIND, kind::EVENT);
    out.headers.push(headers::DEFINITION, definition);
    out.headers.push(headers::BIND, event.bind.as_str());
    out.headers.push(headers::TRIGGER, event.trigger.as_str());
    out.value = Some(event.payload.to_string().into_bytes());
    out
}

/// A business event for the instances that await it.
pub fn encode_awaited(
    topics: &Topics,
    lanes: u32,
    saga: &SagaId,
    definition: &str,
    event: &Awaited,
    origin: &Origin<'_>,
) -> Outgoing {
    let about = (event.r#type.as_deref(), event.key.as_str());
    let mut out = business(topics, lanes, saga, about, origin);
    out.headers.push(headers::KIND, kind::AWAITED);
    out.headers.push(headers::DEFINITION, definition);
    out.headers.push(headers::TOPIC, event.topic.as_str());
    out.headers.push(headers::TRIGGER, event.event.as_str());
    out.value = Some(event.payload.to_string().into_bytes());
    out
}

/// What both have in common: envelope, lane and key.
fn business(
    topics: &Topics,
    lanes: u32,
    saga: &SagaId,
    (r#type, key): (Option<&str>, &str),
    origin: &Origin<'_>,
) -> Outgoing {
    let source = envelope::source(topics.app());
    let mut headers = Envelope {
        id: origin.id,
        r#type: r#type.unwrap_or_default(),
        source: &source,
        subject: Some(key),
        correlation: Some(saga.as_str()),
        traceparent: origin.traceparent,
        ..Envelope::default()
    }
    .headers();
    if r#type.is_none() {
        headers.0.retain(|(name, _)| name != headers::CE_TYPE);
    }
    Outgoing {
        topic: topics.inbox(),
        partition: Some(lane_of_saga(saga, lanes)),
        key: Some(key.as_bytes().to_vec()),
        value: None,
        headers,
    }
}

/// A reply that ingress read from a participant's own topic.
pub fn encode_reply(topics: &Topics, lanes: u32, reply: &Reply, origin: &Origin<'_>) -> Outgoing {
    let source = envelope::source(topics.app());
    let command = reply.command.to_string();
    let mut headers = Envelope {
        id: origin.id,
        r#type: reply.r#type.as_deref().unwrap_or_default(),
        source: &source,
        correlation: Some(reply.command.saga.as_str()),
        causation: Some(&command),
        traceparent: origin.traceparent,
        ..Envelope::default()
    }
    .headers();
    if reply.r#type.is_none() {
        headers.0.retain(|(name, _)| name != headers::CE_TYPE);
    }
    headers.push(headers::KIND, kind::REPLY);
    if !reply.outcome.is_empty() {
        headers.push(headers::OUTCOME, reply.outcome.as_str());
    }
    if let Some(attempt) = reply.attempt {
        headers.push(headers::ATTEMPT, attempt.to_string());
    }
    let causes = [
        (headers::CODE, &reply.code),
        (headers::REASON, &reply.reason),
    ];
    for (name, value) in causes {
        if let Some(value) = value {
            headers.push(name, value.as_str());
        }
    }
    Outgoing {
        topic: topics.inbox(),
        partition: Some(lane_of_command(&reply.command, lanes)),
        key: Some(reply.command.saga.key().into_bytes()),
        value: Some(reply.payload.to_string().into_bytes()),
        headers,
    }
}

/// The timer with arm sequence `arm` came due. Its id is `<saga id>@<arm>`, so a second writer writes the same one.
pub fn encode_timer(topics: &Topics, lanes: u32, saga: &SagaId, arm: u64) -> Outgoing {
    let mut out = internal(topics, lanes, saga, kind::TIMER, &format!("{saga}@{arm}"));
    out.headers.push(headers::ARM, arm.to_string());
    out
}

/// An operator's act. Its `ce_id` is the signal's own id, so the same signal sent twice is one signal.
///
/// # Panics
/// Never: a signal is plain data.
pub fn encode_signal(topics: &Topics, lanes: u32, saga: &SagaId, signal: &Signal) -> Outgoing {
    let mut out = internal(topics, lanes, saga, kind::SIGNAL, &signal.id);
    out.value = Some(serde_json::to_vec(signal).expect("a signal is plain data"));
    out
}

/// Finished instances of one lane whose `retain` may be over. It has no id of its own: its place in the inbox is its identity.
pub fn encode_expire(topics: &Topics, lane: u32, entries: &[(SagaId, u64)]) -> Outgoing {
    let entries: Vec<_> = entries.iter().map(|(id, arm)| (id.as_str(), arm)).collect();
    let mut headers = Envelope {
        r#type: "skald.expire",
        source: &envelope::source(topics.app()),
        ..Envelope::default()
    }
    .headers();
    headers.0.retain(|(name, _)| name != headers::CE_ID);
    headers.push(headers::KIND, kind::EXPIRE);
    Outgoing {
        topic: topics.inbox(),
        partition: Some(lane),
        key: Some(b"@expire".to_vec()),
        value: Some(serde_json::json!(entries).to_string().into_bytes()),
        headers,
    }
}

/// The copy of a reply for the lane it belongs to. The second miss shows by [`headers::FORWARDED`].
pub fn forward(record: &Received, lane: u32) -> Outgoing {
    let mut headers = record.headers.clone();
    if headers.bytes(headers::CE_ID).is_none() {
        // Without an id the original's place is its identity, also in the other lane.
        headers.push(headers::CE_ID, record.position());
    }
    headers.push(headers::FORWARDED, record.partition.number.to_string());
    Outgoing {
        topic: record.partition.topic.clone(),
        partition: Some(lane),
        key: record.key.clone(),
        value: record.value.clone(),
        headers,
    }
}

fn internal(topics: &Topics, lanes: u32, saga: &SagaId, kind: &str, id: &str) -> Outgoing {
    let key = saga.key();
    let mut headers = Envelope {
        id,
        r#type: &format!("skald.{kind}"),
        source: &envelope::source(topics.app()),
        subject: Some(&key),
        correlation: Some(saga.as_str()),
        ..Envelope::default()
    }
    .headers();
    headers.push(headers::KIND, kind);
    Outgoing {
        topic: topics.inbox(),
        partition: Some(lane_of_saga(saga, lanes)),
        key: Some(key.into_bytes()),
        value: None,
        headers,
    }
}
