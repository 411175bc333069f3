//! Participants with a memory of ids, by the rules that the SDK keeps: one effect per forward command, whatever comes and how often.
//!
//! Whether a command is refused for good follows from its id; whether an answer is lost, late, doubled or a failure is chance.
//!
//! Absent on purpose: groups and offsets of participants. A command is taken once, unless it is delivered again.

use std::collections::BTreeMap;

use connectors::participant::ledger::{self, Entry};
use connectors::participant::{Answer, Command};
use saga_lib::id::CommandId;
use schemas::command::{decode_command, encode_reply};
use schemas::record::{Outgoing, Partition};
use serde_json::json;

use super::fault::Fault;
use super::world::State;

/// Topics of commands, and their partitions.
pub const TOPICS: [(&str, u32); 4] = [
    ("stock.commands", 1),
    ("payment.commands", 2),
    ("shipping.commands", 1),
    ("mail.commands", 1),
];

/// All participants.
#[derive(Debug, Default)]
pub struct Services {
    cursors: BTreeMap<Partition, i64>,
    /// One entry per forward command.
    pub ledger: BTreeMap<String, Entry>,
    /// Replies on their way, and when they are written.
    outbox: Vec<(i64, Outgoing)>,
    /// Commands that are delivered once more, and when.
    again: Vec<(i64, Command)>,
    seen: u64,
    /// Decides what is refused.
    seed: u64,
}

impl Services {
    /// Participants whose refusals follow from this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// Reads new commands, and writes the replies that are due.
    pub fn work(&mut self, state: &mut State) {
        if self.seen != state.broker.version {
            self.seen = state.broker.version;
            for command in self.read(state) {
                self.take(state, command);
            }
        }
        let now = state.now_ms;
        let again: Vec<_> = self.again.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, command) in again {
            self.take(state, command);
        }
        for (_, reply) in self.outbox.extract_if(.., |(at, _)| *at <= now) {
            state.tell(|| format!("reply {:?}", reply.headers.text("ce_id")));
            // The inbox exists from the beginning.
            drop(state.broker.append(&reply, now));
        }
    }

    /// When something is due.
    pub fn next_event(&self) -> Option<i64> {
        let replies = self.outbox.iter().map(|(at, _)| *at);
        replies.chain(self.again.iter().map(|(at, _)| *at)).min()
    }

    fn read(&mut self, state: &mut State) -> Vec<Command> {
        let mut commands = Vec::new();
        for (topic, partitions) in TOPICS {
            for number in 0..partitions {
                let partition = Partition::new(topic, number);
                let from = self.cursors.get(&partition).copied().unwrap_or_default();
                let Ok((records, next)) = state.broker.fetch(&partition, from, i64::MAX, 1000)
                else {
                    continue;
                };
                self.cursors.insert(partition, next);
                commands.extend(records.iter().filter_map(|r| decode_command(r).ok()));
            }
        }
        commands
    }

    fn take(&mut self, state: &mut State, command: Command) {
        if state.strikes(Fault::CommandAgain) {
            let at_ms = state.now_ms + state.luck.ms(1, 6000);
            self.again.push((at_ms, command.clone()));
        }
        let answer = self.answer(state, &command);
        let forgets = state.strikes(Fault::ParticipantForgets);
        let Some(reply) = answer.reply() else { return };
        let reply = if forgets {
            encode_reply(&command, "failed", &json!(null), None, Some("perhaps"))
        } else {
            let (code, reason) = (reply.code.as_deref(), reply.reason.as_deref());
            encode_reply(&command, &reply.outcome, &reply.payload, code, reason)
        };
        self.send(state, reply);
    }

    fn send(&mut self, state: &mut State, mut reply: Outgoing) {
        if state.lanes > 1 && state.strikes(Fault::ReplyElsewhere) {
            reply.partition = Some(state.luck.below(state.lanes as usize) as u32);
        }
        if state.strikes(Fault::ReplyLost) {
            return;
        }
        let mut at_ms = state.now_ms + state.chance.ms(0, 40);
        if state.strikes(Fault::ReplyLate) {
            at_ms += state.luck.ms(100, 8000);
        }
        if state.strikes(Fault::ReplyTwice) {
            let again = at_ms + state.luck.ms(0, 4000);
            self.outbox.push((again, reply.clone()));
        }
        self.outbox.push((at_ms, reply));
    }

    /// The SDK's rules over the ledger.
    fn answer(&mut self, state: &mut State, command: &Command) -> Answer {
        let forward = command.compensates.clone();
        let key = forward.as_ref().unwrap_or(&command.id).to_string();
        let entry = self.ledger.get(&key).cloned().unwrap_or_default();
        let fails = state.strikes(Fault::ParticipantFails);
        let refuses = self.refuses(&command.id);
        let run = || match (fails, refuses) {
            (true, _) => Answer::failed("busy", "try again"),
            (false, true) => Answer::refused("no", "not for you"),
            (false, false) => Answer::ok(json!({ "done": true })),
        };
        let (entry, answer) = match forward {
            Some(_) => ledger::compensate(&entry, run),
            None => ledger::forward(&entry, run),
        };
        state.tell(|| format!("command {} #{}: {entry:?}", command.id, command.attempt));
        if let Some(entry) = entry {
            self.ledger.insert(key, entry);
        }
        answer
    }

    /// One command of ten is refused, whoever asks; a compensation or a mail never is.
    fn refuses(&self, id: &CommandId) -> bool {
        let text = id.to_string();
        let mut hash = self.seed;
        for byte in text.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        id.compensation.is_none() && !text.ends_with("/tell") && (hash >> 7).is_multiple_of(10)
    }
}
