//! Waiting for the end of every saga, as long as there is progress.
//!
//! Sagas that are parked are those whose pivot's outcome stayed unknown: an operator's `retry` resolves them.
//!
//! Absent on purpose: a limit of the time as a whole.

use std::time::{Duration, Instant};

use super::dump;
use super::load::Flow;
use super::sagas::Case;
use super::site::Site;
use crate::world::World;

/// Returns when all started sagas are in a final status; answers how many had to be retried by an operator.
///
/// # Panics
/// If sagas are stuck: see [`Progress::look`].
pub fn until_all_ended(site: &mut Site, flow: &Flow, seed: u64) -> u64 {
    let mut open = self::open(flow, seed);
    let (mut retried, mut asked, mut progress) = (0, Instant::now(), Progress::new());
    loop {
        site.supervise();
        {
            let books = flow.books();
            open.retain(|saga| !books.is_final(saga));
        }
        if open.is_empty() {
            // A late success may have made an ended one compensate once more.
            open = self::open(flow, seed);
        }
        if open.is_empty() {
            return retried;
        }
        progress.look(&site.world, flow, || open.clone());
        if asked.elapsed() > RETRY_EVERY {
            retried += retry(site, flow);
            asked = Instant::now();
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Sagas that are in no final status.
pub fn open(flow: &Flow, seed: u64) -> Vec<String> {
    let books = flow.books();
    let ids = (0..flow.started()).map(|number| Case::of(seed, number).id());
    ids.filter(|saga| !books.is_final(saga)).collect()
}

/// What moved last, and when.
pub struct Progress {
    records: u64,
    moved: Instant,
    ended: u64,
    ended_at: Instant,
}

impl Progress {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self {
            records: 0,
            moved: Instant::now(),
            ended: 0,
            ended_at: Instant::now(),
        }
    }

    /// Looks again.
    ///
    /// # Panics
    /// If nothing moved for [`STILL_MAX`], or no saga ended for [`NO_END_MAX`].
    pub fn look(&mut self, world: &World, flow: &Flow, open: impl FnOnce() -> Vec<String>) {
        let (records, ended) = (flow.seen(), flow.ended());
        if records != self.records {
            (self.records, self.moved) = (records, Instant::now());
        }
        if ended != self.ended {
            (self.ended, self.ended_at) = (ended, Instant::now());
        }
        if self.moved.elapsed() > STILL_MAX || self.ended_at.elapsed() > NO_END_MAX {
            panic!("stuck: {}", dump::stuck(world, &open()));
        }
    }
}

fn retry(site: &Site, flow: &Flow) -> u64 {
    let parked = flow.books().parked();
    let signal = |saga: &String| site.world.retry_signal(saga);
    let signals: Vec<_> = parked.iter().map(signal).collect();
    if !signals.is_empty() {
        site.world.send(&signals);
    }
    parked.len() as u64
}

/// Nothing new is seen anywhere.
const STILL_MAX: Duration = Duration::from_secs(60);
/// Something moves, but no saga ends.
const NO_END_MAX: Duration = Duration::from_secs(180);
const RETRY_EVERY: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(300);
