//! The figures of a run: for people line by line, for machines as one line of JSON.
//!
//! Absent on purpose: judgement about time.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use super::oracle::Verdict;
use super::plan::{Fault, Plan};
use super::site::Site;

/// What a run found.
#[derive(Debug)]
pub struct Report {
    /// Seed of the run.
    pub seed: u64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Sagas started.
    pub sagas: u64,
    /// Sagas an operator had to retry.
    pub retried: u64,
    /// What the oracle says.
    pub verdict: Verdict,
    /// What a supervisor would tell.
    pub notes: Vec<String>,
    plan: String,
    struck: (u64, u64),
    begun: Instant,
    moments: Vec<(&'static str, f64)>,
}

impl Report {
    /// The report of a run that begins now.
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            seed: plan.seed,
            faults: BTreeMap::new(),
            sagas: 0,
            retried: 0,
            verdict: Verdict::default(),
            notes: Vec::new(),
            plan: plan.to_string(),
            struck: (0, 0),
            begun: Instant::now(),
            moments: Vec::new(),
        }
    }

    /// Something is reached now.
    pub(super) fn moment(&mut self, what: &'static str) {
        self.moments
            .push((what, self.begun.elapsed().as_secs_f64()));
    }

    /// What was made to happen.
    pub(super) fn made(&mut self, faults: &[Fault]) {
        for fault in faults {
            *self.faults.entry(fault.kind()).or_default() += 1;
        }
    }

    /// What the oracle found.
    pub(super) fn judged(&mut self, sagas: u64, verdict: Verdict) {
        (self.sagas, self.verdict) = (sagas, verdict);
    }

    /// What the site tells.
    pub(super) fn site(&mut self, site: &Site) {
        self.notes.clone_from(&site.notes);
        self.struck = site.struck();
    }

    /// Number of faults.
    pub fn faults(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Seed, plan and problems: what a failed run must tell.
    pub fn complaint(&self) -> String {
        let problems = &self.verdict.problems;
        let some = &problems[..problems.len().min(PROBLEMS_SHOWN)];
        format!(
            "chaos found {} problems with seed {}:\n{}\n{}",
            problems.len(),
            self.seed,
            some.join("\n"),
            self.plan
        )
    }

    /// Prints notes and figures.
    pub fn print(&self) {
        for note in &self.notes {
            println!("note: {note}");
        }
        println!("chaos {}", self.figures());
    }

    fn figures(&self) -> Value {
        let verdict = &self.verdict;
        let moments: BTreeMap<_, _> = self.moments.iter().copied().collect();
        json!({
            "seed": self.seed, "sagas": self.sagas, "ends": verdict.ends, "lost": verdict.lost, "expired": verdict.expired,
            "retried": self.retried, "faults": self.faults(), "kinds": self.faults,
            "struck_kafka": self.struck.0, "struck_store": self.struck.1,
            "commands": verdict.commands, "re_sends": verdict.re_sends,
            "doubled_commands": verdict.doubled_commands, "facts": verdict.facts,
            "effects": verdict.effects, "compensations": verdict.compensations,
            "wrong_effects": verdict.wrong_effects, "problems": verdict.problems.len(),
            "seconds": moments,
        })
    }
}

const PROBLEMS_SHOWN: usize = 40;
