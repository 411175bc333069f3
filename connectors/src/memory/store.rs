//! The store in memory: what the Redis store promises, without Redis.
//!
//! Not durable: it ends with the process. Values opened on clones of one [`MemoryStoreServer`] see the same content.
//! Absent on purpose: faults (the simulator puts them between the machine and the store) and eviction.

mod header;
mod lane;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::{Answer, Commit, Due, Error, Lease, Load, Loaded, Position, Store};
use lane::Lane;

/// The content that stores share.
#[derive(Debug, Clone, Default)]
pub struct MemoryStoreServer(Arc<Mutex<Content>>);

#[derive(Debug, Clone, Default)]
struct Content {
    lanes: BTreeMap<(String, u32), Lane>,
    leases: BTreeMap<(String, String), (String, Instant)>,
}

impl MemoryStoreServer {
    /// Loses everything at once, as `FLUSHALL` does.
    pub fn flush_all(&self) {
        *self.content() = Content::default();
    }

    /// A copy that shares nothing with this one: what a dump holds.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.content().clone())))
    }

    /// Goes back to what a copy holds: everything written since is lost.
    pub fn restore(&self, copy: &Self) {
        let content = copy.content().clone();
        *self.content() = content;
    }

    /// Loses one document but not its timer entry, as damage does.
    pub fn lose_document(&self, app: &str, lane: u32, id: &str) {
        if let Some(lane) = self.content().lanes.get_mut(&(app.to_owned(), lane)) {
            lane.documents.remove(id);
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // A panic of another thread cannot leave half a change behind: every check comes before the first write.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One worker's view of a [`MemoryStoreServer`].
#[derive(Debug)]
pub struct MemoryStore {
    server: MemoryStoreServer,
    app: String,
}

impl MemoryStore {
    /// Reads or changes a lane; one that nobody wrote is empty.
    fn with<T>(&self, lane: u32, act: impl FnOnce(&mut Lane) -> T) -> T {
        let mut content = self.server.content();
        act(content.lanes.entry((self.app.clone(), lane)).or_default())
    }

    fn lease_key(&self, name: &str) -> (String, String) {
        (self.app.clone(), name.to_owned())
    }
}

impl Store for MemoryStore {
    type Server = MemoryStoreServer;

    fn open(server: &MemoryStoreServer, app: &str) -> Result<Self, Error> {
        Ok(Self {
            server: server.clone(),
            app: app.to_owned(),
        })
    }

    fn claim(&mut self, lane: u32, owner: &str) -> Result<Position, Error> {
        Ok(self.with(lane, |lane| lane.claim(owner)))
    }

    fn round(
        &mut self,
        commits: &[Commit],
        loads: &[Load],
    ) -> Result<(Vec<Answer>, Vec<Loaded>), Error> {
        let commit = |c: &Commit| self.with(c.lane, |lane| lane.commit(c));
        // As in a pipeline, a failed commit keeps none of the others from being executed.
        let answers: Vec<_> = commits.iter().map(commit).collect();
        let load = |l: &Load| self.with(l.lane, |lane| lane.load(&l.ids));
        let loaded = loads.iter().map(load).collect();
        let answers: Result<_, _> = answers.into_iter().collect();
        Ok((answers?, loaded))
    }

    fn position(&mut self, lane: u32) -> Result<Position, Error> {
        Ok(self.with(lane, |lane| lane.position.clone()))
    }

    fn clear(&mut self, lane: u32, ep: u64, at_ms: i64, max: usize) -> Result<bool, Error> {
        self.with(lane, |content| {
            content.check_epoch(lane, ep)?;
            Ok(content.clear(at_ms, max))
        })
    }

    fn due_ids(
        &mut self,
        lane: u32,
        from_ms: Option<i64>,
        until_ms: i64,
        max: usize,
    ) -> Result<Vec<(String, i64)>, Error> {
        Ok(self.with(lane, |lane| lane.due_ids(from_ms, until_ms, max)))
    }

    fn due_of(&mut self, lane: u32, ids: Vec<String>, until_ms: i64) -> Result<Vec<Due>, Error> {
        Ok(self.with(lane, |lane| lane.due_of(ids, until_ms)))
    }

    fn document(&mut self, lane: u32, id: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.with(lane, |lane| lane.documents.get(id).cloned()))
    }

    fn ids(
        &mut self,
        lane: u32,
        definition: &str,
        status: char,
        max: usize,
    ) -> Result<Vec<String>, Error> {
        Ok(self.with(lane, |lane| lane.ids(definition, status, max)))
    }

    fn scan(&mut self, lane: u32, cursor: u64) -> Result<(Vec<String>, u64), Error> {
        Ok(self.with(lane, |lane| lane.scan(cursor)))
    }

    fn counters(&mut self, lane: u32) -> Result<BTreeMap<String, i64>, Error> {
        Ok(self.with(lane, |lane| lane.counters.clone()))
    }

    fn lease(&mut self, name: &str, holder: &str, ttl: Duration) -> Result<Lease, Error> {
        let (key, now) = (self.lease_key(name), Instant::now());
        let mut content = self.server.content();
        if let Some((other, until)) = content.leases.get(&key)
            && other != holder
            && *until > now
        {
            return Ok(Lease::Foreign(other.clone()));
        }
        content.leases.insert(key, (holder.to_owned(), now + ttl));
        Ok(Lease::Held)
    }

    fn release(&mut self, name: &str, holder: &str) -> Result<(), Error> {
        let key = self.lease_key(name);
        let mut content = self.server.content();
        if content.leases.get(&key).is_some_and(|(h, _)| h == holder) {
            content.leases.remove(&key);
        }
        Ok(())
    }
}
