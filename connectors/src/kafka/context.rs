//! What the client library tells besides the answers to calls: log lines, transport events, transaction errors.
//!
//! A commit that was answered after a broken connection or a request timeout may have been sent twice, and the second copy may still
//! be under way; so each such event is counted, and a commit compares the count with that at its begin.
//!
//! Absent on purpose: statistics as metrics (they are logged at trace level, when switched on).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

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
    transaction_error: Mutex<Option<String>>,
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
        let text = self.transaction_error.lock();
        text.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the error of an earlier transaction.
    pub fn forget_transaction_error(&self) {
        self.set_transaction_error(None);
    }

    fn set_transaction_error(&self, text: Option<String>) {
        let slot = self.transaction_error.lock();
        *slot.unwrap_or_else(PoisonError::into_inner) = text;
    }

    fn count_transport(&self) {
        self.transport_events.fetch_add(1, Ordering::SeqCst);
    }
}

impl ClientContext for Witness {
    fn log(&self, level: Level, facility: &str, text: &str) {
        // The first line of a transaction error names the cause; later ones are consequences.
        if facility == "TXNERR" && self.transaction_error().is_none() {
            self.set_transaction_error(Some(text.to_owned()));
        }
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
