use saga_lib::id::CommandId;
use saga_lib::input::Kind;
use serde_json::json;

use crate::inbox::{self, Inbox};
use crate::record::Received;

use super::*;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn saga() -> SagaId {
    SagaId::new("order", "ORD 42").unwrap()
}

fn context(saga: &SagaId) -> Context<'_> {
    Context {
        app: "shop",
        reply_topic: "shop.inbox",
        lane: 3,
        definition: "order@1#0123456789abcdef",
        saga,
        causation: "e-1",
        traceparent: Some(TRACE),
        time_ms: 1_000,
    }
}

fn command() -> Command {
    let forward = CommandId::forward(&saga(), "credit", 1);
    Command {
        id: forward.compensated_by(1),
        attempt: 2,
        topic: "credit.commands".to_owned(),
        r#type: "release".to_owned(),
        payload: json!({"amount": 12}),
        key: "ORD 42".to_owned(),
        step: "credit".to_owned(),
        compensates: Some(forward),
        expires_ms: Some(31_000),
    }
}

fn sent() -> Received {
    encode_command(&context(&saga()), &command()).received(0, 5, 2_000)
}

#[test]
fn a_command_carries_all_headers() {
    let record = sent();
    let expected = [
        ("ce_specversion", "1.0"),
        ("ce_id", "order/ORD%2042/credit!c"),
        ("ce_type", "release"),
        ("ce_source", "/skald/shop"),
        ("ce_subject", "ORD 42"),
        ("ce_time", "1970-01-01T00:00:01.000Z"),
        ("ce_correlationid", "order/ORD%2042"),
        ("ce_causationid", "e-1"),
        ("ce_expirytime", "1970-01-01T00:00:31.000Z"),
        ("content-type", "application/json"),
        ("traceparent", TRACE),
        ("skald-definition", "order@1#0123456789abcdef"),
        ("skald-step", "credit"),
        ("skald-attempt", "2"),
        ("skald-compensates", "order/ORD%2042/credit"),
        ("skald-reply-to", "shop.inbox"),
        ("kafka_replyTopic", "shop.inbox"),
        ("kafka_correlationId", "order/ORD%2042/credit!c"),
    ];
    for (name, value) in expected {
        assert_eq!(record.headers.text(name), Some(value), "{name}");
    }
    assert_eq!(
        record.headers.bytes("kafka_replyPartition"),
        Some([0, 0, 0, 3].as_slice())
    );
    assert_eq!(record.headers.0.len(), expected.len() + 1);
    assert_eq!(record.key.as_deref(), Some(b"ORD 42".as_slice()));
    assert_eq!(
        record.value.as_deref(),
        Some(br#"{"amount":12}"#.as_slice())
    );
}

#[test]
fn a_participant_reads_what_was_sent() {
    let command = command();
    let expected = Incoming {
        id: command.id,
        attempt: 2,
        r#type: command.r#type,
        step: Some(command.step),
        payload: command.payload,
        compensates: command.compensates,
        reply_to: "shop.inbox".to_owned(),
        expires_ms: Some(31_000),
        traceparent: Some(TRACE.to_owned()),
        topic: "credit.commands".to_owned(),
    };
    assert_eq!(decode_command(&sent()), Ok(expected));
}

#[test]
fn the_inbox_reads_what_a_participant_answers() {
    let incoming = decode_command(&sent()).unwrap();
    let out = encode_reply(
        &incoming,
        "refused",
        &json!({"x": 1}),
        Some("E1"),
        Some("limit"),
    );
    assert_eq!((out.topic.as_str(), out.partition), ("shop.inbox", None));
    assert_eq!(out.key.as_deref(), Some(b"ORD 42".as_slice()));
    let Inbox::Reply {
        command,
        input,
        forwarded,
    } = inbox::decode(&out.received(0, 1, 1)).unwrap()
    else {
        panic!("not a reply");
    };
    assert_eq!((command, forwarded), (incoming.id.clone(), false));
    assert_eq!(input.id, "order/ORD%2042/credit!c@2");
    let Kind::Reply(reply) = input.kind else {
        panic!("not a reply")
    };
    assert_eq!(reply.outcome, "refused");
    assert_eq!(reply.payload, json!({"x": 1}));
    assert_eq!(
        (reply.code.as_deref(), reply.reason.as_deref()),
        (Some("E1"), Some("limit"))
    );
}

#[test]
fn a_command_without_what_a_reply_needs_is_refused() {
    let without = |name: &str| {
        let mut record = sent();
        record.headers.0.retain(|(n, _)| n != name);
        record
    };
    // Either dialect is enough.
    assert!(decode_command(&without("ce_id")).is_ok());
    assert!(decode_command(&without("skald-reply-to")).is_ok());
    let error = decode_command(&without("ce_type")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "header `ce_type` is missing: the writer must set it"
    );
    let mut foreign = sent();
    foreign.headers.push("ce_id", "7");
    let error = decode_command(&foreign).unwrap_err().to_string();
    assert!(
        error.starts_with("header `ce_id`: `7` is not a command id"),
        "{error}"
    );
}

#[test]
fn a_published_event_is_a_cloud_event() {
    let publish = Publish {
        id: "order/ORD%2042/done".to_owned(),
        topic: "orders".to_owned(),
        r#type: "OrderDone".to_owned(),
        key: "k".to_owned(),
        payload: json!({"a": 1}),
    };
    let record = encode_publish(&context(&saga()), &publish).received(0, 1, 1);
    let reading = crate::event::decode(&record, None, &crate::event::NoSchemas).unwrap();
    let crate::event::Reading::Event(event) = reading else {
        panic!("{reading:?}");
    };
    assert_eq!(event.r#type.as_deref(), Some("OrderDone"));
    assert_eq!(
        event.trigger.as_deref(),
        Some("/skald/shop order/ORD%2042/done")
    );
    assert_eq!(event.payload, publish.payload);
}
