//! Reading committed records of any partition, outside of any group.
//!
//! The position after a read must move over aborted records and transaction markers, which the client library skips silently. The
//! argument: the last stable offset is sampled **before** the partition is assigned, so every end of partition that is reported after
//! the assignment stands at or behind that sample; everything below it has then been delivered or skipped. Without anything below
//! the sample nothing is fetched at all.
//!
//! Absent on purpose: waiting for open transactions beyond the time given, and uncommitted records.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::{ClientContext, config::RDKafkaLogLevel};
use schemas::record::Partition;

use crate::log::{Chunk, Error};

use super::context::Witness;
use super::probe::Probe;
use super::settings::Settings;
use super::{failure, record};

/// What to read.
#[derive(Debug, Clone, Copy)]
pub struct Range<'a> {
    /// The partition.
    pub partition: &'a Partition,
    /// First offset.
    pub from: i64,
    /// Offset to stop at.
    pub to: i64,
    /// Records at most.
    pub records_max: usize,
}

/// A reader; its client is made on first use.
pub struct Reader {
    settings: Settings,
    client: Option<BaseConsumer<ReaderContext>>,
    cursor: Option<Cursor>,
}

/// A partition that is assigned and delivers from `next` on.
#[derive(Debug)]
struct Cursor {
    partition: Partition,
    next: i64,
    /// Last stable offset, sampled before the assignment.
    stable: i64,
}

/// What one event brought.
enum Step {
    Record,
    /// The range or the sample is reached.
    Reached,
    Nothing,
}

impl Reader {
    /// A reader that has no client yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            client: None,
            cursor: None,
        }
    }

    /// The client, to be ended.
    pub fn take_client(&mut self) -> Option<impl Send + 'static> {
        self.cursor = None;
        self.client.take()
    }

    /// Oldest offset and last stable offset.
    pub fn stable_extent(&mut self, partition: &Partition) -> Result<(i64, i64), Error> {
        let wait = self.settings.timeouts.request;
        let number = record::signed(partition.number);
        let client = self.client()?;
        let ask = || client.fetch_watermarks(&partition.topic, number, wait);
        let told = failure::while_leaderless(wait, ask);
        told.map_err(|e| failure::of_read(&e, &format!("stable end of {partition:?}")))
    }

    /// Reads the range, or as much of it as there is. Waits only while there is nothing at all.
    pub fn read(
        &mut self,
        range: Range<'_>,
        wait: Duration,
        probe: &Probe,
    ) -> Result<Chunk, Error> {
        let deadline = Instant::now() + wait;
        if range.from >= range.to {
            return Ok(nothing(range));
        }
        while !self.continues(range) && !self.begin(range, probe)? {
            if Instant::now() >= deadline {
                return Ok(nothing(range));
            }
            thread::sleep(PAUSE.min(deadline.saturating_duration_since(Instant::now())));
        }
        let chunk = self.fetch(range);
        if !matches!(&chunk, Ok(chunk) if self.continues_at(range, chunk.next)) {
            self.end();
        }
        chunk
    }

    /// Assigns the partition if there is anything to read; false if not.
    fn begin(&mut self, range: Range<'_>, probe: &Probe) -> Result<bool, Error> {
        self.end();
        let (begin, stable) = self.stable_extent(range.partition)?;
        if range.from < begin {
            return Err(out_of_range(range, &format!("the oldest is {begin}")));
        }
        if range.from >= stable {
            check_end(range, stable, probe)?;
            return Ok(false);
        }
        self.assign(range)?;
        self.cursor = Some(Cursor {
            partition: range.partition.clone(),
            next: range.from,
            stable,
        });
        Ok(true)
    }

    fn assign(&mut self, range: Range<'_>) -> Result<(), Error> {
        let what = format!("read {:?} from {}", range.partition, range.from);
        let mut list = TopicPartitionList::new();
        let number = record::signed(range.partition.number);
        let added =
            list.add_partition_offset(&range.partition.topic, number, Offset::Offset(range.from));
        added.map_err(|e| failure::of_read(&e, &what))?;
        let assigned = self.client()?.assign(&list);
        assigned.map_err(|e| failure::of_read(&e, &what))
    }

    /// Takes records until a bound; there is at least one, or a stretch to skip.
    fn fetch(&mut self, range: Range<'_>) -> Result<Chunk, Error> {
        let limit = Instant::now() + self.settings.timeouts.request;
        let mut chunk = nothing(range);
        loop {
            match self.step(range, &mut chunk)? {
                Step::Record if chunk.records.len() >= range.records_max.max(1) => {
                    return Ok(chunk);
                }
                Step::Reached => return Ok(chunk),
                Step::Nothing if Instant::now() >= limit => return silence(range, chunk),
                Step::Record | Step::Nothing => {}
            }
        }
    }

    fn step(&mut self, range: Range<'_>, chunk: &mut Chunk) -> Result<Step, Error> {
        let (Some(client), Some(cursor)) = (&self.client, &mut self.cursor) else {
            return Ok(Step::Reached);
        };
        match client.poll(SLICE) {
            Some(Ok(message)) if message.offset() >= range.to => {
                chunk.next = message.offset();
                Ok(Step::Reached)
            }
            Some(Ok(message)) => {
                cursor.next = message.offset() + 1;
                chunk.next = cursor.next;
                chunk.records.push(record::received(&message));
                Ok(if cursor.next >= range.to {
                    Step::Reached
                } else {
                    Step::Record
                })
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {
                chunk.next = chunk.next.max(cursor.stable);
                Ok(Step::Reached)
            }
            Some(Err(error)) => on_error(&error, range),
            None => Ok(Step::Nothing),
        }
    }

    fn continues(&self, range: Range<'_>) -> bool {
        self.continues_at(range, range.from)
    }

    fn continues_at(&self, range: Range<'_>, next: i64) -> bool {
        let cursor = self.cursor.as_ref();
        cursor.is_some_and(|c| c.partition == *range.partition && c.next == next && next < c.stable)
    }

    /// Stops fetching: an idle reader must cost nothing.
    fn end(&mut self) {
        if self.cursor.take().is_some()
            && let Some(client) = &self.client
        {
            // A failure leaves an assignment that the next one replaces.
            let _ = client.unassign();
        }
    }

    fn client(&mut self) -> Result<&BaseConsumer<ReaderContext>, Error> {
        if self.client.is_none() {
            let context =
                ReaderContext(Witness::new(format!("{} reader", self.settings.client_id)));
            let created = self.settings.reader().create_with_context(context);
            self.client = Some(created.map_err(|e| failure::of(&e, "open reader"))?);
        }
        self.client.as_ref().ok_or_else(failure::no_producer)
    }
}

