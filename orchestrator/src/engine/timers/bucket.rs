//! How often commands are sent again: a token bucket per target and lane.
//!
//! A participant that was silent has a backlog of every command it missed; what it needs least is all of them a second time. The bucket
//! gives re-sends a rate. Each lane has its own, with its share of the rate of the installation: so the bound holds whatever processes
//! own the lanes, needs no word between threads or processes, and no lane takes the tokens of another. The price is that a storm in one
//! lane alone gets only that lane's share.
//!
//! A bucket begins empty: a lane that changes its owner again and again sends no burst each time.
//!
//! Absent on purpose: the wall clock, and waiting. A bucket is asked, with a monotonic time, and answers.

use std::time::Instant;

/// How often commands are sent again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Re-sends per second and target in the long run.
    pub per_second: f64,
    /// Re-sends of a target that may go out together after a quiet time.
    pub burst: f64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            per_second: 100.0,
            burst: 200.0,
        }
    }
}

impl Budget {
    /// One lane's part. At least one re-send must fit, or none would ever go out.
    pub fn share(self, lanes: u32) -> Self {
        let lanes = f64::from(lanes.max(1));
        Self {
            per_second: self.per_second / lanes,
            burst: (self.burst / lanes).max(1.0),
        }
    }
}

/// Tokens of one target.
#[derive(Debug, Clone)]
pub struct Bucket {
    budget: Budget,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A bucket that has been filling since then.
    pub fn new(budget: Budget, since: Instant) -> Self {
        Self {
            budget,
            tokens: 0.0,
            at: since,
        }
    }

    /// Is there a token?
    pub fn has_token(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at);
        let filled = passed.as_secs_f64() * self.budget.per_second;
        self.tokens = (self.tokens + filled).min(self.budget.burst);
        self.at = self.at.max(now);
        // Sums of fractions may fall short of a whole token by a rounding error.
        self.tokens >= 1.0 - 1e-9
    }

    /// Takes tokens for what goes out, also those that are not there yet: a wake-up with several commands is not divided, and one that
    /// may not wait any longer does not ask. What follows waits for both. The debt is bounded, or the end of a thousand deadlines would
    /// keep every re-send behind them waiting.
    pub fn take(&mut self, commands: u32) {
        let commands = f64::from(commands);
        let deepest = -self.budget.burst.max(commands);
        self.tokens = (self.tokens - commands).max(deepest);
    }

    /// Is it as full as it can be?
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.has_token(now) && self.tokens >= self.budget.burst
    }

    /// Most tokens it holds.
    pub fn burst(&self) -> f64 {
        self.budget.burst
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BUDGET: Budget = Budget {
        per_second: 10.0,
        burst: 5.0,
    };

    /// How many go out in this time, asked for every 20 ms.
    fn sent(bucket: &mut Bucket, from: Instant, seconds: u64) -> u32 {
        let mut sent = 0;
        for tick in 1..=seconds * 50 {
            let now = from + Duration::from_millis(tick * 20);
            while bucket.has_token(now) {
                bucket.take(1);
                sent += 1;
            }
        }
        sent
    }

    #[test]
    fn a_new_bucket_is_empty() {
        let now = Instant::now();
        let mut bucket = Bucket::new(BUDGET, now);
        assert!(!bucket.has_token(now));
        assert!(!bucket.has_token(now + Duration::from_millis(99)));
        assert!(bucket.has_token(now + Duration::from_millis(100)));
    }

    #[test]
    fn the_rate_holds_in_the_long_run() {
        let now = Instant::now();
        let sent = sent(&mut Bucket::new(BUDGET, now), now, 60);
        assert!((599..=600).contains(&sent), "{sent}");
    }

    #[test]
    fn a_quiet_time_saves_no_more_than_the_burst() {
        let begun = Instant::now();
        let mut bucket = Bucket::new(BUDGET, begun);
        let now = begun + Duration::from_secs(3_600);
        let sent = sent(&mut bucket, now, 1);
        assert!((14..=15).contains(&sent), "{sent}");
    }

    #[test]
    fn what_is_taken_in_advance_is_paid_back() {
        let begun = Instant::now();
        let mut bucket = Bucket::new(BUDGET, begun);
        let now = begun + Duration::from_secs(10);
        assert!(bucket.is_full(now));
        bucket.take(25);
        let sent = sent(&mut bucket, now, 3);
        assert!((9..=10).contains(&sent), "{sent}");
    }

    #[test]
    fn debts_are_bounded() {
        let begun = Instant::now();
        let mut bucket = Bucket::new(BUDGET, begun);
        (0..10_000).for_each(|_| bucket.take(1));
        assert!(bucket.has_token(begun + Duration::from_millis(601)));
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing() {
        let begun = Instant::now();
        let mut bucket = Bucket::new(BUDGET, begun + Duration::from_secs(1));
        assert!(!bucket.has_token(begun));
        assert!(bucket.has_token(begun + Duration::from_millis(1_100)));
    }

    #[test]
    fn lanes_share_and_each_can_send() {
        let share = Budget::default().share(4);
        assert_eq!((share.per_second, share.burst), (25.0, 50.0));
        assert_eq!(Budget::default().share(256).burst, 1.0);
    }
}
