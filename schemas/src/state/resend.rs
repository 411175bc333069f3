//! The re-send that a wake-up stands for, as the timer reader sees it.
//!
//! Absent on purpose: which wake-ups are re-sends (see `saga_lib::transition::resend`), and how long one waits.

use std::fmt;

use saga_lib::instance::Wake;
use saga_lib::transition;
use xxhash_rust::xxh3::xxh3_64;

use super::Error;
use super::header::{bad, number};

/// Longest name of a target, in bytes.
pub const TARGET_BYTES_MAX: usize = 64;

/// What a header's re-send begins with: no body does.
pub(super) const MARK: u8 = b'@';

/// A wake-up that does nothing but send commands of one target again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resend {
    /// The target's topic; a name that is too long, or none that Kafka knows, is cut and ends with `~` and its hash.
    pub target: String,
    /// How many commands at most.
    pub commands: u32,
    /// How much later it may come, ms; `None`: at any time.
    pub slack_ms: Option<i64>,
}

impl Resend {
    /// What a transition says, as the header of a document with this wake-up has it.
    pub fn of(ahead: transition::Resend<'_>, wake: Wake) -> Option<Self> {
        let Wake::At(wake) = wake else { return None };
        Some(Self {
            target: name(ahead.target),
            commands: ahead.commands,
            slack_ms: ahead
                .until_ms
                .map(|until| until.saturating_sub(wake).max(0)),
        })
    }

    /// Reads `@target[*commands][+slack]`.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.strip_prefix(char::from(MARK)).unwrap_or(text);
        let (text, slack_ms) = suffix(text, '+')?;
        let (target, commands) = suffix(text, '*')?;
        if target.is_empty() || target.len() > TARGET_BYTES_MAX {
            return Err(bad(
                "re-send",
                "without target, or with one that is too long",
            ));
        }
        Ok(Self {
            target: target.to_owned(),
            commands: commands.unwrap_or(1),
            slack_ms,
        })
    }
}

impl fmt::Display for Resend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(MARK), self.target)?;
        if self.commands != 1 {
            write!(f, "*{}", self.commands)?;
        }
        self.slack_ms.iter().try_for_each(|ms| write!(f, "+{ms}"))
    }
}

fn suffix<T: std::str::FromStr>(text: &str, mark: char) -> Result<(&str, Option<T>), Error> {
    match text.split_once(mark) {
        None => Ok((text, None)),
        Some((text, value)) => Ok((text, Some(number(value, "re-send")?))),
    }
}

/// Bounded and plain, whatever stands in a definition; a name that Kafka allows and that fits stays as it is.
fn name(topic: &str) -> String {
    let legal = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let plain = topic.chars().all(|c| legal(&c));
    if plain && !topic.is_empty() && topic.len() <= TARGET_BYTES_MAX {
        return topic.to_owned();
    }
    let hash = format!("~{:016x}", xxh3_64(topic.as_bytes()));
    let kept = topic.chars().filter(legal);
    let kept: String = kept.take(TARGET_BYTES_MAX - hash.len()).collect();
    kept + &hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(topic: &str) -> Resend {
        let ahead = transition::Resend {
            target: topic,
            commands: 2,
            until_ms: Some(1_500),
        };
        Resend::of(ahead, Wake::At(1_000)).expect("a wake-up")
    }

    #[test]
    fn a_topic_stays_as_it_is() {
        assert_eq!(of("credit.commands").to_string(), "@credit.commands*2+500");
        assert_eq!(
            Resend::parse("@credit.commands*2+500"),
            Ok(of("credit.commands"))
        );
    }

    #[test]
    fn what_is_usual_is_not_written() {
        let plain = Resend::parse("@credit").expect("a re-send");
        assert_eq!((plain.commands, plain.slack_ms), (1, None));
        assert_eq!(plain.to_string(), "@credit");
    }

    #[test]
    fn long_and_odd_names_stay_apart_and_fit() {
        let (a, b) = ("a".repeat(249), "a".repeat(248) + "b");
        let odd = ["", "a:b", "a+b", "ä", "@", &a, &b].map(|topic| of(topic).target);
        for name in &odd {
            assert!(name.len() <= TARGET_BYTES_MAX && name.is_ascii(), "{name}");
            let read = Resend::parse(&format!("@{name}")).expect("readable");
            assert_eq!(read.target, *name);
        }
        let distinct: std::collections::BTreeSet<_> = odd.iter().collect();
        assert_eq!(distinct.len(), odd.len());
    }

    #[test]
    fn damage_is_an_error() {
        for bad in ["@", "@a*x", "@a+", "@a*1+x", "@*2"] {
            assert!(Resend::parse(bad).is_err(), "{bad}");
        }
    }
}
