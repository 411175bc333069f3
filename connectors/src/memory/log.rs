//! The memory log: Kafka's semantics as far as Skald relies on them, in one process. **Not durable.**
//!
//! Topics and partitions, transactions (open, committed, aborted) with control markers, read_committed readers bounded by the last
//! stable offset, transactional ids with epochs and fencing, transaction timeouts, consumer groups with generations, range assignment,
//! session timeouts and offsets committed inside of transactions, log append time, record size limits.
//!
//! Dropping a [`MemoryLog`] leaves its group, but an open transaction stays open until it times out or somebody initialises its id, as
//! it would after the death of a process. [`MemoryLog::crash`] does not even leave the group.
//!
//! Absent on purpose: durability, replication, access control, read_uncommitted, and faults (a simulator adds them in front).

use std::sync::{Arc, Condvar, MutexGuard};
use std::time::{Duration, Instant};

use schemas::record::{Outgoing, Partition, Received};

use crate::log::{
    Bounds, Chunk, Committed, Delivery, Error, Extent, Log, Options, Polled, TopicInfo, TopicSpec,
};

pub use clock::{Clock, ManualClock};
pub use cluster::MemoryCluster;

use clock::millis;
use consumer::{Consumer, out_of_range};
use partition::Budget;
use producer::{Producer, accept, committed, misuse};
use state::State;
use topic::{Topic, draft};

mod clock;
mod cluster;
mod consumer;
mod group;
mod partition;
mod producer;
mod state;
mod topic;
mod waiters;

/// One worker's view of a [`MemoryCluster`].
#[derive(Debug)]
pub struct MemoryLog {
    cluster: MemoryCluster,
    /// Rung when something this log waits for may have happened.
    bell: Arc<Condvar>,
    transaction_ms: i64,
    consumer: Option<Consumer>,
    producer: Option<Producer>,
    plain: Vec<Delivery>,
}

impl MemoryLog {
    /// Ends as a killed process does: the group learns of it by the session timeout, an open transaction by its own.
    pub fn crash(mut self) {
        self.consumer = None;
    }

    fn consumer(&mut self) -> Result<&mut Consumer, Error> {
        self.consumer
            .as_mut()
            .ok_or_else(|| misuse("opened without a group"))
    }

    /// The producer under the lock.
    fn produce_with<T>(
        &mut self,
        call: impl FnOnce(&mut Producer, &mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let producer = self.producer.as_mut();
        let producer = producer.ok_or_else(|| misuse("opened without a transactional id"))?;
        call(producer, &mut self.cluster.lock())
    }

    fn sleep<'a>(&'a self, state: MutexGuard<'a, State>, until: Instant) -> MutexGuard<'a, State> {
        let wait = until.saturating_duration_since(Instant::now());
        self.cluster.wait(state, &self.bell, wait)
    }
}

impl Log for MemoryLog {
    type Cluster = MemoryCluster;

    fn open(cluster: &MemoryCluster, options: &Options) -> Result<Self, Error> {
        let transaction_ms = millis(options.timeouts.transaction);
        let ids = options.transactional_id.as_deref();
        let group = options.group.clone();
        Ok(Self {
            cluster: cluster.clone(),
            bell: Arc::default(),
            transaction_ms,
            consumer: group.map(|group| Consumer::new(group, &options.timeouts)),
            producer: ids.map(|id| Producer::new(&mut cluster.lock(), id, transaction_ms)),
            plain: Vec::new(),
        })
    }

    fn poll(&mut self, bounds: Bounds) -> Result<Polled, Error> {
        let until = Instant::now() + bounds.wait;
        let consumer = self
            .consumer
            .as_mut()
            .ok_or_else(|| misuse("opened without a group"))?;
        let mut state = self.cluster.lock();
        loop {
            let assigned = consumer.heartbeat(&mut state);
            let records = consumer.fetch(&mut state, &mut Budget::of(bounds))?;
            let wait = until.saturating_duration_since(Instant::now());
            if assigned.is_some() || !records.is_empty() || wait.is_zero() {
                drop(state);
                return Ok(Polled {
                    records: owned(records),
                    assigned,
                });
            }
            consumer.register(&mut state, &self.bell);
            state = self.cluster.wait(state, &self.bell, wait);
        }
    }

    fn start(&mut self, partition: &Partition, offset: i64) -> Result<(), Error> {
        self.consumer()?.start(partition, offset)
    }

    fn pause(&mut self, partition: &Partition) -> Result<(), Error> {
        self.consumer()?.pause(partition)
    }

    fn subscribe(&mut self, topics: &[String]) -> Result<(), Error> {
        let cluster = self.cluster.clone();
        self.consumer()?.subscribe(&mut cluster.lock(), topics);
        Ok(())
    }

    fn committed(&mut self, partition: &Partition, wait: Duration) -> Result<Committed, Error> {
        let until = Instant::now() + wait;
        let group = self.consumer()?.group.id.clone();
        let mut state = self.cluster.lock();
        loop {
            let answer = state.group(&group).committed(partition);
            if answer != Err(Error::Held) || Instant::now() >= until {
                return answer;
            }
            state.group(&group).waiters.add(&self.bell);
            state = self.sleep(state, until);
        }
    }

