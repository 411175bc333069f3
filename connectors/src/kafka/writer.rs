//! A producer whose every record is accounted for.
//!
//! Each record is handed over with a token; the client library's own thread tells what became of it, and the results wait here until
//! they are taken. Topics are looked up before their first record, so an unknown one fails at once and is never created by accident.
//!
//! Absent on purpose: transactions ([`super::transaction`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{Producer, ProducerContext, PurgeConfig, ThreadedProducer};
use schemas::record::Outgoing;

use crate::log::{Delivery, Error};

use super::context::Witness;
use super::probe::Probe;
use super::settings::Settings;
use super::{failure, record};

/// A producer with accounts.
pub struct Writer {
    producer: ThreadedProducer<Accounts>,
    /// Partitions of the topics that were looked up.
    known: HashMap<String, u32>,
    patience: Duration,
}

/// A record that was not written.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Its token.
    pub token: u64,
    /// Its topic.
    pub topic: String,
    /// Bytes of key and value.
    pub bytes: usize,
    /// What the client library said.
    pub code: Code,
}

/// What became of the records since the accounts were last taken.
#[derive(Debug, Default)]
pub struct Results {
    /// Records handed over and not accounted for.
    pub pending: usize,
    /// Records that were not written.
    pub refused: Vec<Refusal>,
    /// Records that were written: all, or the last one per partition.
    pub written: Written,
}

/// Written records.
#[derive(Debug)]
pub enum Written {
    /// Every token with its partition and offset.
    All(Vec<(u64, u32, i64)>),
    /// The last token and offset of each partition: enough inside a transaction, and no growth with its size.
    Last(BTreeMap<String, BTreeMap<u32, (u64, i64)>>),
}

impl Default for Written {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Writer {
    /// A producer without transactions.
    pub fn plain(settings: &Settings) -> Result<Self, Error> {
        Self::create(
            settings,
            &settings.plain_producer(),
            Written::All(Vec::new()),
        )
    }

    /// A producer with transactions, not initialised.
    pub fn transactional(settings: &Settings, id: &str) -> Result<Self, Error> {
        let written = Written::Last(BTreeMap::new());
        Self::create(settings, &settings.transactional_producer(id), written)
    }

    fn create(settings: &Settings, config: &ClientConfig, written: Written) -> Result<Self, Error> {
        let name = format!("{} producer", settings.client_id);
        let accounts = Accounts::new(Witness::new(name), written);
        let producer = config.create_with_context(accounts);
        Ok(Self {
            producer: producer.map_err(|e| failure::of(&e, "open producer"))?,
            known: HashMap::new(),
            patience: settings.message_timeout(),
        })
    }

    /// The client library's producer.
    pub fn native(&self) -> &ThreadedProducer<Accounts> {
        &self.producer
    }

    /// What happens to this producer.
    pub fn witness(&self) -> &Witness {
        &self.accounts().witness
    }

    /// Hands over a record.
    ///
    /// # Errors
    /// [`Error::Record`] if it is known at once that it cannot be written.
    pub fn send(&mut self, record: &Outgoing, token: u64, probe: &Probe) -> Result<(), Error> {
        self.check_topic(record, probe)?;
        let begin = Instant::now();
        loop {
            self.accounts().lock().pending += 1;
            let Err((error, _)) = self.producer.send(record::outgoing(record, token)) else {
                return Ok(());
            };
            self.accounts().settle_one(|_| ());
            let full = error.rdkafka_error_code() == Some(Code::QueueFull);
            if !full || begin.elapsed() > self.patience {
                return Err(self.refused(&error, &record.topic));
            }
            self.wait_settled(Duration::from_millis(5));
        }
    }

