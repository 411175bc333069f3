//! What is known of output topics: whether they exist, and how large a record may be.
//!
//! An entry is looked up when a plan first needs it and again after a while, or at once after a record was refused. Rights do not show
//! by looking: what the log refused when it was written is remembered for a moment, so that a batch of sagas that need the same topic
//! costs one aborted transaction and not one each.
//!
//! Absent on purpose: why a topic is as it is.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use connectors::log::Log;

use crate::clock;
use crate::worker::role::{Output, OutputClass};

/// How long an entry counts.
const FRESH: Duration = Duration::from_secs(10);
/// How long a missing topic counts as missing.
const MISSING: Duration = Duration::from_secs(1);
/// How long a refusal counts. An operator who mends the topic should not have to wait for it.
const REFUSED: Duration = Duration::from_secs(2);
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
    refusals: BTreeMap<String, Refusal>,
}

/// A record was refused although its topic looked good: so is any that is at least as large.
#[derive(Debug)]
struct Refusal {
    bytes: usize,
    reason: String,
    since: Instant,
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
        (clock::since(*since) < age).then_some(*state)
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
        self.known.insert(topic.to_owned(), (state, clock::now()));
        Ok(state)
    }

    /// Why a record of this size would be refused, as far as is known.
    pub fn refusal(&self, topic: &str, bytes: usize) -> Option<&str> {
        let refusal = self.refusals.get(topic)?;
        let counts = bytes >= refusal.bytes && clock::since(refusal.since) < REFUSED;
        counts.then_some(refusal.reason.as_str())
    }

    /// The log refused an output of this input for this reason. If the reason names the topic of a command or event, every record of
    /// that topic that is as large is refused from here on, for a moment.
    pub fn learn(&mut self, outputs: &[Output], input: i64, reason: &str) -> bool {
        let foreign = |class| matches!(class, OutputClass::Command | OutputClass::Event);
        let named = |output: &&Output| {
            output.input == input && foreign(output.class) && names(reason, &output.record.topic)
        };
        let Some(output) = outputs.iter().find(named) else {
            return false;
        };
        let refusal = Refusal {
            bytes: output.record.size(),
            reason: reason.to_owned(),
            since: clock::now(),
        };
        self.refusals.insert(output.record.topic.clone(), refusal);
        true
    }

    /// Forgets what was looked up: a record was refused.
    pub fn forget_all(&mut self) {
        self.known.clear();
    }
}

/// Does the text name this topic? A topic's name may be part of a longer word, which does not count.
fn names(text: &str, topic: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let mut words = text.split(|c: char| !legal(c));
    words.any(|word| word == topic || word.trim_end_matches('.') == topic)
}

#[cfg(test)]
mod tests {
    use schemas::record::{Headers, Outgoing};

    use super::*;

    fn output(topic: &str, input: i64, class: OutputClass, bytes: usize) -> Output {
        let record = Outgoing {
            topic: topic.into(),
            partition: None,
            key: None,
            value: Some(vec![0; bytes]),
            headers: Headers::default(),
        };
        Output {
            record,
            input,
            class,
        }
    }

    #[test]
    fn a_refusal_counts_for_records_as_large_or_larger() {
        let mut topics = Topics::default();
        let outputs = [
            output("a", 1, OutputClass::Command, 10),
            output("a.commands", 1, OutputClass::Command, 100),
            output("app.history", 1, OutputClass::History, 1),
            output("b", 2, OutputClass::Event, 10),
        ];
        assert!(topics.learn(&outputs, 1, "topic a.commands: not authorised"));
        let size = outputs[1].record.size();
        assert!(topics.refusal("a.commands", size).is_some());
        assert!(topics.refusal("a.commands", size + 1).is_some());
        assert!(topics.refusal("a.commands", size - 1).is_none());
        assert!(topics.refusal("a", size).is_none());
        assert!(!topics.learn(&outputs, 1, "topic app.history: not authorised"));
        assert!(!topics.learn(&outputs, 1, "topic b: not authorised"));
    }
}
