//! The oracle of chaos: every saga's end against its case and the ledger, every command once, history in order, store as the journal.
//!
//! Absent on purpose: anything a Skald process says about itself, and time.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use connectors::redis::RedisStore;
use connectors::store::{Load, Store};
use saga_lib::instance::Status;

use super::books::{Books, Image};
use super::ledger::Account;
use super::sagas::Case;
use super::site::Site;
use crate::world::{LANES, World};

/// What was counted, and what is wrong.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Sagas by final status.
    pub ends: BTreeMap<&'static str, u64>,
    /// Sagas that were removed at the end of their retention.
    pub expired: u64,
    /// Sagas of which nothing is known.
    pub lost: u64,
    /// Commands, counted by (command id, attempt).
    pub commands: u64,
    /// Pairs that were visible more than once.
    pub doubled_commands: u64,
    /// Attempts beyond the first.
    pub re_sends: u64,
    /// Facts.
    pub facts: u64,
    /// Effects the participants made.
    pub effects: u64,
    /// Effects they compensated.
    pub compensations: u64,
    /// Effects that stand though they should not, or the other way round.
    pub wrong_effects: u64,
    /// Sentences.
    pub problems: Vec<String>,
}

impl Verdict {
    /// Looks at everything that sagas below `started` left behind.
    pub fn of(site: &Site, seed: u64, started: u64, books: &mut Books) -> Self {
        let mut account = Account::default();
        for file in site.ledgers() {
            account.add(&file);
        }
        let mut verdict = Self::default();
        verdict.books(books);
        verdict.ends(seed, started, books, &account);
        verdict.ledger(&account);
        verdict.store(&site.world, books);
        verdict
    }

    /// What the books found by themselves, once nothing is left to read.
    fn books(&mut self, books: &mut Books) {
        let begun = Instant::now();
        while !books.follow() {
            if begun.elapsed() > SETTLED {
                self.wrong("something is held up by an open transaction, or cannot be read".into());
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        (self.commands, self.re_sends) = (books.commands, books.re_sends);
        (self.facts, self.doubled_commands) = (books.facts, books.doubled_commands);
        self.problems.extend(books.problems.iter().cloned());
    }

    fn wrong(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// P1, P4: one end each, the one that the case allows, and the effects that belong to it.
    fn ends(&mut self, seed: u64, started: u64, books: &Books, account: &Account) {
        let mut known = 0;
        for case in (0..started).map(|number| Case::of(seed, number)) {
            let id = case.id();
            let Some(status) = books.status(&id) else {
                self.lost += 1;
                self.wrong(format!("{id} is lost"));
                continue;
            };
            known += 1;
            *self.ends.entry(status.word()).or_default() += 1;
            if !case.ends().contains(&status) {
                self.wrong(format!("{id} {case:?} is {}", status.word()));
            }
            self.effects_of(case, status, account);
        }
        self.expired = books.gone.len() as u64;
        let others = books.images.len() + books.gone.len() - known;
        if others > 0 {
            self.wrong(format!("{others} sagas were started by nobody"));
        }
    }

    fn effects_of(&mut self, case: Case, status: Status, account: &Account) {
        let id = case.id();
        let expected = if status == Status::Completed {
            case.standing()
        } else {
            &[]
        };
        let standing = account.standing(&id);
        // An execution number in a step (`take#2`) is as wrong as another step.
        if standing != expected {
            self.wrong_effects += 1;
            let word = status.word();
            self.wrong(format!(
                "{id} {case:?} is {word}, and these effects stand: {standing:?}"
            ));
        }
    }

    /// P3: each effect is made once and compensated once at most.
    fn ledger(&mut self, account: &Account) {
        (self.effects, self.compensations) = (account.effects, account.compensations);
        let stand: usize = account.standing.values().map(Vec::len).sum();
        if account.effects != account.compensations + stand as u64 {
            self.wrong(format!("the ledger does not add up: {stand} effects stand"));
        }
        for doubled in &account.doubled {
            self.wrong(format!("in the ledger: {doubled}"));
        }
    }

    /// P9: the store is the journal's fold.
    fn store(&mut self, world: &World, books: &Books) {
        let differing = settled(world, books);
        if !differing.is_empty() {
            let (count, some) = (differing.len(), &differing[..differing.len().min(5)]);
            self.wrong(format!(
                "store and journal differ in {count} sagas: {some:?}"
            ));
        }
    }
}

/// Sagas whose documents in the store are not those of the journal, once the store had time to settle.
pub fn differing(world: &World) -> Vec<String> {
    let mut books = Books::of_journal(world);
    let read = || books.follow().then_some(());
    crate::harness::eventually("the journal is read", SETTLED, read);
    settled(world, &books)
}

fn settled(world: &World, books: &Books) -> Vec<String> {
    let mut store = RedisStore::open(&world.store(), &world.app).expect("the store answers");
    let begun = Instant::now();
    loop {
        let differing = differing_now(&mut store, books);
        // The last store commit goes out when its worker is idle.
        if differing.is_empty() || begun.elapsed() > SETTLED {
            return differing;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Ids whose documents differ, or are only in one of both.
fn differing_now(store: &mut RedisStore, books: &Books) -> Vec<String> {
    let mut left: HashMap<&str, u64> = HashMap::new();
    left.extend(
        books
            .images
            .iter()
            .map(|(id, image)| (id.as_str(), image.hash)),
    );
    let mut differing = Vec::new();
    for lane in 0..LANES {
        for (id, document) in documents(store, lane) {
            if left.remove(id.as_str()) != Some(Image::of(&document).hash) {
                differing.push(id);
            }
        }
    }
    differing.extend(left.into_keys().map(str::to_owned));
    differing
}

fn documents(store: &mut RedisStore, lane: u32) -> Vec<(String, Vec<u8>)> {
    let (mut documents, mut cursor) = (Vec::new(), 0);
    loop {
        let (ids, next) = store.scan(lane, cursor).expect("a page");
        for ids in ids.chunks(200) {
            let load = Load {
                lane,
                ids: ids.to_vec(),
            };
            let (_, loaded) = store.round(&[], &[load]).expect("documents");
            let found = ids.iter().cloned().zip(loaded[0].documents.clone());
            documents.extend(found.filter_map(|(id, document)| Some((id, document?))));
        }
        cursor = next;
        if cursor == 0 {
            // A page may repeat what another one had.
            documents.sort_unstable();
            documents.dedup();
            return documents;
        }
    }
}

/// How long a worker may take to write what it has committed.
const SETTLED: Duration = Duration::from_secs(30);
