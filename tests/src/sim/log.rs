//! One worker's view of the simulated log, and what goes wrong with each call.
//!
//! Absent on purpose: semantics of the log (see `broker`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use connectors::log::{
    Bounds, Chunk, Committed, Delivery, Error, Extent, Group, Log, Options, Polled, TopicInfo,
    TopicSpec,
};
use orchestrator::clock;
use schemas::journal::{LANE_KEY, LaneHeader};
use schemas::record::{Outgoing, Partition, Received};

use super::fault::Fault;
use super::world::{LateEnd, State, World};

/// Membership.
#[derive(Debug)]
struct Consumer {
    group: Group,
    member: Option<u64>,
    generation: u64,
    cursors: BTreeMap<Partition, Option<i64>>,
}

/// The transactional producer.
#[derive(Debug)]
struct Producer {
    id: String,
    epoch: u64,
    begun: bool,
    batch: Vec<(Outgoing, u64)>,
    /// A hash over the headers of the transaction: where its lanes will stand.
    ends: u64,
    /// Is it spared, because it was struck before?
    spared: bool,
}

/// One worker's view.
#[derive(Debug)]
pub struct SimLog {
    world: World,
    consumer: Option<Consumer>,
    producer: Option<Producer>,
    plain: Vec<Delivery>,
    /// Transactions that were struck. The same one is not struck again: a record that fails twice, while others go through, is
    /// set aside, and rightly so.
    struck: BTreeSet<u64>,
    /// Version of the broker that the last poll saw.
    pub seen: u64,
}

fn no_answer(reason: &str) -> Error {
    Error::Unknown {
        reason: reason.to_owned(),
    }
}

/// The same, after the time that was waited for it.
fn unknown(state: &mut State, reason: &str) -> Error {
    let wait = state.luck.ms(1, 300);
    clock::sleep(Duration::from_millis(wait as u64));
    no_answer(reason)
}

