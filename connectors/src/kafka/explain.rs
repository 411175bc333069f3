//! What a refused record means, where its code does not say it: which of a failed batch is to blame, and which topic is gone.
//!
//! Three cases. A broker refuses a batch as a whole, so small records fail with a large one. A topic that was deleted makes its records
//! time out like a silent broker does. A topic that a transaction may not write to fails all of its records without naming any.
//! Blame matters: it sets aside what caused the record.
//!
//! Absent on purpose: certainty in an outage. What cannot be asked stays doubtful.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::log::{Delivery, Error};

use super::admin::Admin;
use super::context::Witness;
use super::probe::Probe;
use super::writer::Refusal;

/// The refusals as the caller sees them.
pub fn deliveries(
    refused: &[Refusal],
    witness: &Witness,
    probe: &Probe,
    admin: &mut Admin,
) -> Vec<Delivery> {
    if refused.is_empty() {
        return Vec::new();
    }
    let gone = gone(refused, probe);
    let fitting = fitting(refused, probe, admin);
    let cause = witness.transaction_error().unwrap_or_default();
    let explained = refused.iter().map(|refusal| {
        let topic = &refusal.topic;
        let result = if gone.contains(topic) {
            record(topic, "it does not exist any more")
        } else if witness.is_denied(topic) {
            record(topic, "not authorised")
        } else if fitting.contains(&refusal.token) {
            abortable(topic, "the batch was too large", &cause)
        } else {
            with_cause(refusal.error(), &cause)
        };
        (refusal.token, result)
    });
    let delivery = |(token, error)| Delivery {
        token,
        result: Err(error),
    };
    explained.map(delivery).collect()
}

/// Topics that timed out and do not exist. The first silence ends the questions: then it is the broker.
fn gone(refused: &[Refusal], probe: &Probe) -> BTreeSet<String> {
    let silent = refused.iter().filter(|refusal| is_silent(refusal.code));
    let topics: BTreeSet<&String> = silent.map(|refusal| &refusal.topic).collect();
    let mut gone = BTreeSet::new();
    for topic in topics {
        match probe.exists(topic, ASK) {
            Some(true) => {}
            Some(false) => {
                gone.insert(topic.clone());
            }
            None => break,
        }
    }
    gone
}

fn is_silent(code: Code) -> bool {
    matches!(
        code,
        Code::MessageTimedOut
            | Code::OperationTimedOut
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopic
    )
}

/// Tokens of records that were called too large and are not.
fn fitting(refused: &[Refusal], probe: &Probe, admin: &mut Admin) -> BTreeSet<u64> {
    let called: Vec<&Refusal> = refused
        .iter()
        .filter(|r| r.code == Code::MessageSizeTooLarge)
        .collect();
    let topics: BTreeSet<&String> = called.iter().map(|refusal| &refusal.topic).collect();
    let mut tokens = BTreeSet::new();
    for topic in topics {
        let Some(limit) = limit(topic, probe, admin) else {
            continue;
        };
        let of_topic = called.iter().filter(|refusal| refusal.topic == *topic);
        let fit = of_topic.filter(|refusal| refusal.bytes + BATCH_OVERHEAD < limit);
        tokens.extend(fit.map(|refusal| refusal.token));
    }
    tokens
}

fn limit(topic: &str, probe: &Probe, admin: &mut Admin) -> Option<usize> {
    let partitions = probe.partitions(topic).ok()??;
    admin.describe(topic, partitions).ok()?.message_bytes_max
}

fn record(topic: &str, what: &str) -> Error {
    Error::Record {
        reason: format!("topic {topic}: {what}"),
    }
}

fn abortable(topic: &str, what: &str, cause: &str) -> Error {
    let reason = format!("topic {topic}: {what}");
    with_cause(Error::Abortable { reason }, cause)
}

fn with_cause(error: Error, cause: &str) -> Error {
    match error {
        Error::Abortable { reason } if !cause.is_empty() => Error::Abortable {
            reason: format!("{reason}; {cause}"),
        },
        other => other,
    }
}

/// What a batch of one record adds to its key and value, headers of usual size included.
const BATCH_OVERHEAD: usize = 1024;

/// How long a live cluster may take to say whether a topic exists.
const ASK: Duration = Duration::from_secs(1);
