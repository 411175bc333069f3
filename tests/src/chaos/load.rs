//! Load: sagas that keep starting, each counted once Kafka acknowledged its event, and a look at how many ended.
//!
//! Absent on purpose: a fixed number under way by force; the rate gives way when too many are open.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use connectors::kafka::KafkaLog;
use connectors::log::{Log, Options};
use schemas::record::{Headers, Outgoing};

use super::books::Books;
use super::profile::Profile;
use super::sagas::Case;
use crate::world::{World, timeouts};

/// What those who start sagas and those who look at them share.
pub struct Flow {
    /// All sagas with a smaller number are acknowledged.
    started: AtomicU64,
    /// Sagas that ended once at least.
    ended: AtomicU64,
    /// Records seen.
    seen: AtomicU64,
    /// No further saga is to be started.
    full: AtomicBool,
    /// Nobody needs to look any more.
    over: AtomicBool,
    books: Mutex<Books>,
}

impl Flow {
    /// Nothing started.
    pub fn new(world: &World) -> Self {
        Self {
            started: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            full: AtomicBool::new(false),
            over: AtomicBool::new(false),
            books: Mutex::new(Books::new(world)),
        }
    }

    /// Records of all kinds that were seen.
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    /// Sagas started.
    pub fn started(&self) -> u64 {
        self.started.load(Ordering::SeqCst)
    }

    /// Sagas ended.
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }

    /// No further saga is to be started.
    pub fn stop_starting(&self) {
        self.full.store(true, Ordering::SeqCst);
    }

    /// Nobody needs to start or look any more.
    pub fn end(&self) {
        self.stop_starting();
        self.over.store(true, Ordering::SeqCst);
    }

    /// What was seen so far.
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("not poisoned")
    }

    /// Starts sagas until there are enough.
    pub fn start_sagas(&self, world: &World, seed: u64, profile: &Profile) {
        let begun = Instant::now();
        let mut log = None;
        while !self.full.load(Ordering::SeqCst) {
            let started = self.started();
            let due = begun.elapsed().as_millis() as u64 * profile.rate / 1_000;
            let open = started.saturating_sub(self.ended());
            let count = due.saturating_sub(started).min(BATCH_MAX);
            let count = count.min(OPEN_MAX.saturating_sub(open));
            if count > 0 {
                let numbers: Vec<u64> = (started..started + count).collect();
                if self.publish(world, &mut log, seed, numbers) {
                    self.started.fetch_add(count, Ordering::SeqCst);
                }
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Publishes these until each is acknowledged: some may stand there twice.
    fn publish(
        &self,
        world: &World,
        log: &mut Option<KafkaLog>,
        seed: u64,
        mut open: Vec<u64>,
    ) -> bool {
        while !open.is_empty() && !self.over.load(Ordering::SeqCst) {
            let Some(mut producer) = log.take().or_else(|| open_log(world)) else {
                std::thread::sleep(PAUSE);
                continue;
            };
            let acknowledged = publish_once(&mut producer, world, seed, &open);
            let all = acknowledged.len() == open.len();
            open.retain(|number| !acknowledged.contains(number));
            // What is wrong with a producer is not told here; a new one is as good as new.
            *log = all.then_some(producer);
        }
        open.is_empty()
    }

    /// Keeps the books until it is over.
    pub fn watch(&self) {
        while !self.over.load(Ordering::SeqCst) {
            let (ended, seen) = {
                let mut books = self.books();
                books.follow();
                (books.ended.len() as u64, books.records)
            };
            self.ended.store(ended, Ordering::SeqCst);
            self.seen.store(seen, Ordering::SeqCst);
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

fn open_log(world: &World) -> Option<KafkaLog> {
    let options = Options {
        client_id: "load".into(),
        timeouts: timeouts(),
        ..Options::default()
    };
    KafkaLog::open(&world.cluster(), &options).ok()
}

fn publish_once(log: &mut KafkaLog, world: &World, seed: u64, numbers: &[u64]) -> Vec<u64> {
    for number in numbers {
        // A record that cannot be handed over now stays open.
        let _ = log.produce_plain(&record(world, Case::of(seed, *number)), *number);
    }
    let deliveries = log.deliveries_plain(Duration::from_secs(5));
    let good = deliveries.into_iter().filter(|d| d.result.is_ok());
    good.map(|delivery| delivery.token).collect()
}

fn record(world: &World, case: Case) -> Outgoing {
    Outgoing {
        topic: format!("{}-starts", world.app),
        partition: None,
        key: Some(case.key().into_bytes()),
        value: Some(case.event().to_string().into_bytes()),
        headers: Headers::default().with("content-type", "application/json"),
    }
}

const PAUSE: Duration = Duration::from_millis(20);
const LOOK_EVERY: Duration = Duration::from_millis(200);
const BATCH_MAX: u64 = 100;
/// Sagas under way at most: enough to be struck at every stage, not so many that an outage piles up work for minutes.
const OPEN_MAX: u64 = 3_000;
