//! The transactional producer of one memory log.
//!
//! Absent on purpose: buffering. A record is in the log when [`Producer::produce`] returns, so a flush has nothing to wait for.

use std::collections::BTreeMap;

use schemas::record::{Outgoing, Partition};

use super::consumer::Consumer;
use super::state::State;
use super::topic::{draft, refuse};
use crate::log::{Committed, Delivery, Error};

/// A transactional producer.
#[derive(Debug)]
pub(super) struct Producer {
    id: String,
    epoch: u64,
    phase: Phase,
    /// Last record per partition since the last flush: token and offset.
    last: BTreeMap<(String, u32), (u64, i64)>,
}

/// Where a producer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No transaction.
    Idle,
    /// In a transaction.
    Open,
    /// In a transaction that can only be aborted.
    Failed,
}

impl Producer {
    /// Initialises the transactional id.
    pub(super) fn new(state: &mut State, id: &str, timeout_ms: i64) -> Self {
        Self {
            id: id.to_owned(),
            epoch: state.initialise(id, timeout_ms),
            phase: Phase::Idle,
            last: BTreeMap::new(),
        }
    }

    /// Its transactional id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self, state: &mut State) -> Result<(), Error> {
        state.check(&self.id, self.epoch)?;
        if self.phase != Phase::Idle {
            return Err(misuse("a transaction is open already"));
        }
        self.phase = Phase::Open;
        self.last.clear();
        Ok(())
    }

    /// Writes a record. A refused one leaves the transaction as it is, as one that fails in Kafka's client does.
    pub(super) fn produce(
        &mut self,
        state: &mut State,
        record: &Outgoing,
        token: u64,
    ) -> Result<(), Error> {
        self.ready(state)?;
        let mut received = draft(record);
        received.partition.number = accept(state, record)?;
        let (number, offset) = state.append_in(&self.id, self.epoch, received)?;
        let place = (record.topic.clone(), number);
        self.last.insert(place, (token, offset));
        Ok(())
    }

    /// The last record of each partition since the last flush.
    pub(super) fn flush(&mut self, state: &mut State) -> Result<Vec<Delivery>, Error> {
        self.ready(state)?;
        let last = std::mem::take(&mut self.last).into_iter();
        let delivery = |((_, number), (token, offset))| Delivery {
            token,
            result: Ok((number, offset)),
        };
        Ok(last.map(delivery).collect())
    }

    /// Adds offsets of the member's group; a stale member fails the transaction.
    pub(super) fn send_offsets(
        &mut self,
        state: &mut State,
        consumer: &Consumer,
        offsets: &[(Partition, i64)],
        metadata: &str,
    ) -> Result<(), Error> {
        self.ready(state)?;
        if let Err(error) = consumer.check(state) {
            self.phase = Phase::Failed;
            return Err(error);
        }
        let committed = offsets
            .iter()
            .map(|(p, offset)| (p.clone(), committed(*offset, metadata)));
        state.commit_in(
            &self.id,
            self.epoch,
            &consumer.group.id,
            committed.collect(),
        )
    }

    /// Ends the transaction.
    pub(super) fn commit(&mut self, state: &mut State) -> Result<(), Error> {
        self.ready(state)?;
        state.end(&self.id, self.epoch, true)?;
        self.phase = Phase::Idle;
        Ok(())
    }

    /// Aborts the transaction.
    pub(super) fn abort(&mut self, state: &mut State) -> Result<(), Error> {
        state.check(&self.id, self.epoch)?;
        if self.phase == Phase::Idle {
            return Err(misuse("no transaction is open"));
        }
        state.end(&self.id, self.epoch, false)?;
        self.phase = Phase::Idle;
        Ok(())
    }

    fn ready(&self, state: &mut State) -> Result<(), Error> {
        state.check(&self.id, self.epoch)?;
        match self.phase {
            Phase::Open => Ok(()),
            Phase::Idle => Err(misuse("no transaction is open")),
            Phase::Failed => Err(Error::Abortable {
                reason: "an earlier call of this transaction failed".to_owned(),
            }),
        }
    }
}

/// The partition a record goes to.
pub(super) fn accept(state: &mut State, record: &Outgoing) -> Result<u32, Error> {
    match state.topics.get_mut(&record.topic) {
        Some(topic) => topic.accept(record),
        None => Err(refuse(&record.topic, "unknown topic")),
    }
}

/// The error for a call in the wrong order.
pub(super) fn misuse(what: &str) -> Error {
    Error::Fatal {
        reason: what.to_owned(),
    }
}

/// A committed offset.
pub(super) fn committed(offset: i64, metadata: &str) -> Committed {
    Committed {
        offset: Some(offset),
        metadata: metadata.to_owned(),
    }
}
