use proptest::prelude::*;
use saga_lib::input::{Act, Event, Kind, Reply, Signal};
use serde_json::{Value, json};

use crate::headers as names;
use crate::lane::{lane_of_command, lane_of_saga};
use crate::record::{Headers, Outgoing, Received};
use crate::topics::Topics;

use super::*;

const LANES: u32 = 4;
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn topics() -> Topics {
    Topics::new("shop").unwrap()
}

fn saga() -> SagaId {
    SagaId::new("order", "ORD 42").unwrap()
}

fn command() -> CommandId {
    CommandId::forward(&saga(), "pay", 2)
}

/// As the inbox delivers it: where it was sent to, at offset 7, time 1000.
fn delivered(out: Outgoing) -> Received {
    let lane = out.partition.unwrap();
    out.received(lane, 7, 1_000)
}

fn reply(value: Option<&str>, headers: Headers) -> Received {
    let out = Outgoing {
        topic: "shop.inbox".to_owned(),
        partition: Some(1),
        key: None,
        value: value.map(|v| v.as_bytes().to_vec()),
        headers,
    };
    delivered(out)
}

fn echo() -> Headers {
    Headers::default().with(names::CE_CAUSATIONID, command().to_string())
}

fn decoded_reply(record: &Received) -> Reply {
    match decode(record).unwrap() {
        Inbox::Reply {
            input:
                Input {
                    kind: Kind::Reply(reply),
                    ..
                },
            ..
        } => reply,
        other => panic!("not a reply: {other:?}"),
    }
}

fn event(payload: Value) -> Event {
    Event {
        bind: "order".to_owned(),
        key: "ORD 42".to_owned(),
        r#type: Some("OrderPlaced".to_owned()),
        trigger: "/shop 1".to_owned(),
        payload,
    }
}

#[test]
fn an_event_comes_back_in_its_lane() {
    let event = event(json!({"total": 12.5, "big": "9007199254740993"}));
    let origin = Origin {
        id: "e-1",
        traceparent: Some(TRACE),
    };
    let out = encode_event(
        &topics(),
        LANES,
        &saga(),
        "order@1#0123456789abcdef",
        &event,
        &origin,
    );
    assert_eq!(out.partition, Some(lane_of_saga(&saga(), LANES)));
    assert_eq!(out.key.as_deref(), Some(b"ORD 42".as_slice()));
    let expected = Inbox::Event {
        saga: saga(),
        definition: "order@1#0123456789abcdef".to_owned(),
        input: Input {
            id: "e-1".to_owned(),
            time_ms: 1_000,
            kind: Kind::Event(event),
        },
        traceparent: Some(TRACE.to_owned()),
    };
    assert_eq!(decode(&delivered(out)), Ok(expected));
}

#[test]
fn an_event_without_type_stays_without() {
    let event = Event {
        r#type: None,
        ..event(Value::Null)
    };
    let origin = Origin {
        id: "e-1",
        traceparent: None,
    };
    let out = encode_event(&topics(), LANES, &saga(), "d", &event, &origin);
    let Inbox::Event { input, .. } = decode(&delivered(out)).unwrap() else {
        panic!()
    };
    assert_eq!(input.kind, Kind::Event(event));
}

#[test]
fn a_bare_reply_needs_only_the_command_id() {
    let record = reply(None, echo());
    let expected = Inbox::Reply {
        command: command(),
        input: Input {
            id: "shop.inbox/1/7".to_owned(),
            time_ms: 1_000,
            kind: Kind::Reply(Reply {
                command: command(),
                outcome: "".to_owned(),
                r#type: None,
                attempt: None,
                payload: Value::Null,
                code: None,
                reason: None,
            }),
        },
        forwarded: false,
    };
    assert_eq!(decode(&record), Ok(expected));
}

#[test]
fn spring_services_answer_by_their_own_header() {
    let spring = Headers::default().with(names::KAFKA_CORRELATION_ID, command().to_string());
    assert_eq!(
        decoded_reply(&reply(Some("{}"), spring.clone())).command,
        command()
    );
    // A service may use the causation id for itself.
    let both = spring.with(names::CE_CAUSATIONID, "their-own");
    assert_eq!(decoded_reply(&reply(Some("{}"), both)).command, command());
}

