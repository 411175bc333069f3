//! How participants behave: a hash of seed, command id and attempt decides, so the same seed gives the same story.
//!
//! Absent on purpose: random numbers and clocks. Only how long things take differs from run to run.

use std::time::Duration;

use connectors::participant::{Answer, Command};
use serde_json::json;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// When a late answer comes: after the attempt's time limit in `order.yaml`, so that the command was sent again by then.
pub(super) const LATE_AFTER: Duration = Duration::from_millis(600);

/// Shares are in 1/10,000.
const WHOLE: u64 = 10_000;
/// Answers that come late.
const LATE: u64 = 300;
/// Answers that come twice.
const TWICE: u64 = 300;
/// First attempts that are carried out, but whose answer is lost.
const LOST: u64 = 300;
/// Dispatches that nobody ever answers: one in 400.
const NEVER: u64 = 25;

/// The temper of all participants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Temper {
    pub(super) seed: u64,
}

impl Temper {
    /// Answers a forward command, of which some are refused for this reason.
    pub(super) fn answer(self, command: &Command, refused: u64, code: &str, why: &str) -> Answer {
        let answer = if self.whim("refuse", command, 0) < refused {
            Answer::refused(code, why)
        } else {
            Answer::ok(json!({}))
        };
        self.told(command, answer)
    }

    /// Answers a compensation. It is never refused: who cannot take something back must not be asked before the pivot.
    pub(super) fn confirm(self, command: &Command) -> Answer {
        self.told(command, Answer::ok(json!({})))
    }

    /// Is this one of the commands that are never answered?
    pub(super) fn is_never_answered(self, command: &Command) -> bool {
        self.whim("never", command, 0) < NEVER
    }

    fn told(self, command: &Command, answer: Answer) -> Answer {
        let roll = self.whim("tell", command, command.attempt);
        match roll {
            _ if roll < LATE => answer.later(LATE_AFTER),
            _ if roll < LATE + TWICE => answer.twice(),
            _ if roll < LATE + TWICE + LOST && command.attempt == 1 => answer.lost(),
            _ => answer,
        }
    }

    fn whim(self, about: &str, command: &Command, attempt: u32) -> u64 {
        let text = format!("{about} {}@{attempt}", command.id);
        xxh3_64_with_seed(text.as_bytes(), self.seed) % WHOLE
    }
}
