//! A consumer group: members, generations, assignments and offsets.
//!
//! Absent on purpose: protocols of joining. A member learns of a new generation by its next poll; until then it goes on with the old
//! one, and offsets that it sends are refused.

use std::collections::BTreeMap;

use connectors::log::{Committed, Error};
use schemas::record::Partition;

use super::broker::Transaction;

/// Who is silent for longer loses its partitions, ms.
pub const SESSION_MS: i64 = 2000;

/// A member.
#[derive(Debug, Clone, Default)]
struct Member {
    topics: Vec<String>,
    silent_since: Option<i64>,
}

/// An offset of a transaction that is not decided.
#[derive(Debug)]
struct Pending {
    transaction: Transaction,
    partition: Partition,
    committed: Committed,
}

/// One group.
#[derive(Debug, Default)]
pub struct Group {
    members: BTreeMap<u64, Member>,
    joined: u64,
    /// Rises with every change of the members.
    pub generation: u64,
    turned: usize,
    offsets: BTreeMap<Partition, Committed>,
    pending: Vec<Pending>,
}

impl Group {
    /// A member joins.
    pub fn join(&mut self, topics: &[String]) -> u64 {
        self.joined += 1;
        self.generation += 1;
        let member = Member {
            topics: topics.to_vec(),
            silent_since: None,
        };
        self.members.insert(self.joined, member);
        self.joined
    }

    /// A member leaves or is removed.
    pub fn leave(&mut self, member: u64) {
        if self.members.remove(&member).is_some() {
            self.generation += 1;
        }
    }

    /// Is it a member?
    pub fn has(&self, member: u64) -> bool {
        self.members.contains_key(&member)
    }

    /// Nothing is heard of it any more, or it is heard again.
    pub fn silent(&mut self, member: u64, since_ms: Option<i64>) {
        if let Some(member) = self.members.get_mut(&member) {
            member.silent_since = since_ms;
        }
    }

    /// Removes members that were silent for too long. Did anybody go?
    pub fn evict(&mut self, now_ms: i64) -> bool {
        let before = self.members.len();
        let heard = |m: &Member| m.silent_since.is_none_or(|s| now_ms - s < SESSION_MS);
        self.members.retain(|_, member| heard(member));
        let gone = self.members.len() < before;
        self.generation += u64::from(gone);
        gone
    }

    /// When the next silent member goes.
    pub fn next_eviction(&self) -> Option<i64> {
        let silent = self.members.values().filter_map(|m| m.silent_since);
        silent.map(|since| since + SESSION_MS).min()
    }

    /// Moves partitions to other members.
    pub fn turn(&mut self) {
        self.turned += 1;
        self.generation += 1;
    }

    /// The part of a member.
    pub fn assigned(&self, member: u64, partitions: impl Fn(&str) -> u32) -> Vec<Partition> {
        let Some(at) = self.members.keys().position(|m| *m == member) else {
            return Vec::new();
        };
        let (count, topics) = (self.members.len(), &self.members[&member].topics);
        let all = topics.iter().flat_map(|topic| {
            (0..partitions(topic)).map(move |number| Partition::new(topic.clone(), number))
        });
        all.filter(|p| (p.number as usize + self.turned) % count == at)
            .collect()
    }

    /// Is this the generation of this member?
    ///
    /// # Errors
    /// [`Error::Generation`].
    pub fn check(&self, member: u64, generation: u64) -> Result<(), Error> {
        if self.has(member) && self.generation == generation {
            return Ok(());
        }
        Err(Error::Generation {
            reason: format!(
                "{generation} of member {member}, the group is at {}",
                self.generation
            ),
        })
    }

    /// The stable offset.
    ///
    /// # Errors
    /// [`Error::Held`].
    pub fn committed(&self, partition: &Partition) -> Result<Committed, Error> {
        if self.pending.iter().any(|p| p.partition == *partition) {
            return Err(Error::Held);
        }
        Ok(self.offsets.get(partition).cloned().unwrap_or_default())
    }

    /// Commits an offset with a transaction.
    pub fn commit_later(&mut self, number: Transaction, partition: &Partition, to: i64, id: &str) {
        self.pending.push(Pending {
            transaction: number,
            partition: partition.clone(),
            committed: Committed {
                offset: Some(to),
                metadata: id.to_owned(),
            },
        });
    }

    /// A transaction is decided, and so are its offsets.
    pub fn decided(&mut self, transaction: Transaction, committed: bool) {
        for pending in self
            .pending
            .extract_if(.., |p| p.transaction == transaction)
        {
            if committed {
                self.offsets.insert(pending.partition, pending.committed);
            }
        }
    }
}
