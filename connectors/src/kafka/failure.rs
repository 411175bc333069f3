//! What the client library's errors mean to the caller.
//!
//! Absent on purpose: an error type. [`crate::log::Error`] is the only one.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaError, RDKafkaErrorCode as Code};

use crate::log::Error;

/// The meaning of an error of a call.
pub fn of(error: &KafkaError, what: &str) -> Error {
    match error {
        KafkaError::Transaction(error) => of_transaction(error, what),
        KafkaError::AdminOp(code) => of_code(*code, format!("{what}: {error}")),
        _ => match error.rdkafka_error_code() {
            Some(code) => of_code(code, format!("{what}: {error}")),
            None => Error::Fatal {
                reason: format!("{what}: {error}"),
            },
        },
    }
}

/// The meaning of an error of a call that writes no record, so it cannot be a record's fault.
pub fn of_read(error: &KafkaError, what: &str) -> Error {
    match of(error, what) {
        Error::Record { reason } => Error::Unknown { reason },
        other => other,
    }
}

/// The meaning of an error code alone.
pub fn of_code(code: Code, reason: String) -> Error {
    match code {
        code if is_record(code) => Error::Record { reason },
        code if is_fenced(code) => Error::Fenced { reason },
        code if is_generation(code) => Error::Generation { reason },
        code if is_abortable(code) => Error::Abortable { reason },
        code if is_fatal(code) => Error::Fatal { reason },
        // Timeouts, transport, elections, loading coordinators, and what newer brokers may add: it may or may not have happened.
        _ => Error::Unknown { reason },
    }
}

/// Asks again while the partition has no leader that this client knows: right after a topic was created, and during elections.
pub fn while_leaderless<T>(
    wait: Duration,
    mut ask: impl FnMut() -> Result<T, KafkaError>,
) -> Result<T, KafkaError> {
    let deadline = Instant::now() + wait;
    loop {
        let told = ask();
        let code = told.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        let leaderless = matches!(
            code,
            Some(Code::NotLeaderForPartition | Code::LeaderNotAvailable)
        );
        if !leaderless || Instant::now() >= deadline {
            return told;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// No answer within the time limit.
pub fn timeout(what: &str) -> Error {
    Error::Unknown {
        reason: format!("{what}: timed out"),
    }
}

/// A call that needs group membership.
pub fn no_group() -> Error {
    Error::Fatal {
        reason: "opened without a group".to_owned(),
    }
}

/// A call that needs the transactional producer.
pub fn no_transactions() -> Error {
    Error::Fatal {
        reason: "opened without a transactional id".to_owned(),
    }
}

/// A call that needs a producer whose replacement failed.
pub fn no_producer() -> Error {
    Error::Unknown {
        reason: "the producer is being replaced".to_owned(),
    }
}

/// The code is looked at before the flags: an old generation is abortable and a fenced producer fatal, but each means more than that.
fn of_transaction(error: &RDKafkaError, what: &str) -> Error {
    let reason = format!("{what}: {error} ({})", error.name());
    match error.code() {
        code if is_fenced(code) => Error::Fenced { reason },
        code if is_generation(code) => Error::Generation { reason },
        _ if error.is_fatal() => Error::Fatal { reason },
        _ if error.txn_requires_abort() => Error::Abortable { reason },
        Code::State => Error::Fatal { reason },
        _ => Error::Unknown { reason },
    }
}

fn is_record(code: Code) -> bool {
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::MessageBatchTooLarge
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::InvalidTopic
            | Code::InvalidArgument
            | Code::PolicyViolation
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopicId
            | Code::TopicAuthorizationFailed
    )
}

fn is_fenced(code: Code) -> bool {
    matches!(
        code,
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch
    )
}

fn is_generation(code: Code) -> bool {
    matches!(
        code,
        Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::RebalanceInProgress
            | Code::FencedInstanceId
            | Code::FencedMemberEpoch
            | Code::StaleMemberEpoch
            | Code::AssignmentLost
    )
}

fn is_abortable(code: Code) -> bool {
    matches!(
        code,
        Code::PurgeQueue
            | Code::PurgeInflight
            | Code::InvalidDifferentRecord
            | Code::GaplessGuarantee
            | Code::UnknownProducerId
            | Code::InvalidProducerIdMapping
            | Code::State
    )
}

fn is_fatal(code: Code) -> bool {
    matches!(
        code,
        Code::Fatal
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::ClusterAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::InvalidTransactionalState
            | Code::InvalidTransactionTimeout
            | Code::InvalidSessionTimeout
            | Code::InconsistentGroupProtocol
            | Code::InvalidGroupId
            | Code::UnsupportedFeature
            | Code::UnsupportedVersion
            | Code::NotImplemented
    )
}

#[cfg(test)]
mod tests;
