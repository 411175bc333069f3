//! Commands and published events on their way out, and the participant's side: command in, reply out.
//!
//! A command answers to three dialects at once: CloudEvents (`ce_id` is the command id, a reply echoes it in `ce_causationid`), Spring
//! Kafka (`kafka_replyTopic`, `kafka_replyPartition`, `kafka_correlationId`) and the own `skald-*` names.
//!
//! Absent on purpose: retries and what a participant remembers; participants must read `read_committed`.

mod participant;

use saga_lib::effect::{Command, Publish};
use saga_lib::id::SagaId;

use crate::body::Body;
use crate::envelope::{self, Envelope};
use crate::record::{Headers, Outgoing};
use crate::{headers, time};

pub use participant::{Error, Incoming, decode_command, encode_reply};

/// What every output of one transition has in common.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// App.
    pub app: &'a str,
    /// Topic that replies go to: the inbox.
    pub reply_topic: &'a str,
    /// Lane of the instance: the partition that replies go to.
    pub lane: u32,
    /// `name@version#hash`.
    pub definition: &'a str,
    /// The instance.
    pub saga: &'a SagaId,
    /// Id of the input that caused it.
    pub causation: &'a str,
    /// W3C trace context.
    pub traceparent: Option<&'a str>,
    /// Time of the transition, ms.
    pub time_ms: i64,
}

impl Context<'_> {
    fn envelope(&self, id: &str, r#type: &str, media: &str) -> Headers {
        Envelope {
            id,
            r#type,
            source: &envelope::source(self.app),
            subject: Some(&self.saga.key()),
            time_ms: Some(self.time_ms),
            correlation: Some(self.saga.as_str()),
            causation: Some(self.causation),
            traceparent: self.traceparent,
        }
        .headers_of(media)
        .with(headers::DEFINITION, self.definition)
    }
}

/// A command to a participant, as JSON. Its partition follows from its key.
pub fn encode_command(context: &Context<'_>, command: &Command) -> Outgoing {
    encode_command_with(context, command, Body::json(&command.payload))
}

/// The same with another body than the payload as JSON.
pub fn encode_command_with(context: &Context<'_>, command: &Command, body: Body) -> Outgoing {
    let id = command.id.to_string();
    let mut headers = context
        .envelope(&id, &command.r#type, body.media)
        .with(headers::STEP, command.step.as_str())
        .with(headers::ATTEMPT, command.attempt.to_string())
        .with(headers::REPLY_TO, context.reply_topic)
        .with(headers::KAFKA_REPLY_TOPIC, context.reply_topic)
        .with(headers::KAFKA_REPLY_PARTITION, context.lane.to_be_bytes())
        .with(headers::KAFKA_CORRELATION_ID, id);
    if let Some(forward) = &command.compensates {
        headers.push(headers::COMPENSATES, forward.to_string());
    }
    if let Some(ms) = command.expires_ms {
        headers.push(headers::CE_EXPIRYTIME, time::rfc3339(ms));
    }
    outgoing(&command.topic, &command.key, body, headers)
}

/// A published business event, as JSON. Its partition follows from its key.
pub fn encode_publish(context: &Context<'_>, publish: &Publish) -> Outgoing {
    encode_publish_with(context, publish, Body::json(&publish.payload))
}

/// The same with another body than the payload as JSON.
pub fn encode_publish_with(context: &Context<'_>, publish: &Publish, body: Body) -> Outgoing {
    let headers = context.envelope(&publish.id, &publish.r#type, body.media);
    outgoing(&publish.topic, &publish.key, body, headers)
}

fn outgoing(topic: &str, key: &str, body: Body, headers: Headers) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        partition: None,
        key: Some(key.as_bytes().to_vec()),
        value: Some(body.bytes),
        headers,
    }
}

#[cfg(test)]
mod tests;
