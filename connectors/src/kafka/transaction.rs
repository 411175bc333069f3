//! The transactional producer.
//!
//! Absent on purpose: repair. After doubt the producer is replaced, never argued with: librdkafka repeats an unanswered end of a
//! transaction by itself, and the copy can arrive in a later one.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer};
use schemas::record::{Outgoing, Partition};

use crate::log::{Delivery, Error};

use super::admin::Admin;
use super::context::Witness;
use super::probe::Probe;
use super::settings::{RETIRE_WAIT, Settings};
use super::writer::Writer;
use super::{explain, failure, record, retire};

/// Transactions of one transactional id, one at a time.
pub struct Transactions {
    id: String,
    writer: Option<Writer>,
    request: Duration,
    message: Duration,
    open: Option<Open>,
}

/// The open transaction.
#[derive(Debug)]
struct Open {
    /// Transport events before it.
    events: u64,
    /// A record was refused, so it must not be committed.
    refused: bool,
}

impl Transactions {
    /// Opens and initialises the producer, if the settings want one.
    pub fn open(settings: &Settings) -> Result<Option<Self>, Error> {
        let Some(id) = &settings.transactional_id else {
            return Ok(None);
        };
        Ok(Some(Self {
            id: id.clone(),
            writer: Some(initialised(settings, id)?),
            request: settings.timeouts.request,
            message: settings.message_timeout(),
            open: None,
        }))
    }

    /// Replaces the producer. If that fails there is none until it succeeds.
    pub fn replace(&mut self, settings: &Settings) -> Result<(), Error> {
        self.open = None;
        if let Some(writer) = &self.writer {
            writer.purge_queue();
        }
        let retired = retire::in_background(self.writer.take());
        self.writer = Some(initialised(settings, &self.id)?);
        retired.wait(RETIRE_WAIT);
        Ok(())
    }

    /// Begins a transaction.
    pub fn begin(&mut self) -> Result<(), Error> {
        let writer = self.writer.as_mut().ok_or_else(failure::no_producer)?;
        writer.take();
        writer.witness().forget_transaction();
        let events = writer.witness().transport_events();
        let begun = writer.native().begin_transaction();
        begun.map_err(|e| failure::of(&e, "begin"))?;
        self.open = Some(Open {
            events,
            refused: false,
        });
        Ok(())
    }

    /// Hands over a record.
    pub fn produce(&mut self, record: &Outgoing, token: u64, probe: &Probe) -> Result<(), Error> {
        self.writer()?.send(record, token, probe)
    }

    /// Waits until every record is accounted for and tells what became of them.
    pub fn flush(&mut self, probe: &Probe, admin: &mut Admin) -> Result<Vec<Delivery>, Error> {
        self.settle()?;
        let (refused, written) = self.writer()?.take();
        if let Some(open) = &mut self.open {
            open.refused |= !refused.is_empty();
        }
        let witness = self.writer()?.witness();
        let mut deliveries = explain::deliveries(&refused, witness, probe, admin);
        deliveries.extend(written.deliveries());
        Ok(deliveries)
    }

    /// Adds group offsets.
    pub fn send_offsets(
        &mut self,
        offsets: &[(Partition, i64)],
        metadata: &str,
        generation: Option<&ConsumerGroupMetadata>,
    ) -> Result<(), Error> {
        let list = record::offset_list(offsets, metadata)?;
        let generation = generation.ok_or_else(|| Error::Generation {
            reason: "nothing was polled yet".to_owned(),
        })?;
        let request = self.request;
        let sent = self
            .writer()?
            .native()
            .send_offsets_to_transaction(&list, generation, request);
        sent.map_err(|e| failure::of(&e, "send offsets"))
    }

    /// Commits; true if a transport event was seen since the begin.
    pub fn commit(&mut self) -> Result<bool, Error> {
        self.settle()?;
        let request = self.request;
        let open = self.open.as_ref().ok_or_else(nothing_open)?;
        let (before, refused) = (open.events, open.refused);
        let writer = self.writer()?;
        if refused || writer.has_refusals() {
            return Err(Error::Abortable {
                reason: "a record of the transaction was refused".to_owned(),
            });
        }
        wait_drained(writer);
        let committed = writer.native().commit_transaction(request);
        committed.map_err(|e| failure::of(&e, "commit"))?;
        // An event that came before the answer is in the queue before it.
        wait_drained(writer);
        let tainted = writer.witness().transport_events() != before;
        self.open = None;
        Ok(tainted)
    }

