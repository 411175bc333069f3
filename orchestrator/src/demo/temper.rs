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
        match self.whim("tell", command, command.attempt) {
            roll if roll < LATE => answer.later(LATE_AFTER),
            roll if roll < LATE + TWICE => answer.twice(),
            roll if roll < LATE + TWICE + LOST && command.attempt == 1 => answer.lost(),
            _ => answer,
        }
    }

    /// Answers a compensation, sometimes twice.
    ///
    /// It is never refused: what cannot be taken back must not be done before the pivot. Nor is its answer lost: the language gives
    /// every attempt of a compensation 30 s, which is longer than a demo may take.
    pub(super) fn confirm(self, command: &Command) -> Answer {
        let answer = Answer::ok(json!({}));
        if self.whim("tell", command, command.attempt) < TWICE {
            return answer.twice();
        }
        answer
    }

    /// Is this one of the commands that are never answered?
    pub(super) fn is_never_answered(self, command: &Command) -> bool {
        self.whim("never", command, 0) < NEVER
    }

    fn whim(self, about: &str, command: &Command, attempt: u32) -> u64 {
        let text = format!("{about} {}@{attempt}", command.id);
        xxh3_64_with_seed(text.as_bytes(), self.seed) % WHOLE
    }
}
