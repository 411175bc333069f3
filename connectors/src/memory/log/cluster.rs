//! The memory cluster: what memory logs are opened on, and what a test may do to it behind their backs.
//!
//! Absent on purpose: durability, and any limit of memory. Nothing is ever removed but by [`MemoryCluster::compact`],
//! [`MemoryCluster::truncate`] and [`MemoryCluster::delete_topic`].

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemas::record::Partition;

use super::clock::Clock;
use super::state::State;

/// A Kafka cluster in memory. Clones are handles to the same one. **Not durable.**
#[derive(Debug, Clone)]
pub struct MemoryCluster(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    state: Mutex<State>,
}

impl MemoryCluster {
    /// An empty cluster on the system clock.
    pub fn new() -> Self {
        Self::with_clock(Clock::system())
    }

    /// An empty cluster on this clock.
    pub fn with_clock(clock: impl Into<Clock>) -> Self {
        Self(Arc::new(Shared {
            clock: clock.into(),
            state: Mutex::default(),
        }))
    }

    /// The time that records get.
    pub fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    /// Keeps the newest record per key of every partition, as if the cleaner had passed. Open transactions are not touched.
    pub fn compact(&self, topic: &str) {
        if let Some(topic) = self.lock().topics.get_mut(topic) {
            topic.partitions_mut().for_each(|log| log.compact());
        }
    }

    /// Removes the records of a partition below an offset, as retention does.
    pub fn truncate(&self, partition: &Partition, before: i64) {
        if let Some(log) = self.lock().partition_mut(partition) {
            log.truncate(before);
        }
    }

    /// Deletes a topic with everything in it.
    pub fn delete_topic(&self, topic: &str) {
        let mut state = self.lock();
        if let Some(mut topic) = state.topics.remove(topic) {
            state.topics_version += 1;
            topic.partitions_mut().for_each(|log| log.waiters.wake());
        }
    }

    /// Allows or forbids everybody to write to a topic.
    pub fn set_writable(&self, topic: &str, writable: bool) {
        if let Some(topic) = self.lock().topics.get_mut(topic) {
            topic.writable = writable;
        }
    }

    /// Forgets the committed offsets of a group, as a broker does after days without members.
    pub fn forget_offsets(&self, group: &str) {
        self.lock().group(group).forget_offsets();
    }

    /// Takes the lock. What time has ended by now is ended first, so no caller sees it.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere (a failed assertion of a test) must not take the whole cluster with it.
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut state);
        state
    }

    /// Gives the lock up until the bell rings, at most for `wait`.
    pub(super) fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        bell: &Condvar,
        wait: Duration,
    ) -> MutexGuard<'a, State> {
        let (mut state, _) = bell
            .wait_timeout(state, wait.min(LOOK_AGAIN))
            .unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut state);
        state
    }

    fn refresh(&self, state: &mut State) {
        state.now_ms = self.0.clock.now_ms();
        state.expire();
    }
}

impl Default for MemoryCluster {
    fn default() -> Self {
        Self::new()
    }
}

/// Time ends transactions and sessions without ringing a bell, so a sleeper looks again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
