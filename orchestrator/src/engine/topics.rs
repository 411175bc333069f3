//! What is known of output topics: whether they exist, and how large a record may be.
//!
//! An entry is looked up when a plan first needs it and again after a while, or at once after a record was refused.
//!
//! Absent on purpose: rights. They show when a record is refused.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use connectors::log::Log;

/// How long an entry counts.
const FRESH: Duration = Duration::from_secs(10);
/// How long a missing topic counts as missing.
const MISSING: Duration = Duration::from_secs(1);
/// Kafka's default of `max.message.bytes`.
const BYTES_DEFAULT: usize = 1_048_588;

/// A topic as a plan sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicState {
    /// It exists and takes records of up to this many bytes.
    Takes(usize),
    /// It does not exist.
    Missing,
}

/// Output topics.
#[derive(Debug, Default)]
pub struct Topics {
    known: BTreeMap<String, (TopicState, Instant)>,
}

impl Topics {
    /// The topic, if it was looked up lately.
    pub fn state(&self, topic: &str) -> Option<TopicState> {
        let (state, since) = self.known.get(topic)?;
        let age = if *state == TopicState::Missing {
            MISSING
        } else {
            FRESH
        };
        (since.elapsed() < age).then_some(*state)
    }

    /// Looks a topic up.
    ///
    /// # Errors
    /// The log's error: nothing is known then, and the caller tries again later.
    pub fn look_up<L: Log>(
        &mut self,
        log: &mut L,
        topic: &str,
    ) -> Result<TopicState, connectors::log::Error> {
        let state = log.topic(topic)?.map_or(TopicState::Missing, |info| {
            TopicState::Takes(info.message_bytes_max.unwrap_or(BYTES_DEFAULT))
        });
        self.known.insert(topic.to_owned(), (state, Instant::now()));
        Ok(state)
    }

    /// Forgets what was known: a record was refused.
    pub fn forget_all(&mut self) {
        self.known.clear();
    }
}
