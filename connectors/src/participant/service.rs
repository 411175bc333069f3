//! The loop of one participant: poll, answer, get acknowledged, commit.
//!
//! | crash after     | means                                                                             |
//! |-----------------|-----------------------------------------------------------------------------------|
//! | poll            | the commands come again                                                           |
//! | handler         | they come again and are told what the ledger remembers                            |
//! | acknowledgement | the same, so the reply stands twice                                               |
//! | commit          | nothing is lost but replies held back on purpose                                  |
//!
//! Absent on purpose: decisions about effects (see [`super::ledger`]).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use schemas::command::{decode_command, encode_reply};
use schemas::record::{Outgoing, Partition, Received};
use tracing::{error, warn};

use super::answer::{Answer, Manner, Reply};
use super::delayed::Delayed;
use super::handlers::Handlers;
use super::outbox::send_all;
use super::{Command, Ledger, Stop};
use crate::log::{Bounds, Error, Log, Options};

/// A participant at work.
pub(super) struct Service<G: Ledger> {
    pub(super) options: Options,
    pub(super) handlers: Handlers,
    pub(super) ledger: G,
    pub(super) delayed: Delayed,
    pub(super) stop: Stop,
}

impl<G: Ledger> Service<G> {
    /// Works until asked to stop; a broken log is opened again.
    pub(super) fn run<L: Log>(mut self, cluster: &L::Cluster) {
        while !self.stop.asked() {
            let result = L::open(cluster, &self.options).and_then(|log| self.work(log));
            if let Err(error) = result {
                error!(group = %self.options.client_id, error = %error, "Participant lost its log and opens it again.");
                self.stop.pause(REOPEN_AFTER);
            }
        }
    }

    fn work<L: Log>(&mut self, mut log: L) -> Result<(), Error> {
        while !self.stop.asked() {
            let wait = self.delayed.wait(Instant::now(), TICK);
            match log.poll(Bounds { wait, ..BOUNDS }) {
                Ok(polled) => self.answer_all(&mut log, &polled.records),
                Err(Error::OutOfRange { partition, reason }) => {
                    warn!(?partition, %reason, "Commands were removed before they were read.");
                    let begin = log.extent(&partition)?.begin;
                    log.start(&partition, begin)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn answer_all<L: Log>(&mut self, log: &mut L, records: &[Received]) {
        let mut replies = self.delayed.take_due(Instant::now());
        for record in records {
            self.answer(record, &mut replies);
        }
        if send_all(log, replies, &self.stop) && !records.is_empty() {
            commit(log, records);
        }
    }

    fn answer(&mut self, record: &Received, replies: &mut Vec<Outgoing>) {
        let command = match decode_command(record) {
            Ok(command) => command,
            // Nobody can be told: where a reply would go to is part of what cannot be read.
            Err(error) => {
                warn!(partition = ?record.partition, offset = record.offset, error = %error, "Record is no command.");
                return;
            }
        };
        let answer = self.handlers.answer(&mut self.ledger, &command);
        self.tell(&command, &answer, replies);
    }

    fn tell(&mut self, command: &Command, answer: &Answer, replies: &mut Vec<Outgoing>) {
        let Some(reply) = answer.reply().map(|reply| encode(command, reply)) else {
            return;
        };
        match answer.manner {
            Manner::Once => replies.push(reply),
            Manner::Twice => replies.extend([reply.clone(), reply]),
            Manner::Later(after) => self.delayed.hold(Instant::now() + after, reply),
            Manner::Lost => {}
        }
    }
}

fn encode(command: &Command, reply: &Reply) -> Outgoing {
    let (code, reason) = (reply.code.as_deref(), reply.reason.as_deref());
    encode_reply(command, &reply.outcome, &reply.payload, code, reason)
}

/// Failing to commit is harmless: the commands come again and are told the same.
fn commit<L: Log>(log: &mut L, records: &[Received]) {
    let mut next: BTreeMap<Partition, i64> = BTreeMap::new();
    for record in records {
        next.insert(record.partition.clone(), record.offset + 1);
    }
    let offsets: Vec<_> = next.into_iter().collect();
    if let Err(error) = log.commit_offsets(&offsets) {
        warn!(error = %error, "Offsets of commands were not committed.");
    }
}

/// How long a poll waits at most: what a request to stop waits for.
const TICK: Duration = Duration::from_millis(100);

/// Pause before a broken log is opened again.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// Bounds of a poll.
const BOUNDS: Bounds = Bounds {
    records: 500,
    bytes: 4 << 20,
    wait: TICK,
};
