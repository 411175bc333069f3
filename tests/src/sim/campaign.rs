//! Many seeds, on every core: how many broke a promise, and what struck them.
//!
//! Absent on purpose: assertions, which are the callers'.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use saga_lib::mutant::{self, Mutant};

use super::chance::Limits;
use super::fault::KINDS;
use super::run::{Outcome, run};

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// First seed.
    pub first: u64,
    /// Seeds at most.
    pub seeds: u64,
    /// Time at most.
    pub time: Duration,
    /// Broken seeds after which it ends.
    pub broken: usize,
    /// A planted bug.
    pub mutant: Option<Mutant>,
}

impl Default for Campaign {
    fn default() -> Self {
        Self {
            first: 0,
            seeds: 1000,
            time: Duration::MAX,
            broken: 1,
            mutant: None,
        }
    }
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Report {
    /// Seeds that were run.
    pub seeds: u64,
    /// Faults that struck, by kind.
    pub struck: [u64; KINDS],
    /// Steps taken.
    pub steps: u64,
    /// Sagas that were asked for.
    pub sagas: u64,
    /// Broken seeds, and what was broken, in the order of seeds.
    pub broken: Vec<(u64, String)>,
    /// Seeds whose second run was another one.
    pub unsteady: Vec<u64>,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// How many faults struck.
    pub fn faults(&self) -> u64 {
        self.struck.iter().sum()
    }
}

/// One of so many seeds is run twice.
const TWICE: u64 = 100;

impl Campaign {
    /// Runs it.
    pub fn run(self) -> Report {
        let begun = Instant::now();
        let report = Mutex::new(Report {
            seeds: 0,
            struck: [0; KINDS],
            steps: 0,
            sagas: 0,
            broken: Vec::new(),
            unsteady: Vec::new(),
            took: Duration::ZERO,
        });
        let next = AtomicU64::new(0);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.work(&next, begun, &report));
            }
        });
        let mut report = report.into_inner().expect("no thread panicked");
        report.broken.sort();
        report.took = begun.elapsed();
        report
    }

    fn work(self, next: &AtomicU64, begun: Instant, report: &Mutex<Report>) {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= self.seeds || begun.elapsed() >= self.time {
                return;
            }
            let seed = self.first + at;
            let outcome = self.one(seed, Limits::default(), false);
            let steady = !at.is_multiple_of(TWICE)
                || self.one(seed, Limits::default(), false).trace == outcome.trace;
            let mut report = report.lock().expect("no thread panicked");
            report.add(seed, outcome, steady);
            if report.broken.len() >= self.broken {
                next.store(self.seeds, Ordering::Relaxed);
            }
        }
    }

    /// Runs one seed; a panic is a broken promise as well.
    pub fn one(self, seed: u64, limits: Limits, story: bool) -> Outcome {
        let act = || match self.mutant {
            Some(mutant) => mutant::with(mutant, || run(seed, limits, story)),
            None => run(seed, limits, story),
        };
        catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|thrown| {
            let text = thrown.downcast_ref::<String>().cloned();
            let text = text.or_else(|| thrown.downcast_ref::<&str>().map(ToString::to_string));
            Outcome::panicked(text.unwrap_or_default())
        })
    }
}

impl Report {
    fn add(&mut self, seed: u64, outcome: Outcome, steady: bool) {
        self.seeds += 1;
        self.steps += u64::from(outcome.steps);
        self.sagas += outcome.sagas as u64;
        for (all, one) in self.struck.iter_mut().zip(outcome.struck) {
            *all += u64::from(one);
        }
        if let Some(wrong) = outcome.wrong {
            self.broken.push((seed, wrong));
        }
        if !steady {
            self.unsteady.push(seed);
        }
    }
}