    fn commit_offsets(&mut self, offsets: &[(Partition, i64)]) -> Result<(), Error> {
        let cluster = self.cluster.clone();
        let consumer = self.consumer()?;
        let mut state = cluster.lock();
        consumer.check(&mut state)?;
        let group = state.group(&consumer.group.id);
        for (partition, offset) in offsets {
            group.commit(partition.clone(), committed(*offset, ""));
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.produce_with(|producer, state| producer.begin(state))
    }

    fn produce(&mut self, record: &Outgoing, token: u64) -> Result<(), Error> {
        self.produce_with(|producer, state| producer.produce(state, record, token))
    }

    fn flush(&mut self) -> Result<Vec<Delivery>, Error> {
        self.produce_with(|producer, state| producer.flush(state))
    }

    fn send_offsets(&mut self, offsets: &[(Partition, i64)], metadata: &str) -> Result<(), Error> {
        let consumer = self
            .consumer
            .as_ref()
            .ok_or_else(|| misuse("opened without a group"))?;
        let producer = self.producer.as_mut();
        let producer = producer.ok_or_else(|| misuse("opened without a transactional id"))?;
        producer.send_offsets(&mut self.cluster.lock(), consumer, offsets, metadata)
    }

    fn commit(&mut self) -> Result<bool, Error> {
        // Nothing can time out on the way, so no commit is ever tainted.
        self.produce_with(|producer, state| producer.commit(state).map(|()| false))
    }

    fn abort(&mut self) -> Result<(), Error> {
        self.produce_with(|producer, state| producer.abort(state))
    }

    fn replace_producers(&mut self) -> Result<(), Error> {
        self.plain.clear();
        let timeout_ms = self.transaction_ms;
        if let Some(producer) = &mut self.producer {
            let id = producer.id().to_owned();
            *producer = Producer::new(&mut self.cluster.lock(), &id, timeout_ms);
        }
        Ok(())
    }

    fn fence(&mut self, transactional_id: &str) -> Result<(), Error> {
        let timeout_ms = self.transaction_ms;
        self.cluster.lock().initialise(transactional_id, timeout_ms);
        Ok(())
    }

    fn produce_plain(&mut self, record: &Outgoing, token: u64) -> Result<(), Error> {
        let mut received = draft(record);
        let mut state = self.cluster.lock();
        received.partition.number = accept(&mut state, record)?;
        let result = Ok(state.append(received, None)?);
        self.plain.push(Delivery { token, result });
        Ok(())
    }

    fn deliveries_plain(&mut self, _wait: Duration) -> Vec<Delivery> {
        std::mem::take(&mut self.plain)
    }

    fn extent(&mut self, partition: &Partition) -> Result<Extent, Error> {
        let state = self.cluster.lock();
        Ok(state.partition(partition)?.extent())
    }

    fn read(
        &mut self,
        partition: &Partition,
        from: i64,
        to: i64,
        records_max: usize,
        wait: Duration,
    ) -> Result<Chunk, Error> {
        let until = Instant::now() + wait;
        let mut state = self.cluster.lock();
        loop {
            let (records, next) = read_now(&state, partition, from, to, records_max)?;
            if !records.is_empty() || next >= to || Instant::now() >= until {
                drop(state);
                return Ok(Chunk {
                    records: owned(records),
                    next,
                });
            }
            if let Some(log) = state.partition_mut(partition) {
                log.waiters.add(&self.bell);
            }
            state = self.sleep(state, until);
        }
    }

    fn offset_at(&mut self, partition: &Partition, time_ms: i64) -> Result<i64, Error> {
        let state = self.cluster.lock();
        Ok(state.partition(partition)?.offset_at(time_ms))
    }

    fn topic(&mut self, name: &str) -> Result<Option<TopicInfo>, Error> {
        Ok(self.cluster.lock().topics.get(name).map(Topic::info))
    }

    fn create_topics(&mut self, topics: &[TopicSpec]) -> Result<(), Error> {
        let mut state = self.cluster.lock();
        for spec in topics {
            if !state.topics.contains_key(&spec.name) {
                state.topics.insert(spec.name.clone(), Topic::new(spec)?);
                state.topics_version += 1;
            }
        }
        Ok(())
    }

    fn topic_names(&mut self, prefix: &str) -> Result<Vec<String>, Error> {
        let state = self.cluster.lock();
        let names = state.topics.keys().filter(|name| name.starts_with(prefix));
        Ok(names.cloned().collect())
    }
}

impl Drop for MemoryLog {
    fn drop(&mut self) {
        if let Some(mut consumer) = self.consumer.take() {
            consumer.leave(&mut self.cluster.lock());
        }
    }
}

/// Copies made outside of the lock.
fn owned(records: Vec<Arc<Received>>) -> Vec<Received> {
    records.into_iter().map(Arc::unwrap_or_clone).collect()
}

fn read_now(
    state: &State,
    partition: &Partition,
    from: i64,
    to: i64,
    records_max: usize,
) -> Result<(Vec<Arc<Received>>, i64), Error> {
    let log = state.partition(partition)?;
    if !log.contains(from) {
        return Err(out_of_range(partition, from));
    }
    let mut records = Vec::new();
    let next = log.fetch(from, to, &mut Budget::records(records_max), &mut records);
    Ok((records, next))
}

#[cfg(test)]
mod tests;
