//! The stage: carries out a plan, fault by fault, and lets sagas end in between.
//!
//! On a slow machine a plan in real time would strike again and again before anything has recovered, and test nothing but that. So its
//! clock stands still after [`BURST`] faults during which next to nothing ended, until something does.
//!
//! Absent on purpose: how faults are made, and the wait for the end of all sagas.

use std::time::{Duration, Instant};

use super::load::Flow;
use super::plan::{Fault, Plan, Step};
use super::profile::Profile;
use super::site::Site;
use super::wait::{self, Progress};

/// A plan that is being carried out.
pub struct Stage<'a> {
    site: &'a mut Site,
    flow: &'a Flow,
    seed: u64,
    begun: Instant,
    /// How long the plan's clock stood still.
    behind: Duration,
    /// Faults that are not over, with their ends.
    active: Vec<(Instant, Fault)>,
    /// Faults since sagas ended, and how many had ended then.
    burst: usize,
    ended: u64,
    done: Vec<Fault>,
}

impl<'a> Stage<'a> {
    /// A stage on which nothing has happened.
    pub fn new(site: &'a mut Site, flow: &'a Flow, seed: u64) -> Self {
        Self {
            site,
            flow,
            seed,
            begun: Instant::now(),
            behind: Duration::ZERO,
            active: Vec::new(),
            burst: 0,
            ended: 0,
            done: Vec::new(),
        }
    }

    /// Carries out the plan and waits until enough sagas are started; answers the faults that were made.
    ///
    /// # Panics
    /// If sagas are stuck.
    pub fn carry_out(mut self, plan: &Plan, profile: &Profile) -> Vec<Fault> {
        for step in &plan.steps {
            let late = self.begun.elapsed() > profile.lasting;
            if late && self.done.len() >= profile.faults_min {
                break;
            }
            self.wait_for(step);
            self.begin(step);
        }
        let mut progress = Progress::new();
        while !self.active.is_empty() || self.flow.started() < profile.sagas {
            self.tick();
            self.look(&mut progress);
        }
        self.site.wait_for_broker();
        self.done
    }

    /// Until its time has come and sagas end.
    fn wait_for(&mut self, step: &Step) {
        let at = Duration::from_millis(step.begin_ms);
        while self.begun.elapsed() - self.behind < at {
            self.tick();
        }
        let (since, mut progress) = (Instant::now(), Progress::new());
        while !self.sagas_end() || self.is_struck(step) {
            self.tick();
            self.look(&mut progress);
        }
        self.behind += since.elapsed();
    }

    fn sagas_end(&mut self) -> bool {
        let ended = self.flow.ended();
        if ended >= self.ended + BREATH {
            (self.burst, self.ended) = (0, ended);
        }
        self.burst < BURST
    }

    /// A step that begins late may meet one that has not ended yet.
    fn is_struck(&self, step: &Step) -> bool {
        let mut active = self.active.iter();
        active.any(|(_, fault)| fault.strikes() & step.fault.strikes() != 0)
    }

    fn begin(&mut self, step: &Step) {
        self.tell("begins", step.fault);
        self.site.begin(step.fault);
        let lasting = Duration::from_millis(step.end_ms - step.begin_ms);
        self.active.push((Instant::now() + lasting, step.fault));
        self.done.push(step.fault);
        self.burst += 1;
    }

    /// Ends what is over, and lets a moment pass.
    fn tick(&mut self) {
        let now = Instant::now();
        let over = self.active.extract_if(.., |(end, _)| *end <= now);
        for (_, fault) in over.collect::<Vec<_>>() {
            self.tell("ends", fault);
            self.site.end(fault);
        }
        self.site.supervise();
        std::thread::sleep(TICK);
    }

    /// Nothing is asked of sagas while a fault lasts.
    fn look(&self, progress: &mut Progress) {
        if !self.active.is_empty() {
            *progress = Progress::new();
        }
        let open = || wait::open(self.flow, self.seed);
        progress.look(&self.site.world, self.flow, open);
    }

    fn tell(&self, word: &str, fault: Fault) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let (started, ended) = (self.flow.started(), self.flow.ended());
        println!("{seconds:>7.1} s {word} {fault:?}; {started} sagas started, {ended} ended");
    }
}

/// Faults in a row without sagas that end between.
const BURST: usize = 5;
/// So many sagas count as a sign of life.
const BREATH: u64 = 100;
const TICK: Duration = Duration::from_millis(20);
