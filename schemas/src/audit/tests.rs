use super::*;

fn entry(result: Option<Outcome>) -> Entry {
    Entry {
        act: "7d9f".to_owned(),
        actor: "ann@ops-1".to_owned(),
        action: Action::SagaCancel,
        subject: "order/ORD-1".to_owned(),
        saga: Some(SagaId::new("order", "ORD-1").unwrap()),
        why: Some("the customer called".to_owned()),
        at_ms: 1_000,
        result,
        detail: None,
        before: Some(State {
            status: Some(Status::Running),
            revision: Some(3),
            version: None,
        }),
        after: None,
    }
}

fn encoded(entry: &Entry) -> Received {
    encode(&Topics::new("shop").unwrap(), entry).received(0, 5, 2_000)
}

#[test]
fn an_entry_comes_back() {
    for result in [None, Some(Outcome::Changed), Some(Outcome::NotSent)] {
        assert_eq!(decode(&encoded(&entry(result))), Ok(entry(result)));
    }
}

#[test]
fn an_entry_is_a_cloud_event_keyed_by_its_actor() {
    let intent = encoded(&entry(None));
    assert_eq!(intent.partition.topic, "shop.audit");
    assert_eq!(intent.key.as_deref(), Some(b"ann@ops-1".as_slice()));
    assert_eq!(intent.headers.text("ce_type"), Some("skald.audit"));
    assert_eq!(intent.headers.text("ce_subject"), Some("order/ORD-1"));
    assert_eq!(intent.headers.text("ce_correlationid"), Some("order/ORD-1"));
    assert_eq!(intent.headers.text("ce_id"), Some("7d9f"));
    assert_eq!(intent.headers.text("ce_causationid"), None);
}

#[test]
fn a_result_has_an_id_of_its_own_and_names_its_act() {
    let result = encoded(&entry(Some(Outcome::DeadAgain)));
    assert_eq!(result.headers.text("ce_id"), Some("7d9f/dead_again"));
    assert_eq!(result.headers.text("ce_causationid"), Some("7d9f"));
}

#[test]
fn the_value_is_json_with_the_words_of_the_command_line() {
    let value = encoded(&entry(Some(Outcome::Changed))).value.unwrap();
    let json: serde_json::Value = serde_json::from_slice(&value).unwrap();
    assert_eq!(json["action"], "saga.cancel");
    assert_eq!(json["result"], "changed");
    assert_eq!(json["before"]["status"], "running");
    assert!(json.get("after").is_none());
}

#[test]
fn words_of_a_newer_release_are_read() {
    let mut record = encoded(&entry(Some(Outcome::Sent)));
    let text = String::from_utf8(record.value.unwrap()).unwrap();
    let text = text.replace("saga.cancel", "saga.rewind");
    let text = text.replace(r#""sent""#, r#""half_done","more":1"#);
    record.value = Some(text.into_bytes());
    let entry = decode(&record).unwrap();
    assert_eq!(entry.action, Action::Other);
    assert_eq!(entry.result, Some(Outcome::Other));
}

#[test]
fn a_foreign_record_is_named() {
    let mut record = encoded(&entry(None));
    record.value = None;
    assert!(
        matches!(decode(&record), Err(Error::Empty { position }) if position == "shop.audit/0/5")
    );
    record.value = Some(b"{}".to_vec());
    let error = decode(&record).unwrap_err().to_string();
    assert!(error.contains("shop.audit/0/5"), "{error}");
}

#[test]
fn only_what_is_certainly_sent_counts_as_sent() {
    for unsure in [Outcome::Unseen, Outcome::NotSent, Outcome::Other] {
        assert!(!unsure.is_sent());
    }
    assert!(Outcome::Sent.is_sent() && Outcome::Changed.is_sent());
}
