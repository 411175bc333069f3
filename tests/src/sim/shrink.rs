//! From a broken seed to the fewest faults that still break it.
//!
//! Faults are switched off kind by kind, then the list of those that strike is cut short, as long as the promise stays broken. What is
//! drawn stays the same meanwhile, so most of the story does.
//!
//! Absent on purpose: smaller worlds. A story of a hundred lines can be read.

use super::campaign::Campaign;
use super::chance::Limits;
use super::fault::{Fault, KINDS};

/// Runs at most.
const RUNS: u32 = 200;

struct Shrink {
    campaign: Campaign,
    seed: u64,
    left: u32,
    best: Limits,
    struck: [u32; KINDS],
}

/// The smallest limits found within which this seed is still broken.
pub fn shrink(campaign: Campaign, seed: u64) -> Limits {
    let mut shrink = Shrink {
        campaign,
        seed,
        left: RUNS,
        best: Limits::default(),
        struck: [0; KINDS],
    };
    if shrink.breaks(Limits::default()) {
        shrink.drop_kinds();
        shrink.cut();
        shrink.drop_kinds();
    }
    shrink.best
}

impl Shrink {
    /// Is it broken with these as well? Then they are the best ones.
    fn breaks(&mut self, limits: Limits) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let outcome = self.campaign.one(self.seed, limits, false);
        let broken = outcome.wrong.is_some();
        if broken {
            self.best = limits;
            self.struck = outcome.struck;
        }
        broken
    }

    fn drop_kinds(&mut self) {
        for fault in Fault::ALL {
            if self.struck[fault as usize] > 0 {
                let kinds = self.best.kinds & !(1 << fault as u64);
                self.breaks(Limits { kinds, ..self.best });
            }
        }
    }

    /// The shortest list of faults, by halves.
    fn cut(&mut self) {
        let (mut enough, mut few) = (self.struck.iter().sum::<u32>(), 0);
        while enough > few {
            let faults = (enough + few) / 2;
            if self.breaks(Limits {
                faults,
                ..self.best
            }) {
                enough = faults;
            } else {
                few = faults + 1;
            }
        }
    }
}

/// The story of a broken seed, told with as few faults as possible.
pub fn story(campaign: Campaign, seed: u64) -> String {
    let limits = shrink(campaign, seed);
    let told = campaign.one(seed, limits, true);
    let lines = told.story.iter().enumerate();
    let lines: Vec<_> = lines
        .map(|(n, line)| format!("{:>4} {line}", n + 1))
        .collect();
    let wrong = told.wrong.unwrap_or_default();
    format!("{}\nseed {seed}: {wrong}", lines.join("\n"))
}
