//! Everything a memory cluster holds, behind one lock, and the transaction coordinator over it.
//!
//! Each transactional id has an epoch; initialising the id raises it, aborts what is open and so fences whoever held it before. A
//! transaction that is open for longer than its timeout is aborted and its producer fenced, as a broker does.
//!
//! Absent on purpose: outcomes nobody knows. A simulator that wants lost answers puts them in front of the log.

use std::collections::{BTreeMap, BTreeSet};

use schemas::record::{Partition, Received};

use super::group::Group;
use super::partition::PartitionLog;
use super::topic::{Topic, refuse};
use crate::log::{Committed, Error};

/// What the lock protects.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Topics by name.
    pub(super) topics: BTreeMap<String, Topic>,
    /// Rises when a topic comes or goes.
    pub(super) topics_version: u64,
    /// Groups by id.
    pub(super) groups: BTreeMap<String, Group>,
    /// Time of this hold of the lock.
    pub(super) now_ms: i64,
    identities: BTreeMap<String, Identity>,
    transactions: u64,
    members: u64,
}

/// A transactional id.
#[derive(Debug, Default)]
struct Identity {
    epoch: u64,
    timeout_ms: i64,
    open: Option<Open>,
}

/// An open transaction: known here from its first record or offset on.
#[derive(Debug)]
struct Open {
    number: u64,
    deadline_ms: i64,
    partitions: BTreeSet<Partition>,
    groups: BTreeSet<String>,
}

impl State {
    /// Initialises a transactional id: aborts what is open and answers the new epoch.
    pub(super) fn initialise(&mut self, id: &str, timeout_ms: i64) -> u64 {
        let identity = self.identities.entry(id.to_owned()).or_default();
        identity.epoch += 1;
        identity.timeout_ms = timeout_ms;
        let (epoch, open) = (identity.epoch, identity.open.take());
        self.finish(open, false);
        epoch
    }

    /// Ends the transaction of a producer, if it wrote anything.
    ///
    /// # Errors
    /// [`Error::Fenced`].
    pub(super) fn end(&mut self, id: &str, epoch: u64, committed: bool) -> Result<(), Error> {
        let open = self.identity(id, epoch)?.open.take();
        self.finish(open, committed);
        Ok(())
    }

    /// Writes a record of a transaction; answers partition and offset.
    ///
    /// # Errors
    /// [`Error::Fenced`].
    pub(super) fn append_in(
        &mut self,
        id: &str,
        epoch: u64,
        record: Received,
    ) -> Result<(u32, i64), Error> {
        let open = self.open(id, epoch)?;
        open.partitions.insert(record.partition.clone());
        let number = open.number;
        self.append(record, Some(number))
    }

    /// Adds an offset to a transaction.
    ///
    /// # Errors
    /// [`Error::Fenced`].
    pub(super) fn commit_in(
        &mut self,
        id: &str,
        epoch: u64,
        group: &str,
        offsets: Vec<(Partition, Committed)>,
    ) -> Result<(), Error> {
        let open = self.open(id, epoch)?;
        open.groups.insert(group.to_owned());
        let number = open.number;
        let group = self.group(group);
        for (partition, committed) in offsets {
            group.commit_later(number, partition, committed);
        }
        Ok(())
    }

    /// Writes a record; answers partition and offset.
    pub(super) fn append(
        &mut self,
        record: Received,
        transaction: Option<u64>,
    ) -> Result<(u32, i64), Error> {
        let (number, now_ms) = (record.partition.number, self.now_ms);
        let missing = refuse(&record.partition.topic, "unknown partition");
        let log = self.partition_mut(&record.partition).ok_or(missing)?;
        Ok((number, log.append(record, transaction, now_ms)))
    }

    /// Is the producer still the newest of its id?
    ///
    /// # Errors
    /// [`Error::Fenced`].
    pub(super) fn check(&mut self, id: &str, epoch: u64) -> Result<(), Error> {
        self.identity(id, epoch).map(|_| ())
    }

    /// Aborts every transaction that is open for too long and fences its producer.
    pub(super) fn expire(&mut self) {
        let now_ms = self.now_ms;
        let mut expired = Vec::new();
        for identity in self.identities.values_mut() {
            if identity
                .open
                .as_ref()
                .is_some_and(|open| open.deadline_ms <= now_ms)
            {
                identity.epoch += 1;
                expired.push(identity.open.take());
            }
        }
        for open in expired {
            self.finish(open, false);
        }
    }

    /// The group of this id.
    pub(super) fn group(&mut self, id: &str) -> &mut Group {
        self.groups.entry(id.to_owned()).or_default()
    }

    /// Assigns a group anew, if need be.
    pub(super) fn settle(&mut self, group: &str) {
        let topics = &self.topics;
        let count = |name: &str| topics.get(name).map_or(0, Topic::count);
        if let Some(group) = self.groups.get_mut(group) {
            group.settle(self.topics_version, count);
        }
    }

    /// A number that no member had before.
    pub(super) fn member(&mut self) -> u64 {
        self.members += 1;
        self.members
    }

    /// One partition.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if it does not exist.
    pub(super) fn partition(&self, partition: &Partition) -> Result<&PartitionLog, Error> {
        self.topics
            .get(&partition.topic)
            .and_then(|topic| topic.partition(partition.number))
            .ok_or_else(|| unknown(partition))
    }

    /// One partition, to be changed.
    pub(super) fn partition_mut(&mut self, partition: &Partition) -> Option<&mut PartitionLog> {
        self.topics
            .get_mut(&partition.topic)
            .and_then(|topic| topic.partition_mut(partition.number))
    }

    fn identity(&mut self, id: &str, epoch: u64) -> Result<&mut Identity, Error> {
        match self.identities.get_mut(id) {
            Some(identity) if identity.epoch == epoch => Ok(identity),
            _ => Err(Error::Fenced {
                reason: format!("transactional id `{id}` has a newer epoch"),
            }),
        }
    }

    /// The producer's transaction, opened if this is its first record or offset.
    fn open(&mut self, id: &str, epoch: u64) -> Result<&mut Open, Error> {
        // A number need only be new, so one is taken even if the transaction exists.
        self.transactions += 1;
        let (number, now_ms) = (self.transactions, self.now_ms);
        let identity = self.identity(id, epoch)?;
        let timeout_ms = identity.timeout_ms;
        Ok(identity.open.get_or_insert_with(|| Open {
            number,
            deadline_ms: now_ms.saturating_add(timeout_ms),
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
        }))
    }

    fn finish(&mut self, open: Option<Open>, committed: bool) {
        let Some(open) = open else { return };
        // A topic that was deleted meanwhile takes its part of the transaction with it.
        for partition in &open.partitions {
            if let Some(log) = self.partition_mut(partition) {
                log.end(open.number, committed);
            }
        }
        for group in &open.groups {
            self.group(group).end(open.number, committed);
        }
    }
}

fn unknown(partition: &Partition) -> Error {
    Error::OutOfRange {
        partition: partition.clone(),
        reason: "unknown partition".to_owned(),
    }
}
