//! The memory store.
//!
//! Absent on purpose: durability.

use connectors::memory::store::{MemoryStore, MemoryStoreServer};
use connectors::store::{Position, Store};
use tests::conformance::store::Fixture;
use tests::store_conformance;

#[derive(Default)]
struct Memory(MemoryStoreServer);

impl Fixture for Memory {
    type Store = MemoryStore;

    fn server(&self) -> MemoryStoreServer {
        self.0.clone()
    }

    fn lose_document(&self, app: &str, lane: u32, id: &str) {
        self.0.lose_document(app, lane, id);
    }
}

store_conformance!(Memory::default());

#[test]
fn flush_all_loses_everything() {
    let memory = Memory::default();
    let mut store = MemoryStore::open(&memory.server(), "skald").unwrap();
    store.claim(0, "a").unwrap();
    memory.0.flush_all();
    assert_eq!(store.position(0), Ok(Position::default()));
}

#[test]
fn threads_share_the_content() {
    let memory = Memory::default();
    let claim = |_| {
        let server = memory.server();
        std::thread::spawn(move || {
            let mut store = MemoryStore::open(&server, "skald").unwrap();
            store.claim(0, "a").unwrap().ep
        })
    };
    let threads: Vec<_> = (0..8).map(claim).collect();
    let mut epochs: Vec<u64> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    epochs.sort_unstable();
    assert_eq!(epochs, (1..=8).collect::<Vec<u64>>());
}
