//! Replay: dead letters sent back, and what became of each.
//!
//! A dead letter goes to `<app>.redrive`, which only ingress reads, or, if it was an inbox record, to its lane, signed anew. What
//! counts is the effect: the fact that names the record, or a new dead letter with the same origin.
//!
//! Absent on purpose: moving, and the original topic, unless it is asked for: other consumers would see the record again.

use std::time::{Duration, Instant};

use connectors::log::Log;
use saga_lib::instance::Status;
use schemas::dead_letter::{self, DeadLetter};
use schemas::history::{self, Fact, Verdict};
use schemas::record::{Outgoing, Partition, Received};
use schemas::{headers, redrive, signature};
use serde::Serialize;

use super::dead_letters::{origin, partitions};
use super::read::{Follow, PAUSE};
use super::{Error, Installation};

/// How to replay.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// To the original topic, where other consumers see it again.
    pub to_origin: bool,
    /// Also sign inbox records that were set aside because they were not signed.
    pub trust_unsigned: bool,
    /// Records per second.
    pub rate: u32,
}

/// One replayed dead letter.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// `topic/partition/offset` of the dead letter.
    pub position: String,
    /// Where the record stood.
    pub origin: String,
    /// What became of it.
    #[serde(flatten)]
    pub effect: Effect,
}

/// What became of a replayed dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum Effect {
    /// A fact tells of it.
    Fact {
        /// The instance.
        saga: String,
        /// Did the instance change?
        applied: Verdict,
        /// Why not.
        reason: Option<String>,
        /// Status after.
        status: Option<Status>,
    },
    /// It was set aside again.
    DeadAgain {
        /// Why, from a closed list.
        class: String,
        /// Why, for people.
        message: String,
    },
    /// It went to its original topic; what its consumers make of it is not followed.
    SentToOrigin,
    /// It was not sent.
    NotSent {
        /// Why.
        reason: String,
    },
    /// It was sent, but nothing was seen in time: perhaps no definition wants it.
    Unseen,
}

/// Sends dead letters back and waits for what becomes of them.
///
/// # Errors
/// The log's. A record that cannot be written is no error but its [`Effect::NotSent`].
pub fn replay<L: Log>(
    log: &mut L,
    installation: &Installation,
    letters: &[DeadLetter],
    options: Options,
) -> Result<Vec<Replayed>, Error> {
    let mut watch = Watch::begin(log, installation)?;
    let pause = Duration::from_secs(1) / options.rate.max(1);
    let mut items: Vec<Item> = Vec::new();
    for (token, letter) in letters.iter().enumerate() {
        if token > 0 {
            std::thread::sleep(pause);
        }
        items.push(send(log, installation, letter, options, token as u64));
        acknowledge(log, &mut items, Duration::ZERO);
    }
    acknowledge(log, &mut items, installation.wait);
    watch.until_known(log, installation, &mut items)?;
    Ok(items.into_iter().map(Item::replayed).collect())
}

/// One dead letter under way.
struct Item {
    letter: DeadLetter,
    /// Does the record stand in a lane now? Then its place there is its identity.
    in_lane: bool,
    /// Where it was written.
    written: Option<(u32, i64)>,
    effect: Option<Effect>,
}

impl Item {
    fn replayed(self) -> Replayed {
        Replayed {
            position: self.letter.position.clone(),
            origin: origin(&self.letter),
            effect: self.effect.unwrap_or(Effect::Unseen),
        }
    }

    fn is_told_by(&self, fact: &Fact) -> bool {
        if self.in_lane {
            return self.written == Some((fact.lane, fact.offset));
        }
        let id = self.letter.headers.text(headers::CE_ID);
        let same = id.map_or_else(
            || origin(&self.letter) == fact.input.id,
            |id| id == fact.input.id,
        );
        same && self.is_for(fact)
    }

    /// Several definitions may take one event; a dead letter is of one of them.
    fn is_for(&self, fact: &Fact) -> bool {
        let name = |reference: &str| reference.split('@').next().map(str::to_owned);
        let wanted = self.letter.definition.as_deref().and_then(name);
        wanted.is_none_or(|name| fact.saga.definition() == name)
    }

    fn is_dead_again_in(&self, again: &DeadLetter) -> bool {
        let place = (again.partition.number, again.offset);
        if again.partition.topic != self.letter.partition.topic {
            return false;
        }
        if self.in_lane {
            return self.written == Some(place);
        }
        place == (self.letter.partition.number, self.letter.offset)
            && again.position != self.letter.position
    }
}

