//! Getting replies acknowledged, however long it takes.
//!
//! Absent on purpose: exactly-once. A reply whose fate is unknown is sent again; the second one is ignored by Skald.

use std::time::Duration;

use schemas::record::Outgoing;
use tracing::warn;

use super::stop::Stop;
use crate::log::{Class, Delivery, Error, Log};

/// Sends replies until each is acknowledged or refused for what it is; `false` if asked to stop before that.
pub(super) fn send_all<L: Log>(log: &mut L, mut replies: Vec<Outgoing>, stop: &Stop) -> bool {
    loop {
        replies = send_once(log, replies);
        if replies.is_empty() {
            return true;
        }
        if stop.pause(AGAIN_AFTER) {
            return false;
        }
        if let Err(error) = log.replace_producers() {
            warn!(error = %error, "Producer of replies could not be replaced.");
        }
    }
}

/// Sends replies once; answers those that are to be sent again.
fn send_once<L: Log>(log: &mut L, replies: Vec<Outgoing>) -> Vec<Outgoing> {
    // What an earlier round left unanswered must not be taken for an answer of this one.
    let _ = log.deliveries_plain(Duration::ZERO);
    let mut done = vec![false; replies.len()];
    let mut open = 0;
    for (token, reply) in (0..).zip(&replies) {
        match log.produce_plain(reply, token) {
            Ok(()) => open += 1,
            Err(error) => note(&mut done, token, Err(error)),
        }
    }
    while open > 0 {
        let deliveries = log.deliveries_plain(PATIENCE);
        if deliveries.is_empty() {
            break;
        }
        open -= deliveries.len().min(open);
        for Delivery { token, result } in deliveries {
            note(&mut done, token, result.map(|_| ()));
        }
    }
    let open = replies.into_iter().zip(done).filter(|(_, done)| !done);
    open.map(|(reply, _)| reply).collect()
}

fn note(done: &mut [bool], token: u64, result: Result<(), Error>) {
    let finished = match result {
        Ok(()) => true,
        Err(error) => {
            warn!(error = %error, "Reply was not written.");
            error.class() == Class::Record
        }
    };
    if let Some(done) = usize::try_from(token).ok().and_then(|t| done.get_mut(t)) {
        *done |= finished;
    }
}

/// How long to wait for acknowledgements before sending again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pause before sending again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
