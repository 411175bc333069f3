//! One consumer group: members, generations, range assignment, and committed offsets.
//!
//! A change of membership takes effect at once: the generation rises, and each member learns of it at its next poll. Kafka waits for
//! the members to rejoin first; being quicker is the harder case for a member, and a legal one (it is what a member meets that did not
//! rejoin in time).
//!
//! Absent on purpose: heartbeats (only a poll shows life), static membership, and expiry of offsets.

use std::collections::BTreeMap;

use schemas::record::Partition;

use super::waiters::Waiters;
use crate::log::{Committed, Error};

/// A group.
#[derive(Debug, Default)]
pub(super) struct Group {
    generation: u64,
    members: BTreeMap<u64, Member>,
    /// Membership or subscriptions changed since the last assignment.
    unsettled: bool,
    /// Version of the topics at the last assignment.
    topics_version: u64,
    offsets: BTreeMap<Partition, Committed>,
    /// Offsets of open transactions, by transaction.
    pending: BTreeMap<u64, BTreeMap<Partition, Committed>>,
    /// Members that wait for a change, and readers of offsets that wait for a transaction.
    pub(super) waiters: Waiters,
}

/// A member.
#[derive(Debug)]
struct Member {
    topics: Vec<String>,
    session_ms: i64,
    polled_ms: i64,
    partitions: Vec<Partition>,
}

impl Group {
    /// A new member joins.
    pub(super) fn join(&mut self, id: u64, topics: &[String], session_ms: i64, now_ms: i64) {
        let member = Member {
            topics: topics.to_vec(),
            session_ms,
            polled_ms: now_ms,
            partitions: Vec::new(),
        };
        self.members.insert(id, member);
        self.unsettled = true;
    }

    /// A member leaves.
    pub(super) fn leave(&mut self, id: u64) {
        if self.members.remove(&id).is_some() {
            self.unsettled = true;
            self.waiters.wake();
        }
    }

    /// A member shows life; `false` if the group has forgotten it. Silent members are removed here.
    pub(super) fn touch(&mut self, id: u64, now_ms: i64) -> bool {
        let Some(member) = self.members.get_mut(&id) else {
            return false;
        };
        member.polled_ms = now_ms;
        let before = self.members.len();
        self.members
            .retain(|_, member| now_ms - member.polled_ms < member.session_ms);
        self.unsettled |= self.members.len() != before;
        true
    }

    /// A member wants other topics.
    pub(super) fn subscribe(&mut self, id: u64, topics: &[String]) {
        if let Some(member) = self.members.get_mut(&id)
            && member.topics != topics
        {
            member.topics = topics.to_vec();
            self.unsettled = true;
            self.waiters.wake();
        }
    }

    /// Assigns anew, if anything changed that matters. `count` tells the partitions of a topic (0: it does not exist).
    pub(super) fn settle(&mut self, topics_version: u64, count: impl Fn(&str) -> u32) {
        if !self.unsettled && self.topics_version == topics_version {
            return;
        }
        let before = self.assignment();
        self.assign(&count);
        let changed = self.unsettled || self.assignment() != before;
        self.topics_version = topics_version;
        self.unsettled = false;
        if changed {
            self.generation += 1;
            self.waiters.wake();
        }
    }

    /// The generation.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// What a member owns.
    pub(super) fn partitions(&self, id: u64) -> Vec<Partition> {
        self.members
            .get(&id)
            .map(|member| member.partitions.clone())
            .unwrap_or_default()
    }

    /// Is this member of this generation still the group's?
    ///
    /// # Errors
    /// [`Error::Generation`].
    pub(super) fn check(&self, id: Option<u64>, generation: u64) -> Result<(), Error> {
        let known = id.is_some_and(|id| self.members.contains_key(&id));
        if known && generation == self.generation {
            return Ok(());
        }
        Err(Error::Generation {
            reason: format!(
                "member of generation {generation}, group at {}",
                self.generation
            ),
        })
    }

    /// Commits an offset.
    pub(super) fn commit(&mut self, partition: Partition, committed: Committed) {
        self.offsets.insert(partition, committed);
    }

    /// Notes an offset of an open transaction.
    pub(super) fn commit_later(
        &mut self,
        transaction: u64,
        partition: Partition,
        committed: Committed,
    ) {
        self.pending
            .entry(transaction)
            .or_default()
            .insert(partition, committed);
    }

    /// A transaction ends: its offsets count or are forgotten.
    pub(super) fn end(&mut self, transaction: u64, committed: bool) {
        let offsets = self.pending.remove(&transaction).unwrap_or_default();
        if committed {
            self.offsets.extend(offsets);
        }
        self.waiters.wake();
    }

    /// The stable committed offset.
    ///
    /// # Errors
    /// [`Error::Held`] while a transaction has an offset of this partition pending.
    pub(super) fn committed(&self, partition: &Partition) -> Result<Committed, Error> {
        if self
            .pending
            .values()
            .any(|offsets| offsets.contains_key(partition))
        {
            return Err(Error::Held);
        }
        Ok(self.offsets.get(partition).cloned().unwrap_or_default())
    }

    /// Forgets every committed offset, as a broker does after days without members.
    pub(super) fn forget_offsets(&mut self) {
        self.offsets.clear();
    }

    fn assignment(&self) -> Vec<Vec<Partition>> {
        self.members
            .values()
            .map(|m| m.partitions.clone())
            .collect()
    }

    fn assign(&mut self, count: &impl Fn(&str) -> u32) {
        for member in self.members.values_mut() {
            member.partitions.clear();
        }
        for topic in self.topics() {
            self.assign_range(&topic, count(&topic));
        }
    }

    fn topics(&self) -> Vec<String> {
        let mut topics: Vec<String> = self
            .members
            .values()
            .flat_map(|m| m.topics.clone())
            .collect();
        topics.sort();
        topics.dedup();
        topics
    }

    /// Range assignment: consecutive partitions, the first members get one more.
    fn assign_range(&mut self, topic: &str, count: u32) {
        let wanting = |member: &&mut Member| member.topics.iter().any(|t| t == topic);
        let mut members: Vec<&mut Member> = self.members.values_mut().filter(wanting).collect();
        let share = members.len();
        for (index, member) in members.iter_mut().enumerate() {
            let range = share_of(index, share, count as usize);
            let partitions = range.map(|n| Partition::new(topic, u32::try_from(n).unwrap_or(0)));
            member.partitions.extend(partitions);
        }
    }
}

fn share_of(index: usize, members: usize, count: usize) -> std::ops::Range<usize> {
    let (each, extra) = (count / members, count % members);
    let begin = index * each + index.min(extra);
    begin..begin + each + usize::from(index < extra)
}
