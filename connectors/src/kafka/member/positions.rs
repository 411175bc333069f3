//! Owned partitions and where each one stands.
//!
//! Absent on purpose: committed offsets. A position is what will be delivered next, whatever was committed.

use std::collections::BTreeMap;

use rdkafka::message::{BorrowedMessage, Message};
use schemas::record::Partition;

use crate::kafka::record;

/// State of one owned partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Nothing is delivered.
    #[default]
    Paused,
    /// The client library has stopped it for good: only a new assignment helps.
    Broken,
    /// Records from this offset on are delivered.
    Started(i64),
}

/// States of all owned partitions.
#[derive(Debug, Clone, Default)]
pub struct Positions(BTreeMap<String, BTreeMap<u32, State>>);

impl Positions {
    /// Adds an owned partition that is paused.
    pub fn own(&mut self, partition: &Partition) {
        self.set(partition, State::Paused);
    }

    /// All owned partitions.
    pub fn owned(&self) -> Vec<Partition> {
        self.all().map(|(partition, _)| partition).collect()
    }

    /// Whether it is owned.
    pub fn owns(&self, partition: &Partition) -> bool {
        self.state(partition).is_some()
    }

    /// All delivering partitions with their positions.
    pub fn started(&self) -> Vec<(Partition, i64)> {
        self.all()
            .filter_map(|(partition, state)| match state {
                State::Started(next) => Some((partition, next)),
                State::Paused | State::Broken => None,
            })
            .collect()
    }

    /// All partitions that deliver nothing.
    pub fn silent(&self) -> Vec<Partition> {
        self.all()
            .filter(|(_, state)| !matches!(state, State::Started(_)))
            .map(|(partition, _)| partition)
            .collect()
    }

    /// Whether only a new assignment helps.
    pub fn is_broken(&self, partition: &Partition) -> bool {
        self.state(partition) == Some(State::Broken)
    }

    /// Delivers from `offset` on.
    pub fn start(&mut self, partition: &Partition, offset: i64) {
        self.set(partition, State::Started(offset));
    }

    /// Delivers nothing. A broken partition stays broken.
    pub fn stop(&mut self, partition: &Partition) {
        if !self.is_broken(partition) {
            self.set(partition, State::Paused);
        }
    }

    /// Delivers nothing until it is assigned again.
    pub fn break_off(&mut self, partition: &Partition) {
        self.set(partition, State::Broken);
    }

    /// Moves behind a record; false if it is not to be delivered.
    pub fn advance(&mut self, message: &BorrowedMessage<'_>) -> bool {
        let number = record::unsigned(message.partition());
        let state = self
            .0
            .get_mut(message.topic())
            .and_then(|all| all.get_mut(&number));
        match state {
            Some(State::Started(next)) if message.offset() >= *next => {
                *next = message.offset() + 1;
                true
            }
            _ => false,
        }
    }

    fn all(&self) -> impl Iterator<Item = (Partition, State)> + '_ {
        self.0.iter().flat_map(|(topic, numbers)| {
            let pair =
                |(number, state): (&u32, &State)| (Partition::new(topic.as_str(), *number), *state);
            numbers.iter().map(pair)
        })
    }

    fn state(&self, partition: &Partition) -> Option<State> {
        self.0
            .get(&partition.topic)?
            .get(&partition.number)
            .copied()
    }

    fn set(&mut self, partition: &Partition, state: State) {
        let topic = self.0.entry(partition.topic.clone()).or_default();
        topic.insert(partition.number, state);
    }
}