/// Context of the reader's client.
struct ReaderContext(Witness);

impl ClientContext for ReaderContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.0.log(level, facility, text);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.0.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ConsumerContext for ReaderContext {}

fn nothing(range: Range<'_>) -> Chunk {
    Chunk {
        records: Vec::new(),
        next: range.from,
    }
}

/// What was read before the silence is not lost.
fn silence(range: Range<'_>, chunk: Chunk) -> Result<Chunk, Error> {
    if chunk.records.is_empty() {
        return Err(failure::timeout(&format!(
            "read {:?} from {}",
            range.partition, range.from
        )));
    }
    Ok(chunk)
}

fn on_error(error: &KafkaError, range: Range<'_>) -> Result<Step, Error> {
    match error {
        KafkaError::MessageConsumption(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
            Err(out_of_range(range, "the broker refused the offset"))
        }
        _ => match failure::of_read(error, "read") {
            fatal @ Error::Fatal { .. } => Err(fatal),
            // Transport: the time limit of the fetch decides.
            _ => Ok(Step::Nothing),
        },
    }
}

/// Behind the stable end may be an open transaction, but behind the very end is nothing.
fn check_end(range: Range<'_>, stable: i64, probe: &Probe) -> Result<(), Error> {
    if range.from > stable {
        let (_, end) = probe.extent(range.partition)?;
        if range.from > end {
            return Err(out_of_range(range, &format!("the end is {end}")));
        }
    }
    Ok(())
}

fn out_of_range(range: Range<'_>, reason: &str) -> Error {
    Error::OutOfRange {
        partition: range.partition.clone(),
        reason: format!("{} was asked for, {reason}", range.from),
    }
}

const SLICE: Duration = Duration::from_millis(100);

const PAUSE: Duration = Duration::from_millis(10);
