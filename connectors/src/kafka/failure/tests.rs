use super::*;
use crate::log::Class;

fn class(code: Code) -> Class {
    of_code(code, String::new()).class()
}

#[test]
fn what_names_its_record_is_the_records_fault() {
    for code in [
        Code::MessageSizeTooLarge,
        Code::UnknownTopic,
        Code::TopicAuthorizationFailed,
    ] {
        assert_eq!(class(code), Class::Record);
    }
}

#[test]
fn takeovers_are_nobodys_fault() {
    for code in [
        Code::Fenced,
        Code::InvalidProducerEpoch,
        Code::IllegalGeneration,
        Code::UnknownMemberId,
    ] {
        assert_eq!(class(code), Class::Ownership);
    }
}

#[test]
fn silence_is_doubt() {
    for code in [
        Code::OperationTimedOut,
        Code::MessageTimedOut,
        Code::BrokerTransportFailure,
        Code::AllBrokersDown,
    ] {
        assert!(matches!(
            of_code(code, String::new()),
            Error::Unknown { .. }
        ));
    }
}

#[test]
fn a_purged_record_only_ends_its_transaction() {
    assert_eq!(class(Code::PurgeQueue), Class::Batch);
}

#[test]
fn a_read_is_never_a_records_fault() {
    let error = KafkaError::MetadataFetch(Code::UnknownTopicOrPartition);
    assert!(matches!(of_read(&error, "read"), Error::Unknown { .. }));
}
