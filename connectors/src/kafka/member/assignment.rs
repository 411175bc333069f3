//! The rebalance callback: takes an assignment, paused, and remembers it for the poll that ran it; and the automatic start.
//!
//! Absent on purpose: cooperative rebalancing. The range assignor is eager: every change takes everything away first, which is what
//! ends all beliefs of the old generation.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use schemas::record::Partition;
use tracing::warn;

use crate::kafka::context::Witness;
use crate::kafka::record;
use crate::kafka::settings::Settings;
use crate::log::Begin;

use super::positions::Positions;

/// Context of the consumer.
pub struct Assignments {
    witness: Witness,
    change: Mutex<Option<Positions>>,
}

impl Assignments {
    /// A context without an assignment.
    pub fn new(settings: &Settings) -> Self {
        Self {
            witness: Witness::new(format!("{} consumer", settings.client_id)),
            change: Mutex::new(None),
        }
    }

    /// The assignment, if it changed since the last call.
    pub fn take_change(&self) -> Option<Positions> {
        self.change
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn set_change(&self, positions: Positions) {
        *self.change.lock().unwrap_or_else(PoisonError::into_inner) = Some(positions);
    }
}

/// Starts these partitions at their committed offsets, else at the beginning that is wanted.
///
/// Outside of the callback: a leader that is not there yet is asked again at the next poll, while the assignment stands.
pub fn start_all(
    consumer: &BaseConsumer<Assignments>,
    partitions: &[Partition],
    begin: Begin,
    request: Duration,
    positions: &mut Positions,
) -> KafkaResult<()> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&partition.topic, record::signed(partition.number));
    }
    let committed = consumer.committed_offsets(list, request)?;
    let mut offsets = Vec::with_capacity(partitions.len());
    for element in committed.elements() {
        element.error()?;
        let partition = Partition::new(element.topic(), record::unsigned(element.partition()));
        let offset = match element.offset() {
            Offset::Offset(offset) => offset,
            _ => edge(consumer, &partition, begin, request)?,
        };
        offsets.push((partition, offset));
    }
    for (partition, offset) in offsets {
        positions.start(&partition, offset);
    }
    assign(consumer, positions)
}

fn edge(
    consumer: &BaseConsumer<Assignments>,
    partition: &Partition,
    begin: Begin,
    request: Duration,
) -> KafkaResult<i64> {
    let number = record::signed(partition.number);
    let (low, high) = consumer.fetch_watermarks(&partition.topic, number, request)?;
    Ok(match begin {
        Begin::Earliest => low,
        Begin::Latest => high,
    })
}

/// Assigns every partition at its position; those that deliver nothing wait paused.
pub fn assign(consumer: &BaseConsumer<Assignments>, positions: &Positions) -> KafkaResult<()> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in positions.started() {
        let number = record::signed(partition.number);
        list.add_partition_offset(&partition.topic, number, Offset::Offset(offset))?;
    }
    let mut silent = TopicPartitionList::new();
    for partition in positions.silent() {
        let number = record::signed(partition.number);
        list.add_partition_offset(&partition.topic, number, SILENT)?;
        silent.add_partition(&partition.topic, number);
    }
    consumer.assign(&list)?;
    if silent.count() > 0 {
        consumer.pause(&silent)?;
    }
    // A pause outlives assignments: a partition that was silent in an earlier one would deliver nothing in this one.
    let mut started = TopicPartitionList::new();
    for (partition, _) in positions.started() {
        started.add_partition(&partition.topic, record::signed(partition.number));
    }
    if started.count() > 0 {
        consumer.resume(&started)?;
    }
    Ok(())
}

/// Where a silent partition waits for its start. Never a logical offset: the client library looks that up, looks again half a second
/// after the answer came too late, and then takes the partition there although it was started elsewhere since.
const SILENT: Offset = Offset::Offset(0);

fn owned(list: &TopicPartitionList) -> Positions {
    let mut positions = Positions::default();
    for element in list.elements() {
        positions.own(&Partition::new(
            element.topic(),
            record::unsigned(element.partition()),
        ));
    }
    positions
}

impl ClientContext for Assignments {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.witness.log(level, facility, text);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.witness.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Leaving the group by a pause in polling is the member's own doing and must be seen.
        if error.rdkafka_error_code() == Some(Code::PollExceeded) {
            warn!(client = %self.witness.client, reason, "Member polled too late and loses its partitions.");
        }
        self.witness.error(error, reason);
    }
}

impl ConsumerContext for Assignments {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        if kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let positions = owned(list);
            match assign(consumer, &positions) {
                Ok(()) => return self.set_change(positions),
                Err(error) => {
                    warn!(client = %self.witness.client, error = %error, "Assignment could not be taken, joining again.");
                    rejoin(consumer);
                }
            }
        } else if let Err(error) = consumer.unassign() {
            warn!(client = %self.witness.client, error = %error, "Assignment could not be given back.");
        }
        self.set_change(Positions::default());
    }
}

fn rejoin(consumer: &BaseConsumer<Assignments>) {
    // The client library waits for an answer to its callback, also if it is refused.
    let _ = consumer.unassign();
    let Ok(topics) = consumer.subscription() else {
        return;
    };
    let topics = topics.elements();
    let names: Vec<&str> = topics.iter().map(|element| element.topic()).collect();
    consumer.unsubscribe();
    if let Err(error) = consumer.subscribe(&names) {
        warn!(error = %error, "The group could not be joined again.");
    }
}
