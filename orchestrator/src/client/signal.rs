//! Signals: an operator's act on one instance, and what became of it.
//!
//! ```text
//!  sample the end of the lane's history --> write the signal --> read the history from there --> the fact whose input is the signal
//! ```
//!
//! The signal has a random id. An engine applies a signal with one id once, so the same call may be repeated with the same id.
//!
//! Absent on purpose: judging whether the act is legal. The instance's status decides, at the signal's place in the log.

use std::time::Instant;

use connectors::log::{self, Log};
use saga_lib::id::SagaId;
use saga_lib::input::Signal;
use saga_lib::instance::Status;
use schemas::history::{self, Verdict};
use schemas::inbox;
use schemas::lane::lane_of_saga;
use schemas::record::{Outgoing, Partition, Received};
use schemas::signature;
use serde::Serialize;

use super::read::{Follow, PAUSE};
use super::{Error, Installation};

/// What became of a signal.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The instance.
    pub saga: String,
    /// The signal's id.
    pub signal: String,
    /// Did the instance change?
    pub applied: Verdict,
    /// Why not.
    pub reason: Option<String>,
    /// Status before.
    pub status_before: Option<Status>,
    /// Status after.
    pub status_after: Option<Status>,
    /// Revision after.
    pub revision: Option<u64>,
}

/// Sends a signal and waits for the fact about it.
///
/// # Errors
/// [`Error::Unseen`] if there is none in time; the log's if the signal was certainly not written.
pub fn signal<L: Log>(
    log: &mut L,
    installation: &Installation,
    saga: &SagaId,
    signal: &Signal,
) -> Result<Outcome, Error> {
    let lane = lane_of_saga(saga, installation.lanes);
    let history = Partition::new(installation.names.history(), lane);
    let mut follow = Follow::begin(log, vec![history])?;
    let mut record = inbox::encode_signal(&installation.names, installation.lanes, saga, signal);
    signature::sign(
        &installation.keys,
        installation.names.app(),
        lane,
        &mut record,
    );
    send(log, installation, &record)?;
    let deadline = Instant::now() + installation.wait;
    loop {
        let mut found = None;
        follow.turn(log, |record| {
            found = found.take().or_else(|| outcome(&record, saga, &signal.id));
        })?;
        if let Some(outcome) = found {
            return Ok(outcome);
        }
        if Instant::now() >= deadline {
            return Err(unseen(saga, &signal.id));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Writes one record and waits until it is acknowledged.
fn send<L: Log>(log: &mut L, installation: &Installation, record: &Outgoing) -> Result<(), Error> {
    log.produce_plain(record, 0)?;
    let delivery = log.deliveries_plain(installation.wait).into_iter().next();
    match delivery.map(|d| d.result) {
        Some(Ok(_)) => Ok(()),
        Some(Err(error @ log::Error::Unknown { .. })) => Err(Error::Unseen(format!(
            "the signal may or may not have been written: {error}"
        ))),
        Some(Err(error)) => Err(error.into()),
        None => Err(Error::Unseen(
            "the signal was sent, but the broker did not acknowledge it in time".into(),
        )),
    }
}

fn outcome(record: &Received, saga: &SagaId, signal: &str) -> Option<Outcome> {
    // A record that is no fact is somebody else's; it cannot be the answer.
    let fact = history::decode(record).ok()?;
    if fact.input.id != signal || fact.saga != *saga {
        return None;
    }
    Some(Outcome {
        saga: saga.to_string(),
        signal: signal.to_owned(),
        applied: fact.applied,
        reason: fact.reason,
        status_before: fact.status_before,
        status_after: fact.status_after,
        revision: fact.revision_after,
    })
}

fn unseen(saga: &SagaId, signal: &str) -> Error {
    Error::Unseen(format!(
        "signal {signal} to `{saga}` was sent, but no fact about it was seen in time: is an engine running, \
         and does it require signatures (`--secret-file`)?"
    ))
}
