use super::*;

#[test]
fn a_denied_topic_is_found_in_the_log_line() {
    let witness = Witness::new("client");
    let line = |what: &str| {
        format!(
            "[thrd:main]: b/1: Failed to add partition \"orders\" [0] to transaction: Broker: {what}"
        )
    };
    witness.log(Level::Error, "ADDPARTS", &line("Operation not attempted"));
    assert!(!witness.is_denied("orders"));
    witness.log(
        Level::Error,
        "ADDPARTS",
        &line("Topic authorization failed"),
    );
    assert!(witness.is_denied("orders") && !witness.is_denied("order"));
    witness.forget_transaction();
    assert!(!witness.is_denied("orders"));
}

#[test]
fn the_first_transaction_error_is_kept() {
    let witness = Witness::new("client");
    witness.log(Level::Error, "TXNERR", "cause");
    witness.log(Level::Error, "TXNERR", "consequence");
    assert_eq!(witness.transaction_error().as_deref(), Some("cause"));
}

#[test]
fn transport_events_are_counted() {
    let witness = Witness::new("client");
    witness.log(Level::Error, "FAIL", "broken pipe");
    witness.log(Level::Warning, "REQTMOUT", "timed out");
    witness.error(
        KafkaError::Global(Code::BrokerTransportFailure),
        "disconnected",
    );
    witness.error(KafkaError::Global(Code::PartitionEOF), "");
    assert_eq!(witness.transport_events(), 3);
}
