//! Group membership: assignments, records of owned partitions, and group offsets.
//!
//! An assigned partition is paused and silent until [`Member::start`] gives an offset (or, with automatic start, begins at
//! its committed one). Records of a partition that was not started, or from below its position, are dropped.
//!
//! Absent on purpose: transactional offsets ([`super::transaction`]); they only borrow the generation from here.

mod assignment;
mod positions;
mod stall;

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use schemas::record::{Partition, Received};
use tracing::warn;

use crate::log::{Begin, Bounds, Committed, Error, Group, Polled};

use super::probe::Probe;
use super::settings::Settings;
use super::{failure, record};

use assignment::Assignments;
use positions::Positions;
use stall::Stalls;

/// A member of a group.
pub struct Member {
    consumer: BaseConsumer<Assignments>,
    generation: Option<ConsumerGroupMetadata>,
    positions: Positions,
    /// An error that came after records: it is told by the next poll.
    deferred: Option<Error>,
    auto_start: Option<Begin>,
    /// Partitions that are to be started automatically and were not yet.
    unstarted: Vec<Partition>,
    stalls: Stalls,
    request: Duration,
}

impl Member {
    /// Joins the group.
    pub fn open(settings: &Settings, group: &Group) -> Result<Self, Error> {
        let context = Assignments::new(settings);
        let created = settings.member(&group.id).create_with_context(context);
        let consumer = created.map_err(|e| failure::of(&e, "open consumer"))?;
        let mut member = Self {
            consumer,
            generation: None,
            positions: Positions::default(),
            deferred: None,
            auto_start: group.auto_start,
            unstarted: Vec::new(),
            stalls: Stalls::new(Instant::now()),
            request: settings.timeouts.request,
        };
        member.subscribe(&group.topics)?;
        Ok(member)
    }

    /// Changes the topics; none leaves the group.
    pub fn subscribe(&mut self, topics: &[String]) -> Result<(), Error> {
        if topics.is_empty() {
            self.consumer.unsubscribe();
            return Ok(());
        }
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        let subscribed = self.consumer.subscribe(&topics);
        subscribed.map_err(|e| failure::of(&e, "subscribe"))
    }

    /// Generation and member of the last poll.
    pub fn generation(&self) -> Option<&ConsumerGroupMetadata> {
        self.generation.as_ref()
    }

    /// Takes records and changes of the assignment.
    pub fn poll(&mut self, bounds: Bounds, probe: &Probe) -> Result<Polled, Error> {
        if let Some(error) = self.deferred.take() {
            return Err(error);
        }
        self.start_automatically();
        let mut batch = Batch::new(bounds);
        let error = self.fill(&mut batch, probe);
        // Before the caller hears of the assignment: what is written after that comes behind the beginning.
        self.start_automatically();
        if batch.polled.records.is_empty() && batch.polled.assigned.is_none() {
            self.mend_stalls();
        }
        self.generation = self.consumer.group_metadata();
        match error {
            Some(error) if batch.polled.records.is_empty() && batch.polled.assigned.is_none() => {
                Err(error)
            }
            error => {
                self.deferred = error;
                Ok(batch.polled)
            }
        }
    }

    /// Fills the batch until a bound is reached, nothing more is there, or something is wrong.
    fn fill(&mut self, batch: &mut Batch, probe: &Probe) -> Option<Error> {
        loop {
            let event = self.consumer.poll(batch.wait());
            if let Some(positions) = self.consumer.context().take_change() {
                // What was taken so far is of the assignment before.
                batch.restart(positions.owned());
                self.positions = positions;
                self.unstarted = self.positions.owned();
            }
            match event {
                Some(Ok(message)) => batch.take(&message, &mut self.positions),
                Some(Err(error)) => {
                    if let Some(error) = on_error(&error, &mut self.positions, probe) {
                        return Some(error);
                    }
                }
                None if batch.is_over() => return None,
                None => {}
            }
            if batch.is_full() {
                return None;
            }
        }
    }