fn send<L: Log>(
    log: &mut L,
    installation: &Installation,
    letter: &DeadLetter,
    options: Options,
    token: u64,
) -> Item {
    let in_lane = letter.partition.topic == installation.names.inbox();
    let mut item = Item {
        letter: letter.clone(),
        in_lane,
        written: None,
        effect: None,
    };
    let refused = refusal(letter, in_lane, options).or_else(|| {
        let record = outgoing(installation, letter, in_lane, options);
        let handed = log.produce_plain(&record, token);
        handed.err().map(|error| error.to_string())
    });
    item.effect = refused.map(|reason| Effect::NotSent { reason });
    if item.effect.is_none() && options.to_origin && !in_lane {
        item.effect = Some(Effect::SentToOrigin);
    }
    item
}

/// Signing what came without a signature would make a forged record a genuine one.
fn refusal(letter: &DeadLetter, in_lane: bool, options: Options) -> Option<String> {
    let unsigned = in_lane && letter.class == "unsigned" && !options.trust_unsigned;
    unsigned.then(|| {
        "it was set aside because it was not signed; look at it, then replay it with --trust-unsigned".into()
    })
}

fn outgoing(
    installation: &Installation,
    letter: &DeadLetter,
    in_lane: bool,
    options: Options,
) -> Outgoing {
    if in_lane {
        let mut record = redrive::encode(&installation.names, letter);
        let lane = record.partition.unwrap_or(letter.partition.number);
        signature::sign(
            &installation.keys,
            installation.names.app(),
            lane,
            &mut record,
        );
        return record;
    }
    if options.to_origin {
        return Outgoing {
            topic: letter.partition.topic.clone(),
            partition: None,
            key: letter.key.clone(),
            value: letter.value.clone(),
            headers: letter.headers.clone(),
        };
    }
    redrive::encode(&installation.names, letter)
}

fn acknowledge<L: Log>(log: &mut L, items: &mut [Item], wait: Duration) {
    for delivery in log.deliveries_plain(wait) {
        let Some(item) = usize::try_from(delivery.token)
            .ok()
            .and_then(|ix| items.get_mut(ix))
        else {
            continue;
        };
        match delivery.result {
            Ok(written) => item.written = Some(written),
            Err(error) => {
                item.effect = Some(Effect::NotSent {
                    reason: error.to_string(),
                });
            }
        }
    }
}

/// Facts and dead letters written since the replay began.
struct Watch {
    history: Follow,
    dead: Follow,
}

impl Watch {
    fn begin<L: Log>(log: &mut L, installation: &Installation) -> Result<Self, Error> {
        let name = installation.names.history();
        let lanes = (0..installation.lanes).map(|lane| Partition::new(&name, lane));
        let dead = partitions(log, installation)?;
        Ok(Self {
            history: Follow::begin(log, lanes.collect())?,
            dead: Follow::begin(log, dead)?,
        })
    }

    fn until_known<L: Log>(
        &mut self,
        log: &mut L,
        installation: &Installation,
        items: &mut [Item],
    ) -> Result<(), Error> {
        let deadline = Instant::now() + installation.wait;
        while items.iter().any(|item| item.effect.is_none()) {
            self.dead
                .turn(log, |record| note_dead_letter(items, &record))?;
            self.history.turn(log, |record| note_fact(items, &record))?;
            if Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

fn note_fact(items: &mut [Item], record: &Received) {
    let Ok(fact) = history::decode(record) else {
        return;
    };
    for item in items.iter_mut().filter(|item| item.effect.is_none()) {
        if item.is_told_by(&fact) {
            item.effect = Some(Effect::Fact {
                saga: fact.saga.to_string(),
                applied: fact.applied,
                reason: fact.reason.clone(),
                status: fact.status_after,
            });
        }
    }
}

fn note_dead_letter(items: &mut [Item], record: &Received) {
    let Ok(again) = dead_letter::decode(record) else {
        return;
    };
    for item in items.iter_mut().filter(|item| item.effect.is_none()) {
        if item.is_dead_again_in(&again) {
            item.effect = Some(Effect::DeadAgain {
                class: again.class.clone(),
                message: again.message.clone(),
            });
        }
    }
}
