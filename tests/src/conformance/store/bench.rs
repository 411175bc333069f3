//! The workbench of the store checks: a store on a random application, and builders.
//!
//! Absent on purpose: checks.

use std::collections::BTreeMap;

use connectors::store::{Answer, Commit, Due, Load, Loaded, Position, Store};

/// The lane that most checks use.
pub const LANE: u32 = 3;

/// An implementation under test.
pub trait Fixture {
    /// The store.
    type Store: Store;

    /// What stores are opened on.
    fn server(&self) -> <Self::Store as Store>::Server;

    /// Loses a document but not its timer entry.
    fn lose_document(&self, app: &str, lane: u32, id: &str);
}

/// A store whose calls are expected to succeed.
pub struct Bench<S> {
    /// A random application name.
    pub app: String,
    /// The store.
    pub store: S,
}

impl<S: Store> Bench<S> {
    /// On a random application.
    pub fn new<F: Fixture<Store = S>>(fixture: &F) -> Self {
        let app = format!("app-{}", uuid::Uuid::new_v4().simple());
        let store = open(fixture, &app);
        Self { app, store }
    }

    /// Claims the lane.
    pub fn claim(&mut self) -> Position {
        self.store.claim(LANE, "engine-a").expect("a claim")
    }

    /// The lane's position.
    pub fn position(&mut self) -> Position {
        self.store.position(LANE).expect("a position")
    }

    /// Commits.
    pub fn commit(&mut self, commit: &Commit) -> Answer {
        let commits = std::slice::from_ref(commit);
        let (mut answers, _) = self.store.round(commits, &[]).expect("a round");
        answers.pop().expect("an answer per commit")
    }

    /// Commits these documents, from wherever the lane stands, and expects it to work.
    pub fn write(&mut self, documents: &[(&str, Option<Vec<u8>>)]) -> Position {
        let commit = with_documents(next(&self.position()), documents);
        assert_eq!(self.commit(&commit), Answer::Done);
        self.position()
    }

    /// Loads.
    pub fn load(&mut self, ids: &[&str]) -> Loaded {
        let load = load_of(LANE, ids);
        let (_, mut loaded) = self.store.round(&[], &[load]).expect("a round");
        loaded.pop().expect("an answer per load")
    }

    /// One document.
    pub fn document(&mut self, id: &str) -> Option<Vec<u8>> {
        self.store.document(LANE, id).expect("a document")
    }

    /// Ids by definition and status.
    pub fn ids(&mut self, definition: &str, status: char) -> Vec<String> {
        let ids = self.store.ids(LANE, definition, status, 100);
        ids.expect("ids")
    }

    /// Every id, by scanning.
    pub fn scan(&mut self) -> Vec<String> {
        let (mut all, mut cursor) = (Vec::new(), 0);
        loop {
            let (ids, next) = self.store.scan(LANE, cursor).expect("a page");
            all.extend(ids);
            cursor = next;
            if cursor == 0 {
                all.sort();
                all.dedup();
                return all;
            }
        }
    }

    /// Due entries.
    pub fn due(&mut self, until_ms: i64, max: usize) -> Vec<Due> {
        self.store.due(LANE, until_ms, max).expect("due entries")
    }

    /// Counters.
    pub fn counters(&mut self) -> BTreeMap<String, i64> {
        self.store.counters(LANE).expect("counters")
    }
}

/// A store of the fixture.
pub fn open<F: Fixture>(fixture: &F, app: &str) -> F::Store {
    F::Store::open(&fixture.server(), app).expect("an open store")
}

/// A document with a header, and a body that is not text.
pub fn document(revision: u32, target: &str, status: char) -> Vec<u8> {
    let mut bytes = format!("1M:{revision}:w{revision}:{target}:{status}:").into_bytes();
    bytes.extend([0x00, 0xff, b'\r', b'\n', b':', 0x80]);
    bytes.extend([b'x'; 200]);
    bytes
}

/// A commit from `position` to the next watermark and journal position, without documents.
pub fn next(position: &Position) -> Commit {
    Commit {
        lane: LANE,
        owner: "engine-a".to_owned(),
        ep: position.ep,
        wm: position.wm,
        jpos: position.jpos,
        wm_to: Some(position.wm.unwrap_or(0) + 10),
        jpos_to: Some(position.jpos.unwrap_or(0) + 7),
        at_ms: 1_790_000_000_000,
        installation: "installation".to_owned(),
        ..Commit::default()
    }
}

/// The same with documents.
pub fn with_documents(mut commit: Commit, documents: &[(&str, Option<Vec<u8>>)]) -> Commit {
    let owned = documents
        .iter()
        .map(|(id, d)| ((*id).to_owned(), d.clone()));
    commit.documents = owned.collect();
    commit
}

/// The same with counters.
pub fn with_counters(mut commit: Commit, counters: &[(&str, i64)]) -> Commit {
    let owned = counters.iter().map(|(name, n)| ((*name).to_owned(), *n));
    commit.counters = owned.collect();
    commit
}

/// What to load.
pub fn load_of(lane: u32, ids: &[&str]) -> Load {
    Load {
        lane,
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    }
}
