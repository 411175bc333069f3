//! Following topics from their beginning: every committed record is handed over once, whoever else reads.
//!
//! A follower is an oracle, so it trusts neither groups nor committed offsets: it keeps its own position in every partition.
//!
//! Absent on purpose: what records mean (see [`super::tally`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use connectors::log::{Class, Error, Log, Options};
use schemas::record::{Partition, Received};

/// Pause after a round without records.
const PAUSE: Duration = Duration::from_millis(2);
/// Records of one read at most.
const RECORDS_MAX: usize = 1_000;
/// How long a log may go without an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the last open transactions may take at the end.
const DRAIN: Duration = Duration::from_secs(10);

/// A thread that follows topics.
pub(super) struct Follower {
    thread: JoinHandle<Result<(), Error>>,
    stop: Arc<AtomicBool>,
}

impl Follower {
    /// Starts to follow topics, which exist.
    ///
    /// # Errors
    /// The log's.
    pub(super) fn start<L: Log>(
        cluster: &L::Cluster,
        name: &str,
        topics: &[String],
        each: impl FnMut(&Received) + Send + 'static,
    ) -> Result<Self, Error> {
        let mut tail = Tail::<L, _>::open(cluster, name, topics, each)?;
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        let named = std::thread::Builder::new().name(name.to_owned());
        let thread = named.spawn(move || tail.follow(&asked));
        let thread = thread.expect("the system can start a thread");
        Ok(Self { thread, stop })
    }

    /// Has it ended by itself? Then something is wrong, and [`Follower::stop`] tells what.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Reads what is there to its end and stops.
    ///
    /// # Errors
    /// The log's.
    pub(super) fn stop(self) -> Result<(), Error> {
        self.stop.store(true, Ordering::SeqCst);
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Own positions in all partitions of some topics.
struct Tail<L: Log, F> {
    log: L,
    positions: Vec<(Partition, i64)>,
    each: F,
}

impl<L: Log, F: FnMut(&Received)> Tail<L, F> {
    fn open(cluster: &L::Cluster, name: &str, topics: &[String], each: F) -> Result<Self, Error> {
        let options = Options {
            client_id: name.to_owned(),
            ..Options::default()
        };
        let mut log = L::open(cluster, &options)?;
        let mut positions = Vec::new();
        for topic in topics {
            let partitions = log.topic(topic)?.map_or(0, |info| info.partitions);
            positions.extend((0..partitions).map(|number| (Partition::new(topic, number), 0)));
        }
        Ok(Self {
            log,
            positions,
            each,
        })
    }

    fn follow(&mut self, asked: &AtomicBool) -> Result<(), Error> {
        let mut answered = Instant::now();
        while !asked.load(Ordering::SeqCst) {
            match self.round() {
                Ok(true) => answered = Instant::now(),
                Ok(false) => {
                    answered = Instant::now();
                    std::thread::sleep(PAUSE);
                }
                Err(error) if is_passing(&error) && answered.elapsed() < PATIENCE => {
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
        self.drain()
    }

    /// Reads every partition once; false if there was nothing.
    fn round(&mut self) -> Result<bool, Error> {
        let mut some = false;
        for (partition, next) in &mut self.positions {
            let chunk = self
                .log
                .read(partition, *next, i64::MAX, RECORDS_MAX, Duration::ZERO)?;
            some |= !chunk.records.is_empty();
            *next = chunk.next;
            chunk.records.iter().for_each(&mut self.each);
        }
        Ok(some)
    }

    /// Reads until every partition's end, beyond which nobody writes any more.
    fn drain(&mut self) -> Result<(), Error> {
        let until = Instant::now() + DRAIN;
        while (self.round()? || !self.is_at_end()?) && Instant::now() < until {
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn is_at_end(&mut self) -> Result<bool, Error> {
        for (partition, next) in &self.positions {
            if self.log.extent(partition)?.end > *next {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn is_passing(error: &Error) -> bool {
    matches!(error.class(), Class::Retry | Class::Doubt)
}
