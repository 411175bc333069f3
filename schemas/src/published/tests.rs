use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use saga_lib::effect::{Command, Note, Publish};
use saga_lib::id::{CommandId, SagaId};
use saga_lib::input::{Event, Kind as InputKind};
use saga_lib::instance::Status;

use crate::command::{self, Context};
use crate::dead_letter::Cause;
use crate::history::{Fact, InputSummary, SentCommand, Verdict};
use crate::topics::Topics;
use crate::{avro, dead_letter, history};

use super::*;

fn saga() -> SagaId {
    SagaId::new("order", "ORD-42").unwrap()
}

fn topics() -> Topics {
    Topics::new("shop").unwrap()
}

fn context(saga: &SagaId) -> Context<'_> {
    Context {
        app: "shop",
        reply_topic: "shop.inbox",
        lane: 3,
        definition: "order@1#0123456789abcdef",
        saga,
        causation: "orders/0/7",
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        time_ms: 1_769_903_999_123,
    }
}

fn command(compensates: bool) -> Received {
    let forward = CommandId::forward(&saga(), "pay", 1);
    let command = Command {
        id: forward.clone(),
        attempt: 2,
        topic: "payment.commands".to_owned(),
        r#type: "capture".to_owned(),
        step: "pay".to_owned(),
        key: "ORD-42".to_owned(),
        payload: json!({"amount": 12.3}),
        compensates: compensates.then_some(forward),
        expires_ms: compensates.then_some(1_769_904_000_000),
    };
    command::encode_command(&context(&saga()), &command).received(0, 1, 1)
}

fn event() -> Received {
    let publish = Publish {
        id: "order/ORD-42/done".to_owned(),
        topic: "orders".to_owned(),
        r#type: "OrderDone".to_owned(),
        key: "k".to_owned(),
        payload: json!({"a": [1, null]}),
    };
    command::encode_publish(&context(&saga()), &publish).received(0, 1, 1)
}

fn reply(code: Option<&str>) -> Received {
    let command = command::decode_command(&command(false)).unwrap();
    command::encode_reply(&command, "refused", &json!({}), code, code).received(0, 1, 1)
}

fn fact(full: bool) -> Received {
    let started = InputKind::Event(Event {
        bind: "order".to_owned(),
        key: "ORD-42".to_owned(),
        r#type: Some("OrderPlaced".to_owned()),
        trigger: "t".to_owned(),
        payload: json!({}),
    });
    let sent = SentCommand {
        id: CommandId::forward(&saga(), "pay", 1),
        attempt: 1,
        topic: "payment.commands".to_owned(),
        r#type: "capture".to_owned(),
    };
    let fact = Fact {
        saga: saga(),
        definition: full.then(|| "order@1#0123456789abcdef".to_owned()),
        input: InputSummary::of("orders/0/7", &started),
        applied: Verdict::Changed,
        reason: (!full).then(|| "duplicate".to_owned()),
        status_before: None,
        status_after: full.then_some(Status::Running),
        revision_before: None,
        revision_after: full.then_some(1),
        commands: if full { vec![sent] } else { Vec::new() },
        notes: if full {
            vec![Note::Started]
        } else {
            Vec::new()
        },
        lane: 2,
        offset: 17,
        index: 1,
        time_ms: 1_000,
    };
    history::encode(&topics(), 2, &fact).received(2, 5, 2_000)
}

fn letter(known: bool) -> Received {
    let mut original = event();
    original.key = known.then(|| vec![0, 255]);
    original.headers.push("odd", vec![0xff]);
    let cause = Cause {
        class: "undecodable".to_owned(),
        stage: "decode".to_owned(),
        message: "value: ä".to_owned(),
        saga: known.then(saga),
        definition: known.then(|| "order@1#0123456789abcdef".to_owned()),
        group: "shop.ingress".to_owned(),
        delivery_count: 1,
    };
    dead_letter::encode(&topics(), &original, &cause).received(0, 1, 1)
}

#[test]
fn every_record_of_the_encoders_is_a_value_of_its_schema() {
    for (kind, record) in [
        (Kind::Event, event()),
        (Kind::Command, command(false)),
        (Kind::Command, command(true)),
        (Kind::Reply, reply(None)),
        (Kind::Reply, reply(Some("E-1"))),
        (Kind::Fact, fact(false)),
        (Kind::Fact, fact(true)),
        (Kind::DeadLetter, letter(false)),
        (Kind::DeadLetter, letter(true)),
    ] {
        let schema = kind.schema();
        let value = kind.value(&record).unwrap();
        let bytes = avro::encode(&schema, &value).unwrap();
        let datum = avro::decode(&schema, &bytes).unwrap();
        assert_eq!(datum.value, value, "{kind:?}");
        // The other implementation agrees.
        let theirs = apache_avro::Schema::parse_str(kind.text()).unwrap();
        let reader = apache_avro::reader::datum::GenericDatumReader::builder(&theirs);
        let mut rest = bytes.as_slice();
        reader.build().unwrap().read_value(&mut rest).unwrap();
        assert!(rest.is_empty(), "{kind:?}");
    }
}

#[test]
fn values_hold_what_the_record_says() {
    let value = Kind::Command.value(&command(true)).unwrap();
    assert_eq!(value["id"], "order/ORD-42/pay");
    assert_eq!(value["attempt"], 2);
    assert_eq!(value["time"], "2026-01-31T23:59:59.123Z");
    assert_eq!(value["data"], r#"{"amount":12.3}"#);
    assert_eq!(
        Kind::Fact.value(&fact(true)).unwrap()["notes"],
        json!([r#"{"note":"started"}"#])
    );
    assert_eq!(
        Kind::DeadLetter.value(&letter(true)).unwrap()["key"],
        "AP8="
    );
}

/// The copies of what was released, by release.
const RELEASED: [[&str; 5]; 1] = [[
    include_str!("../../avro/released/1/event.avsc"),
    include_str!("../../avro/released/1/command.avsc"),
    include_str!("../../avro/released/1/reply.avsc"),
    include_str!("../../avro/released/1/fact.avsc"),
    include_str!("../../avro/released/1/dead-letter.avsc"),
]];

fn read_each_other(one: &str, other: &str) -> bool {
    let parse = |text| apache_avro::Schema::parse_str(text).unwrap();
    let verdict = SchemaCompatibility::mutual_read(&parse(one), &parse(other));
    verdict.is_ok_and(|found| found == Compatibility::Full)
}

#[test]
fn todays_schemas_and_released_ones_read_each_other() {
    for (number, release) in RELEASED.iter().enumerate() {
        for (kind, text) in Kind::ALL.into_iter().zip(release) {
            assert!(
                read_each_other(kind.text(), text),
                "{}.avsc and release {}: a field may come or go only with a default",
                kind.word(),
                number + 1
            );
        }
    }
}

#[test]
fn the_judge_of_compatibility_tells_a_broken_change() {
    let text = Kind::Event.text();
    let renamed = text.replace(r#""name": "source""#, r#""name": "origin""#);
    let retyped = text.replace(
        r#"{"name": "id", "type": "string""#,
        r#"{"name": "id", "type": "long""#,
    );
    for broken in [renamed, retyped] {
        assert_ne!(broken, text);
        assert!(!read_each_other(text, &broken));
    }
    let grown = text.replace(
        r#""fields": ["#,
        r#""fields": [{"name": "x", "type": "int", "default": 0},"#,
    );
    assert!(read_each_other(text, &grown));
}