#[test]
fn code_and_reason_come_from_headers_else_from_the_body() {
    let body = Some(r#"{"code":17,"reason":"no cover"}"#);
    let from_body = decoded_reply(&reply(body, echo().with(names::OUTCOME, "refused")));
    assert_eq!(from_body.outcome, "refused");
    assert_eq!(from_body.code.as_deref(), Some("17"));
    assert_eq!(from_body.reason.as_deref(), Some("no cover"));
    let headers = echo().with(names::CODE, "E1").with(names::REASON, "limit");
    let from_headers = decoded_reply(&reply(body, headers));
    assert_eq!(from_headers.code.as_deref(), Some("E1"));
    assert_eq!(from_headers.reason.as_deref(), Some("limit"));
}

#[test]
fn a_reply_read_by_ingress_comes_back() {
    let answer = Reply {
        command: command(),
        outcome: "failed".to_owned(),
        r#type: None,
        attempt: Some(3),
        payload: json!([1]),
        code: Some("E".to_owned()),
        reason: Some("down".to_owned()),
    };
    let origin = Origin {
        id: "replies/0/1",
        traceparent: None,
    };
    let out = encode_reply(&topics(), LANES, &answer, &origin);
    assert_eq!(out.partition, Some(lane_of_command(&command(), LANES)));
    assert_eq!(decoded_reply(&delivered(out)), answer);
}

#[test]
fn a_forwarded_reply_keeps_its_identity_and_tells_the_copy() {
    let original = reply(Some("{}"), echo());
    let copy = delivered(forward(&original, 3));
    assert_eq!(copy.partition.number, 3);
    let Inbox::Reply {
        input, forwarded, ..
    } = decode(&copy).unwrap()
    else {
        panic!()
    };
    assert_eq!((input.id.as_str(), forwarded), ("shop.inbox/1/7", true));
    let own_id = reply(None, echo().with(names::CE_ID, "r-1"));
    let Inbox::Reply { input, .. } = decode(&delivered(forward(&own_id, 3))).unwrap() else {
        panic!()
    };
    assert_eq!(input.id, "r-1");
}

#[test]
fn a_timer_has_the_id_of_its_arming() {
    let out = encode_timer(&topics(), LANES, &saga(), 9);
    let expected = Inbox::Timer {
        saga: saga(),
        input: Input {
            id: "order/ORD%2042@9".to_owned(),
            time_ms: 1_000,
            kind: Kind::TimerFired { arm: 9 },
        },
    };
    assert_eq!(decode(&delivered(out)), Ok(expected));
}

#[test]
fn a_signal_has_its_own_id() {
    let signal = Signal {
        id: "s-1".to_owned(),
        actor: "ana".to_owned(),
        if_revision: Some(3),
        act: Act::Cancel {
            reason: Some("customer asked".to_owned()),
        },
    };
    let out = encode_signal(&topics(), LANES, &saga(), &signal);
    let expected = Inbox::Signal {
        saga: saga(),
        input: Input {
            id: "s-1".to_owned(),
            time_ms: 1_000,
            kind: Kind::Signal(signal),
        },
    };
    assert_eq!(decode(&delivered(out)), Ok(expected));
}

#[test]
fn an_expiry_lists_ids_and_arms() {
    let entries = vec![(saga(), 3), (SagaId::new("order", "b").unwrap(), 1)];
    let out = encode_expire(&topics(), 2, &entries);
    let expected = Inbox::Expire {
        entries,
        id: "shop.inbox/2/7".to_owned(),
        time_ms: 1_000,
    };
    assert_eq!(decode(&delivered(out)), Ok(expected));
}

#[test]
fn an_expiry_is_bounded() {
    let entries = vec![(saga(), 3); EXPIRE_ENTRIES_MAX + 1];
    let error = decode(&delivered(encode_expire(&topics(), 2, &entries))).unwrap_err();
    assert!(error.to_string().contains("101 entries"), "{error}");
}

#[test]
fn errors_name_the_place_and_the_way_out() {
    let cases = [
        (
            reply(None, Headers::default()),
            "echo the command's `ce_id` in `ce_causationid`",
        ),
        (
            reply(None, Headers::default().with(names::CE_CAUSATIONID, "x")),
            "header `ce_causationid`",
        ),
        (reply(Some("{"), echo()), "value: byte 1"),
        (reply(Some("\0"), echo()), "Confluent framing"),
        (
            reply(None, echo().with(names::KIND, "child_done")),
            "unknown kind `child_done`",
        ),
        (
            reply(None, echo().with(names::OUTCOME, "")),
            "header `skald-outcome` is empty",
        ),
        (
            reply(None, echo().with(names::OUTCOME, vec![0xff])),
            "header `skald-outcome` is not UTF-8",
        ),
        (
            reply(None, echo().with(names::CE_ID, "x".repeat(600))),
            "header `ce_id` has 600 bytes",
        ),
        (
            reply(None, echo().with(names::KIND, "timer")),
            "header `skald-arm` is missing",
        ),
        (
            reply(None, echo().with(names::KIND, "event")),
            "header `ce_correlationid` is missing",
        ),
        (
            reply(Some("{}"), echo().with(names::KIND, "signal")),
            "not a signal: missing field `id`",
        ),
        (
            reply(Some("{}"), echo().with(names::KIND, "expire")),
            "not a list of [saga id, arm sequence]",
        ),
    ];
    for (record, expected) in cases {
        let error = decode(&record).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

proptest! {
    #[test]
    fn no_record_makes_it_panic(
        kind in proptest::option::of("(event|reply|timer|signal|expire|.{0,6})"),
        id in ".{0,40}",
        value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..48)),
        other in proptest::collection::vec(any::<u8>(), 0..16),
    ) {
        let mut headers = Headers::default()
            .with(names::CE_CAUSATIONID, id.clone())
            .with(names::CE_CORRELATIONID, id)
            .with(names::ARM, other);
        if let Some(kind) = kind {
            headers.push(names::KIND, kind);
        }
        let mut record = reply(None, headers);
        record.value = value;
        let _ = decode(&record);
    }
}
