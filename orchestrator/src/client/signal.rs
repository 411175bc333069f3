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

use connectors::log::{Class, Log};
use saga_lib::id::SagaId;
use saga_lib::input::{Act, Signal};
use saga_lib::instance::Status;
use schemas::audit::{self, Action, Entry, State};
use schemas::history::{self, Verdict};
use schemas::inbox;
use schemas::lane::lane_of_saga;
use schemas::record::{Outgoing, Partition, Received};
use schemas::signature;
use serde::Serialize;

use super::audit::{Audit, write};
use super::read::{Follow, PAUSE};
use super::replay::applied_word;
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
    /// Revision before.
    pub revision_before: Option<u64>,
    /// Revision after.
    pub revision: Option<u64>,
    /// Why the result is missing in the audit, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unaudited: Option<String>,
}

/// Sends a signal, waits for the fact about it, and writes both down.
///
/// # Errors
/// [`Error::Unseen`] if there is none in time; [`Error::Unaudited`] or the log's if the signal was certainly not written;
/// [`Error::AlsoUnaudited`] around any of them if that could not be written down.
pub fn signal<L: Log>(
    log: &mut L,
    installation: &Installation,
    audit: &Audit,
    saga: &SagaId,
    signal: &Signal,
) -> Result<Outcome, Error> {
    let entry = announced(audit, saga, signal);
    audit.before(log, &entry)?;
    let result = exchange(log, installation, saga, signal);
    let unaudited = audit.after(log, &ended(entry, &result));
    match (result, unaudited) {
        (Ok(outcome), unaudited) => Ok(Outcome {
            unaudited,
            ..outcome
        }),
        (Err(error), None) => Err(error),
        (Err(error), Some(problem)) => Err(Error::AlsoUnaudited {
            error: Box::new(error),
            problem,
        }),
    }
}

fn announced(audit: &Audit, saga: &SagaId, signal: &Signal) -> Entry {
    let action = match signal.act {
        Act::Cancel { .. } => Action::SagaCancel,
        Act::Retry => Action::SagaRetry,
        Act::RetryWith { .. } => Action::SagaRetryWith,
        Act::Skip { .. } => Action::SagaSkip,
        Act::Suspend => Action::SagaSuspend,
        Act::Resume => Action::SagaResume,
        Act::Terminate { .. } => Action::SagaTerminate,
    };
    let operator = audit.operator();
    let revision = signal.if_revision;
    Entry {
        saga: Some(saga.clone()),
        detail: revision.map(|revision| format!("only at revision {revision}")),
        ..operator.entry(action, signal.id.clone(), saga.to_string())
    }
}

fn ended(entry: Entry, result: &Result<Outcome, Error>) -> Entry {
    let (word, detail, before, after) = match result {
        Ok(outcome) => (
            applied_word(outcome.applied),
            outcome.reason.clone(),
            State::of_instance(outcome.status_before, outcome.revision_before),
            State::of_instance(outcome.status_after, outcome.revision),
        ),
        Err(error @ Error::Log(_)) => {
            (audit::Outcome::NotSent, Some(error.to_string()), None, None)
        }
        Err(error) => (audit::Outcome::Unseen, Some(error.to_string()), None, None),
    };
    Entry {
        result: Some(word),
        detail,
        before,
        after,
        ..entry
    }
}

fn exchange<L: Log>(
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
        let turned = follow.turn(log, |record| {
            found = found.take().or_else(|| outcome(&record, saga, &signal.id));
        });
        turned.map_err(|error| {
            Error::Unseen(format!(
                "signal {} to `{saga}` was sent, but the history cannot be read: {error}",
                signal.id
            ))
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
    match write(log, record, installation.wait) {
        Ok(_place) => Ok(()),
        Err(error) if error.class() == Class::Doubt => Err(Error::Unseen(format!(
            "the signal may or may not have been written: {error}"
        ))),
        Err(error) => Err(error.into()),
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
        revision_before: fact.revision_before,
        revision: fact.revision_after,
        unaudited: None,
    })
}

fn unseen(saga: &SagaId, signal: &str) -> Error {
    Error::Unseen(format!(
        "signal {signal} to `{saga}` was sent, but no fact about it was seen in time: is an engine running, \
         and does it require signatures (`--secret-file`)?"
    ))
}