    /// An assignment starts with the poll that brings it; what cannot be started then, with a later one.
    fn start_automatically(&mut self) {
        let Some(begin) = self.auto_start.filter(|_| !self.unstarted.is_empty()) else {
            return;
        };
        let Self {
            consumer,
            unstarted,
            positions,
            request,
            ..
        } = self;
        match assignment::start_all(consumer, unstarted, begin, *request, positions) {
            Ok(()) => unstarted.clear(),
            Err(error) => warn!(error = %error, "Partitions could not be started; trying again."),
        }
    }

    /// Assigns again if a partition that was started automatically delivers nothing although there is more.
    fn mend_stalls(&mut self) {
        if self.auto_start.is_none() || !self.unstarted.is_empty() {
            return;
        }
        for (partition, position) in self.stalls.suspects(Instant::now(), &self.positions) {
            // By the member itself, so that the end is that of what is committed: behind an open transaction everybody waits. A broker
            // that does not answer is another problem, and told elsewhere.
            let number = record::signed(partition.number);
            let topic = partition.topic.as_str();
            let Ok((_, end)) = self.consumer.fetch_watermarks(topic, number, ALIVE) else {
                return;
            };
            if self.stalls.is_stalled(&partition, position, end) {
                warn!(
                    topic = partition.topic,
                    partition = partition.number,
                    position,
                    end,
                    "Partition delivers nothing although there is more; assigning again."
                );
                if let Err(error) = self.reassign() {
                    warn!(error = %error, "Partitions could not be assigned again.");
                }
                return;
            }
        }
    }

    /// Begins delivering a partition at an offset.
    pub fn start(&mut self, partition: &Partition, offset: i64) -> Result<(), Error> {
        self.check_owned(partition)?;
        let broken = self.positions.is_broken(partition);
        self.positions.start(partition, offset);
        if broken || !self.seek(partition, offset)? {
            return self.reassign();
        }
        let resumed = self.consumer.resume(&record::list_of(partition));
        resumed.map_err(|e| failure::of(&e, "resume"))
    }

    /// Stops delivering a partition.
    pub fn pause(&mut self, partition: &Partition) -> Result<(), Error> {
        self.check_owned(partition)?;
        self.positions.stop(partition);
        let paused = self.consumer.pause(&record::list_of(partition));
        paused.map_err(|e| failure::of(&e, "pause"))
    }

    /// The stable committed offset.
    pub fn committed(
        &mut self,
        partition: &Partition,
        wait: Duration,
        probe: &Probe,
    ) -> Result<Committed, Error> {
        let what = format!("committed offset of {partition:?}");
        let told = self
            .consumer
            .committed_offsets(record::list_of(partition), wait);
        match told {
            Ok(list) => committed(&list, &what),
            // Silence means a pending transaction if the cluster answers anything else.
            Err(KafkaError::MetadataFetch(
                Code::OperationTimedOut | Code::UnstableOffsetCommit,
            )) if probe.is_alive(&partition.topic, self.request.min(ALIVE)) => Err(Error::Held),
            Err(error) => Err(failure::of_read(&error, &what)),
        }
    }

    /// Commits offsets outside of transactions.
    pub fn commit_offsets(&mut self, offsets: &[(Partition, i64)]) -> Result<(), Error> {
        let list = record::offset_list(offsets, "")?;
        let committed = self.consumer.commit(&list, CommitMode::Sync);
        committed.map_err(|e| failure::of_read(&e, "commit offsets"))
    }

    fn check_owned(&self, partition: &Partition) -> Result<(), Error> {
        if self.positions.owns(partition) {
            return Ok(());
        }
        Err(Error::Generation {
            reason: format!("{partition:?} is not owned"),
        })
    }

