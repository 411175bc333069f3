//! What is known of ids, and what somebody waits for.
//!
//! Absent on purpose: time limits on schemas, whose ids are immutable.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use schemas::avro::Schema;
use schemas::event::Found;

/// Most ids that are known or waited for.
pub const ENTRIES_MAX: usize = 1_000;

/// Most bytes of schema texts that are kept.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;

/// How long the registry's word counts that it has no such schema: it may be registered yet.
const NEVER_FOR: Duration = Duration::from_secs(60);

/// Ids beyond this are no registry's (they are 32 bits with a sign); asking for one would only make it stumble.
const ID_MAX: u32 = i32::MAX.cast_unsigned();

#[derive(Debug, Default)]
pub(super) struct Cache {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<u32, Entry>,
    queue: VecDeque<u32>,
    /// Counts look-ups, so that what was not used for longest is known.
    used: u64,
    bytes: usize,
    trouble: Option<String>,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    known: Known,
    used: u64,
}

#[derive(Debug)]
enum Known {
    Waiting,
    Schema { schema: Arc<Schema>, bytes: usize },
    Never { reason: String, since: Instant },
}

impl Cache {
    /// What is known; an unknown id is put on the list of those to ask for.
    pub(super) fn find(&self, id: u32) -> Found {
        if id > ID_MAX {
            return Found::Never(format!(
                "{id} is no schema id: no registry gives such a one"
            ));
        }
        let mut state = self.lock();
        state.used += 1;
        let used = state.used;
        if let Some(entry) = state.entries.get_mut(&id) {
            entry.used = used;
            match &entry.known {
                Known::Schema { schema, .. } => return Found::Schema(schema.clone()),
                Known::Waiting => return Found::NotYet,
                Known::Never { reason, since } if since.elapsed() < NEVER_FOR => {
                    return Found::Never(reason.clone());
                }
                Known::Never { .. } => entry.known = Known::Waiting,
            }
        } else if !state.admit(id) {
            return Found::NotYet;
        }
        state.queue.push_back(id);
        self.changed.notify_all();
        Found::NotYet
    }

    /// The next id to ask for; waits for one. `None`: nobody wants any more.
    pub(super) fn next(&self) -> Option<u32> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(id) = state.queue.pop_front() {
                return Some(id);
            }
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn put(&self, id: u32, schema: Schema, bytes: usize) {
        let mut state = self.lock();
        state.trouble = None;
        state.bytes += bytes;
        let schema = Arc::new(schema);
        state.set(id, Known::Schema { schema, bytes });
        while state.bytes > BYTES_MAX && state.evict(id) {}
    }

    pub(super) fn never(&self, id: u32, reason: String) {
        let mut state = self.lock();
        state.trouble = None;
        let since = Instant::now();
        state.set(id, Known::Never { reason, since });
    }

    /// The registry does not answer: the id is asked for again, behind the others, after a pause that ends early on closing.
    pub(super) fn later(&self, id: u32, trouble: String, pause: Duration) {
        let mut state = self.lock();
        state.queue.push_back(id);
        state.trouble = Some(trouble);
        let until = Instant::now() + pause;
        while !state.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Makes room for an id. There is none while everything kept is waited for.
    fn admit(&mut self, id: u32) -> bool {
        // One more may be on its way. Without looking through the entries: a flood must stay cheap.
        if self.queue.len() + 1 >= ENTRIES_MAX {
            return false;
        }
        while self.entries.len() >= ENTRIES_MAX {
            if !self.evict(id) {
                return false;
            }
        }
        self.set(id, Known::Waiting);
        true
    }

    fn set(&mut self, id: u32, known: Known) {
        let used = self.used;
        self.entries.insert(id, Entry { known, used });
    }

    /// Drops what was not used for longest, but not `keep`.
    fn evict(&mut self, keep: u32) -> bool {
        let idle = self
            .entries
            .iter()
            .filter(|(id, entry)| **id != keep && !matches!(entry.known, Known::Waiting));
        let Some(id) = idle.min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id) else {
            return false;
        };
        if let Some(Entry {
            known: Known::Schema { bytes, .. },
            ..
        }) = self.entries.remove(&id)
        {
            self.bytes -= bytes;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(cache: &Cache, id: u32, bytes: usize) {
        assert_eq!(cache.find(id), Found::NotYet);
        assert_eq!(cache.next(), Some(id));
        let schema = Schema::parse("\"int\"").expect("a schema");
        cache.put(id, schema, bytes);
    }

    fn has(cache: &Cache, id: u32) -> bool {
        cache.lock().entries.contains_key(&id)
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let cache = Cache::default();
        let max = u32::try_from(ENTRIES_MAX).expect("few");
        (0..max).for_each(|id| put(&cache, id, 1));
        assert!(matches!(cache.find(0), Found::Schema(_)));
        put(&cache, max, 1);
        assert!(has(&cache, 0) && !has(&cache, 1) && has(&cache, max));
        assert_eq!(cache.lock().entries.len(), ENTRIES_MAX);
    }

    #[test]
    fn large_schemas_are_counted_by_their_bytes() {
        let cache = Cache::default();
        (0..5).for_each(|id| put(&cache, id, BYTES_MAX / 2));
        assert!(!has(&cache, 2) && has(&cache, 3) && has(&cache, 4));
        assert_eq!(cache.lock().bytes, BYTES_MAX / 2 * 2);
    }

    #[test]
    fn a_flood_of_ids_is_bounded_and_nothing_that_is_waited_for_is_lost() {
        let cache = Cache::default();
        for id in 0..100_000 {
            assert_eq!(cache.find(id), Found::NotYet);
        }
        assert_eq!(cache.lock().queue.len(), ENTRIES_MAX - 1);
        assert_eq!(cache.lock().entries.len(), ENTRIES_MAX - 1);
        assert!(matches!(cache.find(u32::MAX), Found::Never(_)));
    }

    #[test]
    fn closing_ends_a_wait() {
        let cache = Cache::default();
        cache.close();
        assert_eq!(cache.next(), None);
        cache.later(1, String::new(), Duration::from_secs(600));
    }
}
