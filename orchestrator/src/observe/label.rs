//! From words of plans to labels of metrics.
//!
//! Absent on purpose: words of definitions; they are no closed sets.

use connectors::store;
use saga_lib::instance::Status;

use crate::metric::label::{
    CompensationOutcome, InputKind, SagaOutcome, Skip, StepOutcome, StoreError, TopicClass,
};
use crate::worker::role::OutputClass;

pub(super) fn store_error(error: &store::Error) -> StoreError {
    let store::Error::Refused { reason } = error else {
        return StoreError::Connection;
    };
    let words = [
        ("OOM", StoreError::Oom),
        ("NOPERM", StoreError::NoPerm),
        ("READONLY", StoreError::ReadOnly),
        ("timed out", StoreError::Timeout),
    ];
    words
        .iter()
        .find(|(word, _)| reason.contains(word))
        .map_or(StoreError::Script, |(_, kind)| *kind)
}

pub(super) fn input_kind(word: &str) -> InputKind {
    match word {
        "event" => InputKind::Event,
        "awaited" => InputKind::Awaited,
        "reply" => InputKind::Reply,
        "timer" => InputKind::Timer,
        "signal" => InputKind::Signal,
        "expire" => InputKind::Expire,
        _ => InputKind::Unknown,
    }
}

pub(super) fn skip(word: &str) -> Option<Skip> {
    match word {
        "no_match" => Some(Skip::NoMatch),
        "duplicate" => Some(Skip::Duplicate),
        "filtered" => Some(Skip::Filtered),
        "late" | "finished" => Some(Skip::Late),
        "early_timer" => Some(Skip::EarlyTimer),
        "orphan" => Some(Skip::Orphan),
        "tombstone" => Some(Skip::Tombstone),
        "stale" | "stale_timer" => Some(Skip::Stale),
        "forwarded" => Some(Skip::Forwarded),
        "queue_full" => Some(Skip::QueueFull),
        _ => None,
    }
}

pub(super) fn topic_class(class: OutputClass) -> TopicClass {
    match class {
        OutputClass::Command => TopicClass::Command,
        OutputClass::Event | OutputClass::Orphan => TopicClass::Event,
        OutputClass::History => TopicClass::History,
        OutputClass::Journal | OutputClass::Header => TopicClass::Journal,
        OutputClass::Inbox => TopicClass::Inbox,
        OutputClass::DeadLetter => TopicClass::DeadLetter,
    }
}

pub(super) fn step_outcome(word: &str) -> StepOutcome {
    match word {
        "succeeded" => StepOutcome::Succeeded,
        "refused" => StepOutcome::Refused,
        "skipped" => StepOutcome::Skipped,
        _ => StepOutcome::Unknown,
    }
}

pub(super) fn compensation_outcome(word: &str) -> CompensationOutcome {
    match word {
        "confirmed" => CompensationOutcome::Confirmed,
        "refused" => CompensationOutcome::Refused,
        _ => CompensationOutcome::Failed,
    }
}

pub(super) fn saga_outcome(status: Status) -> Option<SagaOutcome> {
    match status {
        Status::Completed => Some(SagaOutcome::Completed),
        Status::Compensated => Some(SagaOutcome::Compensated),
        Status::Terminated => Some(SagaOutcome::Terminated),
        Status::Running
        | Status::Compensating
        | Status::Parked
        | Status::Suspended
        | Status::Early => None,
    }
}

#[cfg(test)]
mod tests {
    use saga_lib::transition::Reason;
    use schemas::history::reason_word;

    use super::*;

    #[test]
    fn every_reason_to_skip_is_counted() {
        let reasons = [
            Reason::Duplicate,
            Reason::Late,
            Reason::StaleTimer,
            Reason::EarlyTimer,
            Reason::Orphan,
            Reason::QueueFull,
            Reason::Finished,
        ];
        let of_plans = ["no_match", "filtered", "tombstone", "stale", "forwarded"];
        for word in reasons.map(reason_word).into_iter().chain(of_plans) {
            assert!(skip(word).is_some(), "{word}");
        }
    }

    #[test]
    fn every_kind_of_input_is_known() {
        for word in ["event", "awaited", "reply", "timer", "signal", "expire"] {
            assert_ne!(input_kind(word), InputKind::Unknown, "{word}");
        }
    }
}
