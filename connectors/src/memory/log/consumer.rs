//! The group member of one memory log: its subscription, its generation and where it stands in each partition it owns.
//!
//! Absent on purpose: waiting (see [`super::MemoryLog`]) and prefetching.

use std::sync::{Arc, Condvar};

use schemas::record::{Partition, Received};

use super::clock::millis;
use super::partition::Budget;
use super::state::State;
use crate::log::{Begin, Committed, Error, Group, Timeouts};

/// A group member.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) group: Group,
    session_ms: i64,
    /// Number in the group; none before the first poll.
    member: Option<u64>,
    generation: u64,
    cursors: Vec<(Partition, Cursor)>,
    /// Partition that comes first in the next poll, so that a full one does not starve the others.
    turn: usize,
}

/// Where a member stands in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cursor {
    /// Nothing is delivered.
    Paused,
    /// Begins at the committed offset as soon as that is stable.
    Starting(Begin),
    /// Delivers from here.
    At(i64),
}

impl Consumer {
    /// A member that joins with its first poll.
    pub(super) fn new(group: Group, timeouts: &Timeouts) -> Self {
        Self {
            group,
            session_ms: millis(timeouts.session),
            member: None,
            generation: 0,
            cursors: Vec::new(),
            turn: 0,
        }
    }

    /// Shows life to the group, joining if it does not know this member; answers a new assignment.
    pub(super) fn heartbeat(&mut self, state: &mut State) -> Option<Vec<Partition>> {
        let now_ms = state.now_ms;
        let known = self
            .member
            .is_some_and(|id| state.group(&self.group.id).touch(id, now_ms));
        if !known {
            self.join(state);
        }
        state.settle(&self.group.id);
        let group = state.group(&self.group.id);
        let member = self.member?;
        if known && group.generation() == self.generation {
            return None;
        }
        self.generation = group.generation();
        Some(self.adopt(group.partitions(member)))
    }

    /// Collects records of all partitions that deliver.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; the partition is paused then.
    pub(super) fn fetch(
        &mut self,
        state: &mut State,
        budget: &mut Budget,
    ) -> Result<Vec<Arc<Received>>, Error> {
        self.start_waiting(state);
        self.check_range(state)?;
        let mut records = Vec::new();
        let count = self.cursors.len();
        for index in 0..count {
            let (partition, cursor) = &mut self.cursors[(self.turn + index) % count];
            if let (Cursor::At(offset), Ok(log)) = (*cursor, state.partition(partition)) {
                *cursor = Cursor::At(log.fetch(offset, i64::MAX, budget, &mut records));
            }
        }
        self.turn = (self.turn + 1) % count.max(1);
        Ok(records)
    }

    /// Registers for whatever may end the wait of a poll.
    pub(super) fn register(&self, state: &mut State, bell: &Arc<Condvar>) {
        state.group(&self.group.id).waiters.add(bell);
        for (partition, cursor) in &self.cursors {
            if *cursor != Cursor::Paused
                && let Some(log) = state.partition_mut(partition)
            {
                log.waiters.add(bell);
            }
        }
    }

    /// Delivers from `offset` on.
    ///
    /// # Errors
    /// [`Error::Generation`] if the partition is not owned.
    pub(super) fn start(&mut self, partition: &Partition, offset: i64) -> Result<(), Error> {
        *self.cursor(partition)? = Cursor::At(offset);
        Ok(())
    }

    /// Delivers no more.
    ///
    /// # Errors
    /// [`Error::Generation`] if the partition is not owned.
    pub(super) fn pause(&mut self, partition: &Partition) -> Result<(), Error> {
        *self.cursor(partition)? = Cursor::Paused;
        Ok(())
    }

    /// Changes the subscription.
    pub(super) fn subscribe(&mut self, state: &mut State, topics: &[String]) {
        self.group.topics = topics.to_vec();
        if let Some(member) = self.member {
            state.group(&self.group.id).subscribe(member, topics);
        }
    }

    /// Is this member still of the group's generation?
    ///
    /// # Errors
    /// [`Error::Generation`].
    pub(super) fn check(&self, state: &mut State) -> Result<(), Error> {
        state
            .group(&self.group.id)
            .check(self.member, self.generation)
    }

    /// Leaves the group.
    pub(super) fn leave(&mut self, state: &mut State) {
        if let Some(member) = self.member.take() {
            state.group(&self.group.id).leave(member);
            // The others learn of it now and not at their next look.
            state.settle(&self.group.id);
        }
    }

    fn join(&mut self, state: &mut State) {
        let (member, now_ms) = (state.member(), state.now_ms);
        let group = state.group(&self.group.id);
        group.join(member, &self.group.topics, self.session_ms, now_ms);
        self.member = Some(member);
    }

    fn adopt(&mut self, partitions: Vec<Partition>) -> Vec<Partition> {
        let cursor = self
            .group
            .auto_start
            .map_or(Cursor::Paused, Cursor::Starting);
        self.cursors = partitions.iter().map(|p| (p.clone(), cursor)).collect();
        partitions
    }

    fn start_waiting(&mut self, state: &mut State) {
        for (partition, cursor) in &mut self.cursors {
            if let Cursor::Starting(begin) = *cursor
                && let Ok(committed) = state.group(&self.group.id).committed(partition)
            {
                *cursor = started(state, partition, &committed, begin);
            }
        }
    }

    fn check_range(&mut self, state: &State) -> Result<(), Error> {
        for (partition, cursor) in &mut self.cursors {
            if let (Cursor::At(offset), Ok(log)) = (*cursor, state.partition(partition))
                && !log.contains(offset)
            {
                *cursor = Cursor::Paused;
                return Err(out_of_range(partition, offset));
            }
        }
        Ok(())
    }

    fn cursor(&mut self, partition: &Partition) -> Result<&mut Cursor, Error> {
        self.cursors
            .iter_mut()
            .find(|(owned, _)| owned == partition)
            .map(|(_, cursor)| cursor)
            .ok_or_else(|| Error::Generation {
                reason: format!("{partition:?} is not owned"),
            })
    }
}

fn started(state: &State, partition: &Partition, committed: &Committed, begin: Begin) -> Cursor {
    let Ok(log) = state.partition(partition) else {
        return Cursor::Paused;
    };
    let extent = log.extent();
    Cursor::At(match (committed.offset, begin) {
        (Some(offset), _) => offset,
        (None, Begin::Earliest) => extent.begin,
        (None, Begin::Latest) => extent.end,
    })
}

/// The error for a position outside of a partition.
pub(super) fn out_of_range(partition: &Partition, offset: i64) -> Error {
    Error::OutOfRange {
        partition: partition.clone(),
        reason: format!("offset {offset}"),
    }
}
