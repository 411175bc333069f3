//! Audit of what operators do: an acknowledged entry before each act, and one about what came of it.
//!
//! What is not written down is not done. What was done but whose result could not be written down is not hidden: its first entry is
//! there, and history tells the effect.
//!
//! Absent on purpose: proof of who the actor is. Kafka's authentication and the topic's access rights give that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use connectors::log::{self, Log, TopicSpec};
use schemas::audit::{self, Action, Entry, Outcome};
use schemas::record::Outgoing;
use schemas::topics::{self, Kind, Topics};

use super::{Error, Installation};
use crate::worker::wall_ms;

/// Who acts, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Name, as the operator says it.
    pub actor: String,
    /// Why.
    pub why: Option<String>,
}

impl Operator {
    /// An entry about an act that is about to be done now.
    pub fn entry(&self, action: Action, act: String, subject: String) -> Entry {
        Entry {
            act,
            actor: self.actor.clone(),
            action,
            subject,
            saga: None,
            why: self.why.clone(),
            at_ms: wall_ms(),
            result: None,
            detail: None,
            before: None,
            after: None,
        }
    }
}

/// The audit of one operator's acts.
#[derive(Debug, Clone)]
pub struct Audit {
    names: Topics,
    wait: Duration,
    operator: Operator,
}

impl Audit {
    /// Opens the audit; creates its topic if it is not there yet.
    ///
    /// # Errors
    /// The log's.
    pub fn open<L: Log>(
        log: &mut L,
        installation: &Installation,
        operator: Operator,
    ) -> Result<Self, Error> {
        let names = installation.names.clone();
        // Who may only write need not have the right to create what exists.
        if log.topic(&names.audit())?.is_none() {
            log.create_topics(&[spec(&names)])?;
        }
        Ok(Self {
            names,
            wait: installation.wait,
            operator,
        })
    }

    /// Who acts.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Writes down what is about to be done.
    ///
    /// # Errors
    /// [`Error::Unaudited`]: then it must not be done.
    pub fn before<L: Log>(&self, log: &mut L, entry: &Entry) -> Result<(), Error> {
        let written = write(log, &audit::encode(&self.names, entry), self.wait);
        written.map(|_place| ()).map_err(|error| Error::Unaudited {
            topic: self.names.audit(),
            error,
        })
    }

    /// Writes down what came of an act; answers what is wrong if that is not possible.
    pub fn after<L: Log>(&self, log: &mut L, entry: &Entry) -> Option<String> {
        let entry = Entry {
            at_ms: wall_ms(),
            ..entry.clone()
        };
        let written = write(log, &audit::encode(&self.names, &entry), self.wait);
        let (act, topic) = (&entry.act, self.names.audit());
        written.err().map(|error| {
            let done = done(entry.result);
            format!("act {act} {done}; what came of it could not be written to `{topic}`: {error}")
        })
    }
}

/// Was it done?
fn done(result: Option<Outcome>) -> &'static str {
    match result {
        Some(Outcome::NotSent) => "was not done",
        Some(Outcome::Unseen) | None => "may have been done",
        Some(_) => "was done",
    }
}

/// How the audit topic is created.
pub(super) fn spec(names: &Topics) -> TopicSpec {
    TopicSpec {
        name: names.audit(),
        partitions: Kind::Audit.partitions(0),
        config: topics::settings(Kind::Audit),
    }
}

/// Writes one record outside of transactions and waits until it is acknowledged; answers its partition and offset.
///
/// # Errors
/// The log's; [`log::Error::Unknown`] if nothing was acknowledged in time.
pub(super) fn write<L: Log>(
    log: &mut L,
    record: &Outgoing,
    wait: Duration,
) -> Result<(u32, i64), log::Error> {
    // Unlike every earlier one: an acknowledgement that comes too late must not be taken for this one's.
    static TOKEN: AtomicU64 = AtomicU64::new(0);
    let token = TOKEN.fetch_add(1, Ordering::Relaxed);
    log.produce_plain(record, token)?;
    let deliveries = log.deliveries_plain(wait);
    let own = deliveries.into_iter().find(|d| d.token == token);
    own.map_or_else(
        || {
            Err(log::Error::Unknown {
                reason: format!("`{}` did not acknowledge in time", record.topic),
            })
        },
        |delivery| delivery.result,
    )
}
