//! Topics that definitions read and the cluster does not have: told when they change, and once a minute while they are missing.
//!
//! Absent on purpose: creating them (see `topics.create_missing`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often the same topic is told at most.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Names of topics, each with what it is for.
pub type Missing = BTreeMap<String, String>;

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Absent {
    /// What a topic is for, and when that was told.
    told: BTreeMap<String, (String, Instant)>,
}

impl Absent {
    /// These are missing now.
    pub(super) fn tell(&mut self, missing: Missing, now: Instant) {
        for (topic, used_for) in self.news(missing, now) {
            tracing::warn!(
                topic,
                used_for,
                "Topic does not exist; what definitions expect from it does not happen until it is created."
            );
        }
    }

    fn news(&mut self, missing: Missing, now: Instant) -> Vec<(String, String)> {
        self.told.retain(|topic, _| missing.contains_key(topic));
        let mut news = Vec::new();
        for (topic, used_for) in missing {
            let known = self.told.get(&topic).is_some_and(|(before, at)| {
                *before == used_for && now.duration_since(*at) < TELL_EVERY
            });
            if !known {
                self.told.insert(topic.clone(), (used_for.clone(), now));
                news.push((topic, used_for));
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(topics: &[(&str, &str)]) -> Missing {
        let owned = |(topic, used): &(&str, &str)| ((*topic).to_owned(), (*used).to_owned());
        topics.iter().map(owned).collect()
    }

    #[test]
    fn a_missing_topic_is_told_once_a_minute_and_when_something_changes() {
        let (mut absent, begun) = (Absent::default(), Instant::now());
        let mut told = |after_s: u64, topics: &[(&str, &str)]| {
            let now = begun + Duration::from_secs(after_s);
            let news = absent.news(missing(topics), now);
            news.into_iter()
                .map(|(topic, used)| format!("{topic}: {used}"))
                .collect::<Vec<_>>()
        };
        let one = ("orders", "start");
        assert_eq!(told(0, &[one]), ["orders: start"]);
        assert!(told(1, &[one]).is_empty());
        assert_eq!(told(2, &[one, ("trucks", "await")]), ["trucks: await"]);
        assert_eq!(
            told(3, &[("orders", "start, reply")]),
            ["orders: start, reply"]
        );
        assert!(told(62, &[("orders", "start, reply")]).is_empty());
        assert_eq!(
            told(63, &[("orders", "start, reply")]),
            ["orders: start, reply"]
        );
        assert!(told(64, &[]).is_empty());
        assert_eq!(told(65, &[one]), ["orders: start"]);
    }
}
