//! Audit: who did what to an installation, why, and what came of it.
//!
//! An act has an entry before it is done and further ones when more is known, with one [`Entry::act`]; the newest tells most. An entry
//! is a CloudEvent in binary mode with a JSON value, keyed by the actor.
//!
//! Absent on purpose: payloads, headers and messages of records, which may be sensitive: an entry names the place where they stand.

use saga_lib::id::SagaId;
use saga_lib::instance::Status;
use serde::{Deserialize, Serialize};

use crate::envelope::{self, Envelope};
use crate::record::{Outgoing, Received};
use crate::topics::Topics;

/// `ce_type` of entries.
pub const TYPE: &str = "skald.audit";

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Identity of the act, the same in all of its entries; of a signal its id, which history names, too.
    pub act: String,
    /// Who acts, as they say themselves.
    pub actor: String,
    /// What is done.
    pub action: Action,
    /// To what: position of a dead letter, saga id or `name@version`.
    pub subject: String,
    /// The saga, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga: Option<SagaId>,
    /// Why, in the actor's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When, ms since 1970, by the actor's clock; the record's time is the log's.
    pub at_ms: i64,
    /// What came of it; `None`: it is about to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Outcome>,
    /// More about act or result, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The state before, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<State>,
    /// The state after, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<State>,
}

/// What operators do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A dead letter is sent back.
    #[serde(rename = "dlq.replay")]
    DlqReplay,
    /// An instance is cancelled.
    #[serde(rename = "saga.cancel")]
    SagaCancel,
    /// An instance tries again.
    #[serde(rename = "saga.retry")]
    SagaRetry,
    /// A refused step is executed again with another request.
    #[serde(rename = "saga.retry_with")]
    SagaRetryWith,
    /// An operator decides the outcome of a step.
    #[serde(rename = "saga.skip")]
    SagaSkip,
    /// An instance is stopped.
    #[serde(rename = "saga.suspend")]
    SagaSuspend,
    /// A stopped instance goes on.
    #[serde(rename = "saga.resume")]
    SagaResume,
    /// An instance is ended without compensation.
    #[serde(rename = "saga.terminate")]
    SagaTerminate,
    /// A version is published, made active or both.
    #[serde(rename = "deploy")]
    Deploy,
    /// Something that a newer release does.
    #[serde(other, rename = "other")]
    Other,
}

/// What came of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The log has it; its effect is not known yet.
    Sent,
    /// The log has it; its effect is not followed.
    SentToOrigin,
    /// The instance changed.
    Changed,
    /// Duplicate, late or stale.
    Ignored,
    /// The status forbids it.
    Rejected,
    /// A dead letter again.
    DeadAgain,
    /// No effect was seen in time; unless there is an earlier entry that tells so, it is not certain either that it was sent.
    Unseen,
    /// It was certainly not sent.
    NotSent,
    /// It is in the definitions topic: this entry was committed in the same transaction.
    Deployed,
    /// Something that a newer release tells.
    #[serde(other)]
    Other,
}

impl Outcome {
    /// Does it follow that the record was sent?
    pub fn is_sent(self) -> bool {
        use Outcome::{Changed, DeadAgain, Ignored, Rejected, Sent, SentToOrigin};
        matches!(
            self,
            Sent | SentToOrigin | Changed | Ignored | Rejected | DeadAgain
        )
    }
}

/// What an act may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// Status of the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Revision of the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Version that events start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

impl State {
    /// The state of an instance; none where there is no instance.
    pub fn of_instance(status: Option<Status>, revision: Option<u64>) -> Option<Self> {
        status.map(|status| Self {
            status: Some(status),
            revision,
            version: None,
        })
    }

    /// A definition of which events start this version.
    pub fn of_definition(version: u32) -> Self {
        Self {
            version: Some(version),
            ..Self::default()
        }
    }
}

/// Why a record is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It has no value.
    #[error("audit record {position} has no value: something else writes to this topic")]
    Empty {
        /// Where it stands.
        position: String,
    },
    /// Its value is not an entry.
    #[error("audit record {position}: {problem}")]
    Shape {
        /// Where it stands.
        position: String,
        /// What is wrong, with the field.
        problem: String,
    },
}

/// The record of an entry. Its id is the act, and for further entries the act and their result.
///
/// # Panics
/// Never: an entry is plain data.
pub fn encode(topics: &Topics, entry: &Entry) -> Outgoing {
    let id = entry.result.map_or_else(
        || entry.act.clone(),
        |result| format!("{}/{}", entry.act, word(result)),
    );
    let headers = Envelope {
        id: &id,
        r#type: TYPE,
        source: &envelope::source(topics.app()),
        subject: Some(&entry.subject),
        time_ms: Some(entry.at_ms),
        correlation: entry.saga.as_ref().map(SagaId::as_str),
        causation: entry.result.map(|_| entry.act.as_str()),
        traceparent: None,
    }
    .headers();
    Outgoing {
        topic: topics.audit(),
        partition: None,
        key: Some(entry.actor.as_bytes().to_vec()),
        value: Some(serde_json::to_vec(entry).expect("an entry is plain data")),
        headers,
    }
}

/// The word that stands for a result in the value.
fn word(result: Outcome) -> String {
    let json = serde_json::to_value(result).expect("an enum without fields is a word");
    json.as_str().unwrap_or_default().to_owned()
}

/// Reads an entry. Fields of a newer release are skipped.
///
/// # Errors
/// See [`Error`]; each names the record.
pub fn decode(record: &Received) -> Result<Entry, Error> {
    let value = record.value.as_deref().ok_or_else(|| Error::Empty {
        position: record.position(),
    })?;
    serde_json::from_slice(value).map_err(|error| Error::Shape {
        position: record.position(),
        problem: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