    /// False if the partition cannot seek in its present state.
    fn seek(&self, partition: &Partition, offset: i64) -> Result<bool, Error> {
        let list = record::offset_list(&[(partition.clone(), offset)], "")?;
        let what = format!("seek {partition:?} to {offset}");
        let sought = self.consumer.seek_partitions(list, self.request);
        let list = sought.map_err(|e| failure::of_read(&e, &what))?;
        let failed = list
            .elements()
            .first()
            .and_then(|element| element.error().err());
        Ok(failed.is_none())
    }

    /// Assigns everything again at its position: the way out for a partition whose offset was out of range, which the client library
    /// has stopped and lets nobody seek.
    fn reassign(&self) -> Result<(), Error> {
        let assigned = assignment::assign(&self.consumer, &self.positions);
        assigned.map_err(|e| failure::of_read(&e, "assign"))
    }
}

/// What a consumer error means; most are transient and only logged.
fn on_error(error: &KafkaError, positions: &mut Positions, probe: &Probe) -> Option<Error> {
    match error {
        KafkaError::MessageConsumption(Code::AutoOffsetReset) => out_of_range(positions, probe),
        KafkaError::MessageConsumptionFatal(_) => Some(Error::Fatal {
            reason: error.to_string(),
        }),
        _ => match failure::of_read(error, "poll") {
            fatal @ Error::Fatal { .. } => Some(fatal),
            _ => {
                warn!(error = %error, "Consumer error, going on.");
                None
            }
        },
    }
}

/// The client library does not say which partition it was: it is the one whose position is outside of its ends.
fn out_of_range(positions: &mut Positions, probe: &Probe) -> Option<Error> {
    for (partition, position) in positions.started() {
        let (begin, end) = match probe.extent(&partition) {
            Ok(extent) => extent,
            Err(error) => return Some(error),
        };
        if position < begin || position > end {
            positions.break_off(&partition);
            let reason = format!("{position} is not in {begin}..={end}");
            return Some(Error::OutOfRange { partition, reason });
        }
    }
    None
}

fn committed(list: &TopicPartitionList, what: &str) -> Result<Committed, Error> {
    let elements = list.elements();
    let element = elements.first().ok_or_else(|| failure::timeout(what))?;
    element.error().map_err(|e| failure::of_read(&e, what))?;
    let offset = match element.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    };
    Ok(Committed {
        offset,
        metadata: element.metadata().to_owned(),
    })
}

/// What one poll gathers.
struct Batch {
    polled: Polled,
    bounds: Bounds,
    bytes: usize,
    deadline: Instant,
}

impl Batch {
    fn new(bounds: Bounds) -> Self {
        Self {
            polled: Polled::default(),
            bytes: 0,
            deadline: Instant::now() + bounds.wait,
            bounds,
        }
    }

    /// Only the first record is waited for.
    fn wait(&self) -> Duration {
        if self.polled.records.is_empty() && self.polled.assigned.is_none() {
            self.deadline.saturating_duration_since(Instant::now())
        } else {
            Duration::ZERO
        }
    }

    fn is_over(&self) -> bool {
        self.wait().is_zero()
    }

    fn is_full(&self) -> bool {
        self.polled.records.len() >= self.bounds.records.max(1)
            || self.bytes >= self.bounds.bytes.max(1)
    }

    fn restart(&mut self, owned: Vec<Partition>) {
        self.polled.records.clear();
        self.bytes = 0;
        self.polled.assigned = Some(owned);
    }

    fn take(&mut self, message: &BorrowedMessage<'_>, positions: &mut Positions) {
        if positions.advance(message) {
            let record = record::received(message);
            self.bytes += size(&record);
            self.polled.records.push(record);
        }
    }
}

fn size(record: &Received) -> usize {
    record.key.as_ref().map_or(0, Vec::len) + record.value.as_ref().map_or(0, Vec::len)
}

/// How long a live cluster may take to say so.
const ALIVE: Duration = Duration::from_secs(1);
