//! Replay: dead letters sent back, and what became of each.
//!
//! A dead letter goes to `<app>.redrive`, which only ingress reads, or, if it was an inbox record, to its lane, signed anew. What
//! counts is the effect: the fact that names the record, or a new dead letter with the same origin.
//!
//! ```text
//! for each: write down what will be sent --> send --> write down that it was sent    then for all: watch --> write down what became of it
//! ```
//!
//! Each arrow waits for the acknowledgement of what is before it. So whoever is interrupted can go on (see [`super::resume`]), and nothing
//! was sent that is not written down.
//!
//! Absent on purpose: moving, and the original topic, unless it is asked for: other consumers would see the record again.

mod item;
mod watch;

use std::time::Duration;

use connectors::log::{Class, Log};
use saga_lib::instance::Status;
use schemas::audit::Action;
use schemas::dead_letter::DeadLetter;
use schemas::history::Verdict;
use schemas::record::Outgoing;
use schemas::{redrive, signature};
use serde::Serialize;

pub(super) use item::applied_word;

use item::Item;
use watch::Watch;

use super::audit::{self, Audit};
use super::dead_letters::origin;
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

/// What a replay did.
#[derive(Debug)]
pub struct Report {
    /// Each dead letter, in the order in which they were given.
    pub replayed: Vec<Replayed>,
    /// Why results are missing in the audit, if some are.
    pub unaudited: Option<String>,
    /// Why effects were not looked for to the end, if that is so: those are [`Effect::Unseen`].
    pub unwatched: Option<String>,
}

/// Sends dead letters back and waits for what becomes of them.
///
/// # Errors
/// The log's, before anything is sent. A record that cannot be written, or written down, is no error but its [`Effect::NotSent`], and an
/// effect that cannot be read is [`Effect::Unseen`].
pub fn replay<L: Log>(
    log: &mut L,
    installation: &Installation,
    audit: &Audit,
    letters: &[DeadLetter],
    options: Options,
) -> Result<Report, Error> {
    let mut watch = Watch::begin(log, installation)?;
    let mut sender = Sender {
        installation,
        audit,
        options,
        stopped: None,
    };
    let pause = Duration::from_secs(1) / options.rate.max(1);
    let run = uuid::Uuid::new_v4();
    let mut items = Vec::new();
    for (number, letter) in letters.iter().enumerate() {
        if number > 0 && sender.stopped.is_none() {
            std::thread::sleep(pause);
        }
        let mut item = sender.item(letter, format!("{run}/{number}"));
        sender.send(log, &mut item);
        items.push(item);
    }
    let watched = watch.until_known(log, installation, &mut items);
    let results = || {
        items
            .iter()
            .find_map(|item| audit.after(log, &item.ended()))
    };
    let unaudited = sender.stopped.or_else(results);
    Ok(Report {
        replayed: items.into_iter().map(Item::replayed).collect(),
        unaudited,
        unwatched: watched.err().map(|error| error.to_string()),
    })
}

/// Sends one after the other.
struct Sender<'a> {
    installation: &'a Installation,
    audit: &'a Audit,
    options: Options,
    /// Why nothing more is sent: the audit cannot be written.
    stopped: Option<String>,
}

impl Sender<'_> {
    fn item(&self, letter: &DeadLetter, act: String) -> Item {
        let names = &self.installation.names;
        let in_lane = letter.partition.topic == names.inbox();
        let to = match in_lane || self.options.to_origin {
            true => letter.partition.topic.clone(),
            false => names.redrive(),
        };
        let operator = self.audit.operator();
        let mut entry = operator.entry(Action::DlqReplay, act, letter.position.clone());
        entry.detail = Some(format!("{} ({}) to {to}", origin(letter), letter.class));
        Item {
            letter: letter.clone(),
            in_lane,
            written: None,
            effect: None,
            entry,
        }
    }

    fn send<L: Log>(&mut self, log: &mut L, item: &mut Item) {
        let stopped = self.stopped.as_ref();
        let refused = stopped.map(|why| format!("stopped before it: {why}"));
        let refused = refused.or_else(|| refusal(&item.letter, item.in_lane, self.options));
        if let Some(reason) = refused.or_else(|| self.announce(log, item)) {
            item.effect = Some(Effect::NotSent { reason });
            return;
        }
        let record = outgoing(self.installation, &item.letter, item.in_lane, self.options);
        match audit::write(log, &record, self.installation.wait) {
            Ok(place) => {
                item.written = Some(place);
                if self.options.to_origin && !item.in_lane {
                    item.effect = Some(Effect::SentToOrigin);
                }
                self.stopped = self.audit.after(log, &item.sent());
            }
            // Perhaps it was written: what becomes of it will be seen, or not.
            Err(error) if error.class() == Class::Doubt => {}
            Err(error) => {
                let reason = error.to_string();
                item.effect = Some(Effect::NotSent { reason });
            }
        }
    }

    /// Writes down what will be sent; answers why it must not be.
    fn announce<L: Log>(&mut self, log: &mut L, item: &Item) -> Option<String> {
        let written = self.audit.before(log, &item.entry);
        self.stopped = written.err().map(|error| error.to_string());
        self.stopped.clone()
    }
}

/// Signing what came without a signature would make a forged record a genuine one; half a record would be another one.
fn refusal(letter: &DeadLetter, in_lane: bool, options: Options) -> Option<String> {
    if let Some(part) = &letter.left_out {
        return Some(format!(
            "it lacks the {part}, which was too large to be set aside; publish the record again, smaller"
        ));
    }
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
