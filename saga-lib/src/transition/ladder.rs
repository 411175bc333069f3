//! The ladder of attempts: when a command is sent again, and when its outcome is given up.
//!
//! Waits are pure functions of command id and attempt, so a replay gives the same times on every machine: the growth is a chain of
//! single IEEE multiplications (no `powi`, whose rounding is not specified), the spread is a hash.
//!
//! Absent on purpose: sending (see [`super::command`]) and what giving up means (see [`super::outcome`]).

use crate::id::CommandId;
use crate::instance::Pending;
use crate::ir::{Jitter, Retry};
use crate::mutant::{Mutant, planted};

/// What ended an attempt without an answer that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Miss {
    /// The participant answered `failed` (or a name nobody knows).
    Failed,
    /// It did not answer in time.
    Timeout,
}

impl Miss {
    /// The outcome's name in `catch` and `error`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Timeout => "timeout",
        }
    }
}

/// When the attempt after `pending` may go out, in ms; `None`: there is none.
///
/// A timeout was a wait already, so the next attempt goes out at once.
pub(super) fn next_attempt_ms(
    retry: &Retry,
    id: &CommandId,
    pending: &Pending,
    miss: Miss,
    now: i64,
) -> Option<i64> {
    let made = pending.attempt.saturating_sub(pending.before);
    let allowed = match miss {
        Miss::Failed => retry.after_failed,
        Miss::Timeout => retry.after_timeout,
    };
    let allowed = allowed && !(miss == Miss::Timeout && planted(Mutant::D4TimeoutEndsTheLadder));
    let last = |max| made >= max && !planted(Mutant::C5TriesForEver);
    if !allowed || retry.max.is_some_and(last) {
        return None;
    }
    let at = match miss {
        Miss::Failed => now.saturating_add(backoff_ms(retry, id, pending)),
        Miss::Timeout => now,
    };
    let last = retry
        .within_ms
        .map(|within| pending.first_ms.saturating_add(within));
    last.is_none_or(|last| at <= last).then_some(at)
}

/// Wait after the last attempt of `pending`, in ms: at least 1, so that every timer moves.
pub(super) fn backoff_ms(retry: &Retry, id: &CommandId, pending: &Pending) -> i64 {
    let made = pending.attempt.saturating_sub(pending.before).max(1);
    let wait = match planted(Mutant::C5NoBackoff) {
        true => 0,
        false => grown_ms(retry, made),
    };
    let spread = |range: i64| {
        let seed = format!("{id}@{}", pending.attempt);
        let hash = xxhash_rust::xxh3::xxh3_64(seed.as_bytes());
        // Both sides are below 2^63: the remainder fits.
        (hash % (range.unsigned_abs() + 1)) as i64
    };
    let wait = match retry.jitter {
        Jitter::None => wait,
        Jitter::Full => spread(wait),
        Jitter::Equal => wait / 2 + spread(wait - wait / 2),
    };
    wait.max(1)
}

/// `first * factor^(made - 1)`, at most the cap.
fn grown_ms(retry: &Retry, made: u32) -> i64 {
    let cap = retry.cap_ms.max(0) as f64;
    let mut wait = retry.first_ms.max(0) as f64;
    // Past 64 factors the wait is at its cap, or does not grow.
    for _ in 1..made.min(64) {
        wait *= retry.factor;
        if wait >= cap {
            break;
        }
    }
    wait.min(cap) as i64
}
