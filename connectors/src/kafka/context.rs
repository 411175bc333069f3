//! What the client library tells besides the answers to calls: log lines, transport events, transaction errors.
//!
//! A commit that was answered after a broken connection or a request timeout may have been sent twice, and the second copy may still
//! be under way; so each such event is counted, and a commit compares the count with that at its begin.
//!
//! Absent on purpose: statistics as metrics (they are logged at trace level, when switched on).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel as Level;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use tracing::{debug, error, info, trace, warn};

/// Witness of what happens to one client.
#[derive(Debug, Default)]
pub struct Witness {
    /// Name of the client in log lines.
    pub client: String,
    transport_events: AtomicU64,
    transaction: Mutex<Trouble>,
}

/// What the client library found out about the open transaction by itself.
#[derive(Debug, Default)]
struct Trouble {
    /// Why it must be aborted.
    error: Option<String>,
    /// Topics that it may not write to.
    denied: Vec<String>,
}

impl Witness {
    /// A witness that has seen nothing.
    pub fn new(client: impl Into<String>) -> Self {
        Self {
            client: client.into(),
            ..Self::default()
        }
    }

    /// Timeouts and transport events so far.
    pub fn transport_events(&self) -> u64 {
        self.transport_events.load(Ordering::SeqCst)
    }

    /// Why the open transaction must be aborted, if the client library found that out by itself.
    pub fn transaction_error(&self) -> Option<String> {
        self.trouble().error.clone()
    }

    /// Whether the open transaction may not write to the topic.
    pub fn is_denied(&self, topic: &str) -> bool {
        self.trouble().denied.iter().any(|denied| denied == topic)
    }

    /// Forgets the trouble of an earlier transaction.
    pub fn forget_transaction(&self) {
        *self.trouble() = Trouble::default();
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.transaction
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Only log lines name the topics that a transaction may not write to; the records themselves come back as given up.
    fn note(&self, facility: &str, text: &str) {
        let mut trouble = self.trouble();
        match facility {
            // The first error is the cause, later ones are consequences.
            "TXNERR" if trouble.error.is_none() => trouble.error = Some(text.to_owned()),
            "ADDPARTS" => trouble.denied.extend(denied_topic(text)),
            _ => {}
        }
    }

    fn count_transport(&self) {
        self.transport_events.fetch_add(1, Ordering::SeqCst);
    }
}

impl ClientContext for Witness {
    fn log(&self, level: Level, facility: &str, text: &str) {
        self.note(facility, text);
        if matches!(facility, "FAIL" | "REQTMOUT") {
            self.count_transport();
        }
        log(&self.client, level, facility, text);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        trace!(client = %self.client, statistics = %String::from_utf8_lossy(statistics), "Kafka client statistics.");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        if matches!(code, Some(Code::PartitionEOF | Code::AutoOffsetReset)) {
            return;
        }
        if code.is_some_and(is_transport) {
            self.count_transport();
        }
        debug!(client = %self.client, error = %error, reason, "Kafka client error.");
    }
}

impl ProducerContext for Witness {
    type DeliveryOpaque = ();

    /// A producer that only fences writes no records.
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

fn is_transport(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::NetworkException
            | Code::Resolve
    )
}

/// The topic in `Failed to add partition "topic" [0] to transaction: Broker: Topic authorization failed`.
fn denied_topic(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("Failed to add partition \"")?;
    let (topic, rest) = rest.split_once('"')?;
    rest.contains("authorization failed")
        .then(|| topic.to_owned())
}

fn log(client: &str, level: Level, facility: &str, text: &str) {
    match level {
        Level::Emerg | Level::Alert | Level::Critical => {
            error!(client, facility, text, "Kafka client needs attention.");
        }
        Level::Error | Level::Warning => {
            warn!(client, facility, text, "Kafka client has a problem.")
        }
        Level::Notice | Level::Info => info!(client, facility, text, "Kafka client reports."),
        Level::Debug => debug!(client, facility, text, "Kafka client reports."),
    }
}

#[cfg(test)]
mod tests;
