//! The rebalance callback: takes an assignment, paused or at its committed offsets, and remembers it for the poll that ran it.
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
    auto_start: Option<Begin>,
    request: Duration,
    change: Mutex<Option<Positions>>,
}

impl Assignments {
    /// A context without an assignment.
    pub fn new(settings: &Settings, auto_start: Option<Begin>) -> Self {
        Self {
            witness: Witness::new(format!("{} consumer", settings.client_id)),
            auto_start,
            request: settings.timeouts.request,
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

    fn taken(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &TopicPartitionList,
    ) -> KafkaResult<Positions> {
        let mut positions = owned(list);
        if let Some(begin) = self.auto_start {
            self.start_all(consumer, list, begin, &mut positions)?;
        }
        assign(consumer, &positions)?;
        Ok(positions)
    }

    /// Starts every partition at its committed offset, else at the beginning that is wanted.
    fn start_all(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &TopicPartitionList,
        begin: Begin,
        positions: &mut Positions,
    ) -> KafkaResult<()> {
        let committed = consumer.committed_offsets(list.clone(), self.request)?;
        for element in committed.elements() {
            element.error()?;
            let partition = Partition::new(element.topic(), record::unsigned(element.partition()));
            let offset = match element.offset() {
                Offset::Offset(offset) => offset,
                _ => self.edge(consumer, &partition, begin)?,
            };
            positions.start(&partition, offset);
        }
        Ok(())
    }

    fn edge(
        &self,
        consumer: &BaseConsumer<Self>,
        partition: &Partition,
        begin: Begin,
    ) -> KafkaResult<i64> {
        let number = record::signed(partition.number);
        let (low, high) = consumer.fetch_watermarks(&partition.topic, number, self.request)?;
        Ok(match begin {
            Begin::Earliest => low,
            Begin::Latest => high,
        })
    }
}

/// Assigns every partition at its position; those that deliver nothing wait paused at their end.
pub fn assign(consumer: &BaseConsumer<Assignments>, positions: &Positions) -> KafkaResult<()> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in positions.started() {
        let number = record::signed(partition.number);
        list.add_partition_offset(&partition.topic, number, Offset::Offset(offset))?;
    }
    let mut silent = TopicPartitionList::new();
    for partition in positions.silent() {
        let number = record::signed(partition.number);
        list.add_partition_offset(&partition.topic, number, Offset::End)?;
        silent.add_partition(&partition.topic, number);
    }
    consumer.assign(&list)?;
    if silent.count() > 0 {
        consumer.pause(&silent)?;
    }
    Ok(())
}

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
            match self.taken(consumer, list) {
                Ok(positions) => return self.set_change(positions),
                Err(error) => {
                    warn!(client = %self.witness.client, error = %error, "Assignment could not be taken, joining again.");
                    // Without offsets there is nothing to begin at: give it back by leaving.
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
