//! Dead letters: which there are, and one in full.
//!
//! Absent on purpose: deleting. Retention does that; a replay copies.

use connectors::log::Log;
use schemas::dead_letter::{self, DeadLetter};
use schemas::record::{Partition, Received};
use schemas::time;
use serde::Serialize;

use super::{Error, Installation, read};

/// Which dead letters.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// From this source topic.
    pub topic: Option<String>,
    /// Of this class.
    pub class: Option<String>,
    /// Of this saga.
    pub saga: Option<String>,
    /// At most, newest first; `None` is all.
    pub limit: Option<usize>,
}

impl Filter {
    fn admits(&self, letter: &DeadLetter) -> bool {
        let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|w| w == is);
        same(&self.topic, &letter.partition.topic)
            && same(&self.class, &letter.class)
            && same(&self.saga, letter.saga.as_deref().unwrap_or_default())
    }
}

/// One dead letter.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// `topic/partition/offset` of the dead letter: what `show` and `replay` take.
    pub position: String,
    /// When it was set aside.
    pub at: String,
    /// `topic/partition/offset` where the record stood.
    pub origin: String,
    /// Why, from a closed list.
    pub class: String,
    /// Why, for people.
    pub message: String,
    /// Saga, if it is known.
    pub saga: Option<String>,
    /// Definition that refused it.
    pub definition: Option<String>,
    /// How often it was delivered.
    pub deliveries: u32,
}

impl Row {
    /// The row of a dead letter.
    pub fn of(letter: &DeadLetter) -> Self {
        Self {
            position: letter.position.clone(),
            at: time::rfc3339(letter.timestamp_ms),
            origin: origin(letter),
            class: letter.class.clone(),
            message: letter.message.clone(),
            saga: letter.saga.clone(),
            definition: letter.definition.clone(),
            deliveries: letter.delivery_count,
        }
    }
}

/// Where the record stood.
pub fn origin(letter: &DeadLetter) -> String {
    let Partition { topic, number } = &letter.partition;
    format!("{topic}/{number}/{}", letter.offset)
}

/// The partitions of all dead-letter topics of the installation.
///
/// # Errors
/// The log's.
pub fn partitions<L: Log>(
    log: &mut L,
    installation: &Installation,
) -> Result<Vec<Partition>, Error> {
    let mut partitions = Vec::new();
    for topic in log.topic_names(&installation.names.dead_letter_prefix())? {
        let count = log.topic(&topic)?.map_or(0, |info| info.partitions);
        partitions.extend((0..count).map(|number| Partition::new(&topic, number)));
    }
    Ok(partitions)
}

/// Lists dead letters, newest first; the second number counts records in those topics that are none.
///
/// # Errors
/// The log's.
pub fn list<L: Log>(
    log: &mut L,
    installation: &Installation,
    filter: &Filter,
) -> Result<(Vec<DeadLetter>, usize), Error> {
    let mut letters = Vec::new();
    let mut foreign = 0;
    for partition in partitions(log, installation)? {
        read::all(log, &partition, |record| {
            match dead_letter::decode(&record) {
                Ok(letter) if filter.admits(&letter) => letters.push(letter),
                Ok(_) => {}
                Err(_) => foreign += 1,
            }
        })?;
    }
    letters.sort_by(|a, b| {
        let time = b.timestamp_ms.cmp(&a.timestamp_ms);
        time.then_with(|| a.position.cmp(&b.position))
    });
    letters.truncate(filter.limit.unwrap_or(usize::MAX));
    Ok((letters, foreign))
}

/// The dead letter at `topic/partition/offset`.
///
/// # Errors
/// [`Error::Refused`] for a text that is no position, [`Error::NotFound`] if nothing stands there.
pub fn at<L: Log>(
    log: &mut L,
    installation: &Installation,
    position: &str,
) -> Result<DeadLetter, Error> {
    let (partition, offset) = place(position).ok_or_else(|| {
        Error::Refused(format!(
            "`{position}` is not `<topic>/<partition>/<offset>`; `skald dlq list` shows positions"
        ))
    })?;
    if installation
        .names
        .source_of_dead_letter(&partition.topic)
        .is_none()
    {
        let prefix = installation.names.dead_letter_prefix();
        return Err(Error::Refused(format!(
            "`{}` is no dead-letter topic of this installation: theirs begin with `{prefix}`",
            partition.topic
        )));
    }
    let missing = || Error::NotFound(format!("nothing stands at {position}"));
    if log.topic(&partition.topic)?.is_none() {
        return Err(missing());
    }
    let record = record_at(log, &partition, offset)?.ok_or_else(missing)?;
    dead_letter::decode(&record).map_err(|e| Error::Unreadable(e.to_string()))
}

fn record_at<L: Log>(
    log: &mut L,
    partition: &Partition,
    offset: i64,
) -> Result<Option<Received>, Error> {
    let extent = log.extent(partition)?;
    if offset < extent.begin || offset >= extent.stable_end {
        return Ok(None);
    }
    let mut found = None;
    read::drain(log, partition, offset, offset + 1, |record| {
        if record.offset == offset {
            found = Some(record);
        }
    })?;
    Ok(found)
}

fn place(text: &str) -> Option<(Partition, i64)> {
    let (rest, offset) = text.rsplit_once('/')?;
    let (topic, number) = rest.rsplit_once('/')?;
    let offset = offset.parse().ok()?;
    Some((Partition::new(topic, number.parse().ok()?), offset))
}
