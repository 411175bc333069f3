//! Going on with a replay that was interrupted: what the audit says was sent is not sent again.
//!
//! A dead letter whose replay was begun, but not certainly sent, is sent again: it keeps its ids, so a second copy has no effect.
//!
//! Absent on purpose: a place where a replay stands. Filters may differ from call to call; each dead letter stands for itself.

use std::collections::BTreeMap;

use connectors::log::Log;
use schemas::audit::{self, Action};
use schemas::dead_letter::DeadLetter;
use schemas::record::{Partition, Received};

use super::{Error, Installation, read};

/// Dead letters that were not replayed yet, in their order, and the number of the others.
///
/// # Errors
/// The log's.
pub fn not_replayed<L: Log>(
    log: &mut L,
    installation: &Installation,
    letters: Vec<DeadLetter>,
) -> Result<(Vec<DeadLetter>, usize), Error> {
    let (before, sent) = (letters.len(), sent(log, installation)?);
    // A place tells a dead letter only as long as its topic lives: one that came later is another one.
    let was_sent = |letter: &DeadLetter| {
        let at_ms = sent.get(&letter.position);
        at_ms.is_some_and(|at_ms| *at_ms >= letter.timestamp_ms)
    };
    let left: Vec<_> = letters.into_iter().filter(|l| !was_sent(l)).collect();
    let others = before - left.len();
    Ok((left, others))
}

/// Positions of dead letters that were sent, and when they last were, by the log's clock, ms.
fn sent<L: Log>(log: &mut L, installation: &Installation) -> Result<BTreeMap<String, i64>, Error> {
    let mut sent = BTreeMap::new();
    let topic = installation.names.audit();
    let partitions = log.topic(&topic)?.map_or(0, |info| info.partitions);
    for number in 0..partitions {
        read::all(log, &Partition::new(&topic, number), |record| {
            sent.extend(sent_by(&record));
        })?;
    }
    Ok(sent)
}

/// What no entry of ours is says nothing about dead letters.
fn sent_by(record: &Received) -> Option<(String, i64)> {
    let entry = audit::decode(record).ok()?;
    let is_sent = entry.action == Action::DlqReplay && entry.result?.is_sent();
    is_sent.then_some((entry.subject, record.timestamp_ms))
}
