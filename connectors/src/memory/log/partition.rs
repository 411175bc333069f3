//! One partition: records and control markers in order, with the transactions that are open on it.
//!
//! A read_committed reader sees what lies below the last stable offset (the first record of the oldest open transaction) and was not
//! aborted. A marker occupies an offset, as in Kafka.
//!
//! Absent on purpose: read_uncommitted, and retention by time or size.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use schemas::record::Received;

use super::waiters::Waiters;
use crate::log::{Bounds, Extent};

/// The log of one partition.
#[derive(Debug, Default)]
pub(super) struct PartitionLog {
    begin: i64,
    next: i64,
    newest_ms: i64,
    entries: VecDeque<Entry>,
    /// Open transactions with the offset of their first record here.
    open: BTreeMap<u64, i64>,
    aborted: BTreeSet<u64>,
    /// Readers that wait for something to become readable.
    pub(super) waiters: Waiters,
}

/// One occupied offset.
#[derive(Debug)]
struct Entry {
    offset: i64,
    transaction: Option<u64>,
    content: Content,
}

/// What occupies an offset.
#[derive(Debug)]
enum Content {
    Record(Arc<Received>),
    Marker,
}

impl PartitionLog {
    /// Appends a record; its offset and time are set here. Times never go back within a partition.
    pub(super) fn append(
        &mut self,
        mut record: Received,
        transaction: Option<u64>,
        now_ms: i64,
    ) -> i64 {
        self.newest_ms = self.newest_ms.max(now_ms);
        record.offset = self.next;
        record.timestamp_ms = self.newest_ms;
        if let Some(number) = transaction {
            self.open.entry(number).or_insert(self.next);
        }
        let offset = self.push(transaction, Content::Record(Arc::new(record)));
        self.waiters.wake();
        offset
    }

    /// Ends a transaction with a marker, if it wrote here.
    pub(super) fn end(&mut self, transaction: u64, committed: bool) {
        if self.open.remove(&transaction).is_none() {
            return;
        }
        if !committed {
            self.aborted.insert(transaction);
        }
        self.push(Some(transaction), Content::Marker);
        self.waiters.wake();
    }

    /// Keeps the newest record of each key, and every record without key. Only what is stable is touched.
    pub(super) fn compact(&mut self) {
        let stable_end = self.stable_end();
        let newest = self.newest_per_key(stable_end);
        let aborted = &self.aborted;
        self.entries
            .retain(|entry| entry.offset >= stable_end || survives(entry, aborted, &newest));
    }

    /// Removes what lies below `before`, as retention does.
    pub(super) fn truncate(&mut self, before: i64) {
        self.begin = self.begin.max(before.min(self.next));
        let begin = self.begin;
        self.entries.retain(|entry| entry.offset >= begin);
    }

    /// Beginning and ends.
    pub(super) fn extent(&self) -> Extent {
        Extent {
            begin: self.begin,
            end: self.next,
            stable_end: self.stable_end(),
        }
    }

    /// Is `offset` one that a reader may stand at?
    pub(super) fn contains(&self, offset: i64) -> bool {
        (self.begin..=self.next).contains(&offset)
    }

    /// Collects committed records in [from, to) while the budget lasts; answers the position after the last thing read.
    pub(super) fn fetch(
        &self,
        from: i64,
        to: i64,
        budget: &mut Budget,
        records: &mut Vec<Arc<Received>>,
    ) -> i64 {
        let to = to.min(self.stable_end());
        let first = self.entries.partition_point(|entry| entry.offset < from);
        for entry in self.entries.range(first..) {
            if entry.offset >= to {
                break;
            }
            let Some(record) = entry.committed(&self.aborted) else {
                continue;
            };
            if !budget.take(record) {
                return entry.offset;
            }
            records.push(Arc::clone(record));
        }
        to.max(from)
    }

    /// The first offset of a record at or after `time_ms`, else the end.
    pub(super) fn offset_at(&self, time_ms: i64) -> i64 {
        let at = |entry: &Entry| match &entry.content {
            Content::Record(record) if record.timestamp_ms >= time_ms => Some(entry.offset),
            _ => None,
        };
        self.entries.iter().find_map(at).unwrap_or(self.next)
    }

    fn stable_end(&self) -> i64 {
        self.open.values().copied().min().unwrap_or(self.next)
    }

    fn push(&mut self, transaction: Option<u64>, content: Content) -> i64 {
        let offset = self.next;
        self.entries.push_back(Entry {
            offset,
            transaction,
            content,
        });
        self.next += 1;
        offset
    }

    fn newest_per_key(&self, stable_end: i64) -> HashMap<Vec<u8>, i64> {
        self.entries
            .iter()
            .filter(|entry| entry.offset < stable_end)
            .filter_map(|entry| entry.committed(&self.aborted))
            .filter_map(|record| Some((record.key.clone()?, record.offset)))
            .collect()
    }
}

impl Entry {
    /// The record, unless it is a marker or was aborted. Whether it is stable is for the caller to know.
    fn committed(&self, aborted: &BTreeSet<u64>) -> Option<&Arc<Received>> {
        match &self.content {
            Content::Record(record) => {
                let visible = self.transaction.is_none_or(|t| !aborted.contains(&t));
                visible.then_some(record)
            }
            Content::Marker => None,
        }
    }
}

/// Does a stable entry outlive compaction?
fn survives(entry: &Entry, aborted: &BTreeSet<u64>, newest: &HashMap<Vec<u8>, i64>) -> bool {
    match entry.committed(aborted) {
        None => false,
        Some(record) => match &record.key {
            None => true,
            Some(key) => newest.get(key) == Some(&entry.offset),
        },
    }
}

/// What may still be taken in one poll or read. The first record is always taken.
#[derive(Debug)]
pub(super) struct Budget {
    records: usize,
    bytes: usize,
    first: bool,
}

impl Budget {
    /// The budget of a poll.
    pub(super) fn of(bounds: Bounds) -> Self {
        Self {
            records: bounds.records.max(1),
            bytes: bounds.bytes,
            first: true,
        }
    }

    /// A budget that counts records only.
    pub(super) fn records(records: usize) -> Self {
        Self {
            records: records.max(1),
            bytes: usize::MAX,
            first: true,
        }
    }

    fn take(&mut self, record: &Received) -> bool {
        let size =
            record.key.as_ref().map_or(0, Vec::len) + record.value.as_ref().map_or(0, Vec::len);
        if self.records == 0 || (size > self.bytes && !self.first) {
            return false;
        }
        self.records -= 1;
        self.bytes = self.bytes.saturating_sub(size);
        self.first = false;
        true
    }
}