/// A hash over the ends in the lanes' headers.
fn ends(batch: &[(Outgoing, u64)]) -> u64 {
    let key = Some(LANE_KEY.as_bytes());
    let mut hash = 0_u64;
    let headers = batch.iter().filter(|(r, _)| r.key.as_deref() == key);
    for (header, _) in headers {
        let value = header.value.as_deref().unwrap_or_default();
        let end = serde_json::from_slice::<LaneHeader>(value).map_or(0, |header| header.end);
        // Not the rest of it: what is planned for the same inputs differs from one try to the next.
        hash ^= u64::from(header.partition.unwrap_or_default()) << 32 | end as u64;
        hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    hash
}

fn misuse(what: &str) -> Error {
    Error::Fatal {
        reason: format!("opened without {what}"),
    }
}

impl SimLog {
    /// Its membership, by group and number.
    pub fn member(&self) -> Option<(String, u64)> {
        let consumer = self.consumer.as_ref()?;
        Some((consumer.group.id.clone(), consumer.member?))
    }

    fn producer(&mut self) -> Result<&mut Producer, Error> {
        self.producer
            .as_mut()
            .ok_or_else(|| misuse("transactional id"))
    }

    fn initialise(world: &World, id: &str) -> Result<Producer, Error> {
        let mut state = world.call("init");
        if state.log_fails(Fault::InitFails) {
            return Err(unknown(&mut state, "InitProducerId"));
        }
        let epoch = state.broker.initialise(id);
        Ok(Producer {
            id: id.to_owned(),
            epoch,
            begun: false,
            batch: Vec::new(),
            ends: 0,
            spared: false,
        })
    }

    /// Is the open transaction struck by this fault?
    fn is_struck(&mut self, state: &mut State, fault: Fault) -> bool {
        let Some(producer) = &self.producer else {
            return false;
        };
        let struck = !producer.spared && state.log_fails(fault);
        if struck {
            self.struck.insert(producer.ends);
        }
        struck
    }

    /// Ends the transaction; `true`: a repeat is still on its way.
    fn end(&mut self, committed: bool) -> Result<bool, Error> {
        let world = self.world.clone();
        let producer = self.producer()?;
        producer.begun = false;
        producer.batch.clear();
        let (id, epoch) = (producer.id.clone(), producer.epoch);
        let mut state = world.call(if committed { "commit" } else { "abort" });
        let state = &mut *state;
        let (lost, late) = if committed {
            (Fault::CommitLost, Fault::CommitLate)
        } else {
            (Fault::AbortLost, Fault::AbortLate)
        };
        if self.is_struck(state, lost) {
            return Err(unknown(state, "EndTxn"));
        }
        // Half of them come while the next transaction is under way.
        let latest = [60, 3000][state.luck.below(2)];
        let at_ms = state.now_ms + state.luck.ms(1, latest);
        let repeat = LateEnd {
            at_ms,
            id: id.clone(),
            epoch,
            committed,
        };
        if self.is_struck(state, late) {
            state.late_ends.push(repeat);
            return Err(unknown(state, "EndTxn"));
        }
        if state.broker.end(&id, epoch, committed)? {
            state.write_markers(id);
        }
        if committed && self.is_struck(state, Fault::CommitAnswerLost) {
            return Err(unknown(state, "EndTxn"));
        }
        let repeated = committed && state.strikes(Fault::CommitRepeated);
        if repeated {
            state.late_ends.push(repeat);
        }
        Ok(repeated)
    }
}

impl State {
    /// A record of a transaction arrives.
    fn take(&mut self, record: &Outgoing, of: (&str, u64)) -> Result<(u32, i64), Error> {
        let is_command = record.topic.ends_with(".commands");
        if is_command && self.strikes(Fault::OutputRefused) {
            return Err(Error::Record {
                reason: format!("topic {}: not authorised", record.topic),
            });
        }
        let now_ms = self.now_ms;
        self.broker.append_in(of, record, now_ms)
    }

    fn write_markers(&mut self, id: String) {
        if self.strikes(Fault::MarkersLate) {
            let at_ms = self.now_ms + self.luck.ms(1, 2500);
            self.markers.push((at_ms, id));
        } else {
            self.broker.settle(&id);
        }
    }
}

impl Consumer {
    /// Joins where it is not a member, and adopts a new generation.
    fn heartbeat(&mut self, state: &mut State) -> Option<Vec<Partition>> {
        let broker = &mut state.broker;
        let group = broker.groups.entry(self.group.id.clone()).or_default();
        if !self.member.is_some_and(|member| group.has(member)) {
            self.member = Some(group.join(&self.group.topics));
            broker.version += 1;
        }
        let group = &broker.groups[&self.group.id];
        if self.generation == group.generation {
            return None;
        }
        self.generation = group.generation;
        let count = |topic: &str| broker.partitions(topic).unwrap_or_default();
        let owned = group.assigned(self.member.unwrap_or_default(), count);
        self.cursors = owned.iter().map(|p| (p.clone(), None)).collect();
        Some(owned)
    }

    fn deliver(&mut self, state: &mut State) -> Result<Vec<Received>, Error> {
        let most = 1 + state.chance.below(6);
        let mut all = Vec::new();
        for (partition, cursor) in &mut self.cursors {
            let Some(from) = *cursor else { continue };
            let (records, next) = state.broker.fetch(partition, from, i64::MAX, most)?;
            *cursor = Some(next);
            all.extend(records.into_iter().map(Arc::unwrap_or_clone));
        }
        Ok(all)
    }

    fn cursor(&mut self, partition: &Partition) -> Result<&mut Option<i64>, Error> {
        let generation = self.generation;
        self.cursors
            .get_mut(partition)
            .ok_or_else(|| Error::Generation {
                reason: format!("{partition:?} is not owned in {generation}"),
            })
    }
}

impl Log for SimLog {
    type Cluster = World;

    fn open(world: &World, options: &Options) -> Result<Self, Error> {
        let id = options.transactional_id.as_deref();
        let producer = id.map(|id| Self::initialise(world, id)).transpose()?;
        let consumer = options.group.clone().map(|group| Consumer {
            group,
            member: None,
            generation: 0,
            cursors: BTreeMap::new(),
        });
        Ok(Self {
            world: world.clone(),
            consumer,
            producer,
            plain: Vec::new(),
            struck: BTreeSet::new(),
            seen: 0,
        })
    }

    fn poll(&mut self, _: Bounds) -> Result<Polled, Error> {
        let mut state = self.world.call("poll");
        if self.producer.as_ref().is_some_and(|p| p.begun) {
            state.broken("polled with an open transaction".to_owned());
        }
        let consumer = self.consumer.as_mut().ok_or_else(|| misuse("group"))?;
        if state.log_is_out() {
            return Err(unknown(&mut state, "Fetch"));
        }
        let assigned = consumer.heartbeat(&mut state);
        let records = consumer.deliver(&mut state)?;
        self.seen = state.broker.version;
        Ok(Polled { records, assigned })
    }

    fn start(&mut self, partition: &Partition, offset: i64) -> Result<(), Error> {
        let mut state = self.world.call("start");
        if state.log_fails(Fault::ReadFails) {
            return Err(unknown(&mut state, "start"));
        }
        drop(state);
        self.seen = 0;
        let consumer = self.consumer.as_mut().ok_or_else(|| misuse("group"))?;
        *consumer.cursor(partition)? = Some(offset);
        Ok(())
    }

    fn pause(&mut self, partition: &Partition) -> Result<(), Error> {
        let consumer = self.consumer.as_mut().ok_or_else(|| misuse("group"))?;
        *consumer.cursor(partition)? = None;
        Ok(())
    }

    fn subscribe(&mut self, _: &[String]) -> Result<(), Error> {
        Ok(())
    }

    fn committed(&mut self, partition: &Partition, wait: Duration) -> Result<Committed, Error> {
        let mut state = self.world.call("committed");
        if state.log_fails(Fault::ReadFails) {
            return Err(unknown(&mut state, "OffsetFetch"));
        }
        let consumer = self.consumer.as_ref().ok_or_else(|| misuse("group"))?;
        let committed = state.broker.groups[&consumer.group.id].committed(partition);
        if committed == Err(Error::Held) {
            clock::sleep(wait);
        }
        committed
    }

    fn commit_offsets(&mut self, _: &[(Partition, i64)]) -> Result<(), Error> {
        Err(misuse("participants"))
    }

    fn begin(&mut self) -> Result<(), Error> {
        let mut state = self.world.call("begin");
        if state.log_fails(Fault::BeginFails) {
            return Err(unknown(&mut state, "begin"));
        }
        drop(state);
        let producer = self.producer()?;
        producer.begun = true;
        producer.batch.clear();
        Ok(())
    }

    fn produce(&mut self, record: &Outgoing, token: u64) -> Result<(), Error> {
        self.producer()?.batch.push((record.clone(), token));
        Ok(())
    }

    fn flush(&mut self) -> Result<Vec<Delivery>, Error> {
        let world = self.world.clone();
        let struck = &self.struck;
        let producer = self.producer.as_mut();
        let producer = producer.ok_or_else(|| misuse("transactional id"))?;
        producer.ends = ends(&producer.batch);
        producer.spared = struck.contains(&producer.ends);
        let (id, epoch) = (producer.id.clone(), producer.epoch);
        let mut deliveries = Vec::new();
        let mut lost = false;
        for (record, token) in std::mem::take(&mut producer.batch) {
            let mut state = world.call("produce");
            lost = lost || self.is_struck(&mut state, Fault::ProduceLost);
            let result = if lost {
                Err(no_answer("Produce"))
            } else {
                state.take(&record, (&id, epoch))
            };
            deliveries.push(Delivery { token, result });
        }
        let mut state = world.call("flush");
        if lost || self.is_struck(&mut state, Fault::ProduceAnswerLost) {
            let error = unknown(&mut state, "Produce");
            return if lost { Ok(deliveries) } else { Err(error) };
        }
        Ok(deliveries)
    }

    fn send_offsets(&mut self, offsets: &[(Partition, i64)], metadata: &str) -> Result<(), Error> {
        let world = self.world.clone();
        let mut state = world.call("offsets");
        if self.is_struck(&mut state, Fault::OffsetsLost) {
            return Err(unknown(&mut state, "TxnOffsetCommit"));
        }
        let consumer = self.consumer.as_ref().ok_or_else(|| misuse("group"))?;
        let producer = self.producer.as_ref();
        let producer = producer.ok_or_else(|| misuse("transactional id"))?;
        debug_assert_eq!(metadata, producer.id);
        let group = &state.broker.groups[&consumer.group.id];
        group.check(consumer.member.unwrap_or_default(), consumer.generation)?;
        let (of, now_ms) = ((producer.id.as_str(), producer.epoch), state.now_ms);
        for (partition, offset) in offsets {
            let to = (partition, *offset);
            state.broker.offset_in(of, &consumer.group.id, to, now_ms)?;
        }
        if self.is_struck(&mut state, Fault::OffsetsAnswerLost) {
            return Err(unknown(&mut state, "TxnOffsetCommit"));
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<bool, Error> {
        self.end(true)
    }

    fn abort(&mut self) -> Result<(), Error> {
        self.end(false).map(drop)
    }

    fn replace_producers(&mut self) -> Result<(), Error> {
        let Some(producer) = &mut self.producer else {
            return Ok(());
        };
        // The old one is gone, whether there is a new one or not; its transaction stays open until somebody ends it.
        producer.begun = false;
        producer.epoch = 0;
        *producer = Self::initialise(&self.world, &producer.id)?;
        self.plain.clear();
        Ok(())
    }

    fn fence(&mut self, transactional_id: &str) -> Result<(), Error> {
        Self::initialise(&self.world, transactional_id).map(drop)
    }

    fn produce_plain(&mut self, record: &Outgoing, token: u64) -> Result<(), Error> {
        let mut state = self.world.call("plain");
        let result = if state.log_fails(Fault::PlainLost) {
            Err(unknown(&mut state, "Produce"))
        } else {
            let now_ms = state.now_ms;
            let written = state.broker.append(record, now_ms);
            if state.strikes(Fault::PlainAnswerLost) {
                Err(unknown(&mut state, "Produce"))
            } else {
                written
            }
        };
        self.plain.push(Delivery { token, result });
        Ok(())
    }

    fn deliveries_plain(&mut self, _: Duration) -> Vec<Delivery> {
        std::mem::take(&mut self.plain)
    }

    fn extent(&mut self, partition: &Partition) -> Result<Extent, Error> {
        let mut state = self.world.call("extent");
        if state.log_fails(Fault::ReadFails) {
            return Err(unknown(&mut state, "ListOffsets"));
        }
        state.broker.extent(partition)
    }

    fn read(
        &mut self,
        partition: &Partition,
        from: i64,
        to: i64,
        records_max: usize,
        wait: Duration,
    ) -> Result<Chunk, Error> {
        let mut state = self.world.call("read");
        if state.log_fails(Fault::ReadFails) {
            return Err(unknown(&mut state, "Fetch"));
        }
        // Small chunks, so that a catch-up can be disturbed between two of them.
        let most = records_max.min(1 + state.chance.below(12));
        let (records, next) = state.broker.fetch(partition, from, to, most)?;
        if records.is_empty() && next < to {
            clock::sleep(wait);
        }
        let records = records.into_iter().map(Arc::unwrap_or_clone).collect();
        Ok(Chunk { records, next })
    }

    fn offset_at(&mut self, partition: &Partition, _: i64) -> Result<i64, Error> {
        Ok(self.extent(partition)?.begin)
    }

    fn topic(&mut self, name: &str) -> Result<Option<TopicInfo>, Error> {
        let mut state = self.world.call("topic");
        if state.log_fails(Fault::ReadFails) {
            return Err(unknown(&mut state, "Metadata"));
        }
        Ok(state.broker.partitions(name).map(|partitions| TopicInfo {
            partitions,
            message_bytes_max: None,
            config: Vec::new(),
        }))
    }

    fn create_topics(&mut self, topics: &[TopicSpec]) -> Result<(), Error> {
        let mut state = self.world.call("create");
        for spec in topics {
            state.broker.create(&spec.name, spec.partitions);
        }
        Ok(())
    }

    fn topic_names(&mut self, prefix: &str) -> Result<Vec<String>, Error> {
        let state = self.world.call("names");
        let names = state.broker.names().filter(|name| name.starts_with(prefix));
        Ok(names.cloned().collect())
    }
}