    /// Aborts the open transaction, if there is one.
    ///
    /// After a refused record a new producer follows, whose initialisation aborts as well: the refusal left a gap in the sequence
    /// numbers of its partition that librdkafka 2.12 does not close, so the next transaction would fail for nothing; and if the broker
    /// never heard of any partition, its answer to the abort breaks the producer.
    pub fn abort(&mut self, settings: &Settings) -> Result<(), Error> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let refused = open.refused || self.writer.as_ref().is_some_and(Writer::has_refusals);
        let request = self.request;
        let aborted = self.writer()?.native().abort_transaction(request);
        let aborted = aborted.map_err(|e| failure::of(&e, "abort"));
        // A producer that was overtaken must not take the id back here.
        if refused && !matches!(aborted, Err(Error::Fenced { .. })) {
            return self.replace(settings);
        }
        aborted?;
        self.open = None;
        Ok(())
    }

    fn writer(&mut self) -> Result<&mut Writer, Error> {
        self.writer.as_mut().ok_or_else(failure::no_producer)
    }

    /// Waits until every record is accounted for. As soon as the transaction is known to fail, what was not sent yet is given up:
    /// the client library would keep it until its time limit.
    fn settle(&mut self) -> Result<(), Error> {
        let limit = self.message + self.request;
        let writer = self.writer()?;
        let begin = Instant::now();
        let mut purged = false;
        while !writer.wait_settled(SLICE) {
            if !purged && (writer.has_refusals() || writer.witness().transaction_error().is_some())
            {
                writer.purge_queue();
                purged = true;
            }
            if begin.elapsed() > limit {
                return Err(failure::timeout("records of the transaction"));
            }
        }
        Ok(())
    }
}

/// Ends what a dead owner of the id left open.
pub fn fence(settings: &Settings, id: &str) -> Result<(), Error> {
    let witness = Witness::new(format!("{} fence", settings.client_id));
    let created = settings
        .transactional_producer(id)
        .create_with_context(witness);
    let producer: BaseProducer<Witness> = created.map_err(|e| failure::of(&e, "open producer"))?;
    let result = init(&producer, settings, id);
    retire::in_background(Some(producer)).wait(RETIRE_WAIT);
    result
}

fn initialised(settings: &Settings, id: &str) -> Result<Writer, Error> {
    let writer = Writer::transactional(settings, id)?;
    match init(writer.native(), settings, id) {
        Ok(()) => Ok(writer),
        Err(error) => {
            retire::in_background(Some(writer)).wait(RETIRE_WAIT);
            Err(error)
        }
    }
}

fn init<C, P>(producer: &P, settings: &Settings, id: &str) -> Result<(), Error>
where
    C: rdkafka::producer::ProducerContext,
    P: Producer<C>,
{
    let what = || format!("initialise transactions of {id} at {}", settings.brokers);
    let result = producer.init_transactions(settings.timeouts.request);
    result.map_err(|e| match e {
        // Still ending the transaction of the one before.
        KafkaError::Transaction(e) if e.code() == Code::ConcurrentTransactions => {
            failure::timeout(&what())
        }
        e => failure::of(&e, &what()),
    })
}

fn nothing_open() -> Error {
    Error::Fatal {
        reason: "no transaction is open".to_owned(),
    }
}

/// The client library's commit waits in blocks of 100 ms while anything is in its queues, so it is asked only when they are empty.
fn wait_drained(writer: &Writer) {
    let begin = Instant::now();
    while writer.native().in_flight_count() > 0 && begin.elapsed() < DRAIN {
        thread::sleep(Duration::from_micros(20));
    }
}

const SLICE: Duration = Duration::from_millis(20);

const DRAIN: Duration = Duration::from_millis(200);