    /// Waits until every record is accounted for; false if the time is over first.
    pub fn wait_settled(&self, wait: Duration) -> bool {
        let accounts = self.accounts();
        let waited = accounts
            .settled
            .wait_timeout_while(accounts.lock(), wait, |results| results.pending > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.pending == 0
    }

    /// True if a record was refused since the accounts were last taken.
    pub fn has_refusals(&self) -> bool {
        !self.accounts().lock().refused.is_empty()
    }

    /// Gives up the records that were not sent yet; they come back as refused.
    pub fn purge_queue(&self) {
        self.producer.purge(PurgeConfig::default().queue());
    }

    /// Takes the accounts.
    pub fn take(&mut self) -> (Vec<Refusal>, Written) {
        let (refused, written) = self.accounts().take();
        for refusal in &refused {
            // It may have been deleted: look again before the next record.
            self.known.remove(&refusal.topic);
        }
        (refused, written)
    }

    fn accounts(&self) -> &Accounts {
        self.producer.client().context()
    }

    fn check_topic(&mut self, record: &Outgoing, probe: &Probe) -> Result<(), Error> {
        let known = self.known.get(&record.topic).copied();
        let number = record.partition.unwrap_or(0);
        // A number beyond what was known asks again: partitions may have been added.
        if known.is_some_and(|count| number < count) {
            return Ok(());
        }
        let reason = |what: &str| Error::Record {
            reason: format!("topic {}: {what}", record.topic),
        };
        let count = probe
            .partitions(&record.topic)?
            .ok_or_else(|| reason("unknown topic"))?;
        if number >= count {
            return Err(reason(&format!("partition {number} of {count}")));
        }
        self.known.insert(record.topic.clone(), count);
        Ok(())
    }

    /// A producer that is broken refuses everything with a colourless code; what broke it says more.
    fn refused(&self, error: &KafkaError, topic: &str) -> Error {
        if let Some((code, text)) = self.producer.client().fatal_error() {
            return match failure::of_code(code, text) {
                fenced @ Error::Fenced { .. } => fenced,
                other => Error::Fatal {
                    reason: other.to_string(),
                },
            };
        }
        match (
            failure::of(error, &format!("topic {topic}")),
            self.witness().transaction_error(),
        ) {
            (Error::Abortable { .. }, Some(reason)) => Error::Abortable { reason },
            (other, _) => other,
        }
    }
}

impl Refusal {
    /// What its code means.
    pub fn error(&self) -> Error {
        failure::of_code(self.code, format!("topic {}: {}", self.topic, self.code))
    }
}

impl Written {
    /// As the caller sees it.
    pub fn deliveries(self) -> Vec<Delivery> {
        let delivery = |(token, partition, offset)| Delivery {
            token,
            result: Ok((partition, offset)),
        };
        match self {
            Self::All(all) => all.into_iter().map(delivery).collect(),
            Self::Last(last) => {
                let partitions = last.into_values().flatten();
                partitions
                    .map(|(number, (token, offset))| delivery((token, number, offset)))
                    .collect()
            }
        }
    }

    fn add(&mut self, token: u64, topic: &str, partition: u32, offset: i64) {
        match self {
            Self::All(all) => all.push((token, partition, offset)),
            Self::Last(last) => {
                // Looked up by reference first: a topic's name is copied once, not per record.
                if !last.contains_key(topic) {
                    last.insert(topic.to_owned(), BTreeMap::new());
                }
                if let Some(partitions) = last.get_mut(topic) {
                    partitions.insert(partition, (token, offset));
                }
            }
        }
    }

    fn empty(&self) -> Self {
        match self {
            Self::All(_) => Self::All(Vec::new()),
            Self::Last(_) => Self::Last(BTreeMap::new()),
        }
    }
}

/// The accounts, filled by the client library's thread.
#[derive(Debug)]
pub struct Accounts {
    witness: Witness,
    results: Mutex<Results>,
    settled: Condvar,
}

impl Accounts {
    fn new(witness: Witness, written: Written) -> Self {
        let results = Results {
            written,
            ..Results::default()
        };
        Self {
            witness,
            results: Mutex::new(results),
            settled: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> (Vec<Refusal>, Written) {
        let mut results = self.lock();
        let empty = results.written.empty();
        (
            std::mem::take(&mut results.refused),
            std::mem::replace(&mut results.written, empty),
        )
    }

    fn settle_one(&self, account: impl FnOnce(&mut Results)) {
        let mut results = self.lock();
        account(&mut results);
        results.pending = results.pending.saturating_sub(1);
        if results.pending == 0 {
            self.settled.notify_all();
        }
    }
}

impl ClientContext for Accounts {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.witness.log(level, facility, text);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.witness.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.witness.error(error, reason);
    }
}

impl ProducerContext for Accounts {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, token: usize) {
        let token = token as u64;
        self.settle_one(|results| match result {
            Ok(message) => {
                let partition = record::unsigned(message.partition());
                results
                    .written
                    .add(token, message.topic(), partition, message.offset());
            }
            Err((error, message)) => results.refused.push(Refusal {
                token,
                topic: message.topic().to_owned(),
                bytes: message.payload_len() + message.key_len(),
                code: error.rdkafka_error_code().unwrap_or(Code::Unknown),
            }),
        });
    }
}
