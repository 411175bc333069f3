//! Decoders of records and of what is stored.
//!
//! A record is fuzzed as text: a line per header (`name: value`), an empty line, the value; the key is header `@key`.

use saga_lib::input::{Event, Input, Kind};
use saga_lib::{definition, transition};
use schemas::event::{self, Format, NoSchemas};
use schemas::record::{Headers, Outgoing, Received};
use schemas::signature::{self, Keys};
use schemas::topics::Topics;
use schemas::{
    audit, bundle, command, dead_letter, history, inbox, journal, limits, published, redrive, state,
};
use serde_json::json;

use crate::mutate::{fuzz, texts};

fn record(bytes: &[u8]) -> Received {
    let split = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (head, value) = split.map_or((bytes, None), |at| {
        (&bytes[..at], Some(bytes[at + 2..].to_vec()))
    });
    let mut headers = Headers::default();
    let mut key = None;
    for line in head.split(|b| *b == b'\n') {
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let name = String::from_utf8_lossy(&line[..colon]).into_owned();
        let text = line.get(colon + 2..).unwrap_or_default().to_vec();
        match name.as_str() {
            "@key" => key = Some(text),
            name => headers.push(name, text),
        }
    }
    let out = Outgoing {
        topic: "orders".to_owned(),
        partition: None,
        key,
        value,
        headers,
    };
    out.received(1, 7, 1_700_000_000_000)
}

/// The same record in that form. Headers that are not text on one line are left out.
fn text(out: &Outgoing) -> Vec<u8> {
    let mut text = Vec::new();
    let key = out.key.iter().map(|key| ("@key", key));
    for (name, value) in key.chain(out.headers.0.iter().map(|(n, v)| (n.as_str(), v))) {
        text.extend(format!("{name}: ").into_bytes());
        text.extend(value);
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend(out.value.iter().flatten());
    text
}

fn names() -> Topics {
    Topics::new("shop").expect("a name")
}

#[test]
fn events() {
    let samples = texts(&[
        "type: OrderPlaced\n\n{\"id\":\"O-1\",\"total\":12.5}",
        "ce_id: 1\nce_source: /shop\nce_type: OrderPlaced\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n\n{\"id\":\"O-1\"}",
        "content-type: application/cloudevents+json; charset=utf-8\n\n{\"specversion\":\"1.0\",\"type\":\"T\",\"source\":\"/s\",\"id\":\"1\",\"data_base64\":\"eyJhIjoxfQ==\"}",
        "content-type: avro/binary\n\n\0\0\0\0\u{1}\u{2}a",
    ]);
    fuzz("events", &samples, |bytes| {
        let record = record(bytes);
        for format in [
            None,
            Some(Format::Json),
            Some(Format::CloudEvents),
            Some(Format::Avro { schema: None }),
        ] {
            let _ = event::waits(&record, format.as_ref(), &NoSchemas);
            if let Err(error) = event::decode(&record, format.as_ref(), &NoSchemas) {
                set_aside(&record, &error);
            }
        }
        let _ = limits::check(&record);
    });
}

/// Whatever it was, it can be set aside, read, and sent back.
fn set_aside(record: &Received, error: &dyn std::fmt::Display) {
    let cause = dead_letter::Cause {
        message: error.to_string(),
        ..dead_letter::Cause::default()
    };
    let letter = dead_letter::encode(&names(), record, &cause).received(0, 1, 1);
    let letter = dead_letter::decode(&letter).expect("a dead letter");
    let again = redrive::encode(&names(), &letter).received(0, 1, 1);
    let again = redrive::decode(&again).expect("a record that was sent back");
    assert_eq!(
        (again.record.partition, again.record.value),
        (record.partition.clone(), record.value.clone())
    );
}

#[test]
fn the_inbox() {
    let samples = texts(&[
        "ce_causationid: order/O-1/charge#2!c\nskald-outcome: ok\nskald-attempt: 2\nskald-code: x\n\n{\"a\":1}",
        "skald-kind: event\nce_correlationid: order/O-1\nskald-bind: o\nskald-trigger: t\nskald-definition: order@1#0123456789abcdef\n\n{\"id\":1}",
        "skald-kind: awaited\nce_correlationid: order/O-1\nskald-topic: q\nskald-trigger: t\nskald-definition: order@1#0123456789abcdef\n\n{\"id\":1}",
        "skald-kind: timer\nce_correlationid: order/O-1\nskald-arm: 7\n\n",
        "skald-kind: signal\nce_correlationid: order/O-1\n\n{\"id\":\"1\",\"actor\":\"a\",\"act\":{\"cancel\":{\"reason\":\"r\"}}}",
        "skald-kind: expire\n\n[[\"order/A\",1],[\"order/B\",2]]",
    ]);
    let keys = Keys::new(vec![(
        "k1".to_owned(),
        b"a secret of enough bytes".to_vec(),
    )])
    .expect("keys");
    fuzz("inbox", &samples, |bytes| {
        let record = record(bytes);
        if let Err(error) = inbox::decode(&record) {
            set_aside(&record, &error);
        }
        assert!(
            signature::verify(&keys, "shop", &record).is_err(),
            "nobody signed it"
        );
        let _ = command::decode_command(&record);
        for kind in published::Kind::ALL {
            let _ = kind.value(&record);
        }
    });
}

#[test]
fn signatures() {
    let keys = Keys::new(vec![(
        "k1".to_owned(),
        b"a secret of enough bytes".to_vec(),
    )])
    .expect("keys");
    let mut out = Outgoing {
        topic: "orders".to_owned(),
        partition: Some(1),
        key: Some(b"O-1".to_vec()),
        value: Some(b"{}".to_vec()),
        headers: Headers::default()
            .with("skald-kind", "signal")
            .with("ce_correlationid", "order/O-1"),
    };
    signature::sign(&keys, "shop", 1, &mut out);
    let genuine = record(&text(&out));
    assert_eq!(signature::verify(&keys, "shop", &genuine), Ok(()));
    let covered = |record: &Received| {
        let mut headers = record.headers.0.clone();
        // An earlier signature means nothing: the last header of a name counts.
        headers.retain(|(name, _)| {
            name != "skald-sig" && (name.starts_with("skald-") || name.starts_with("ce_"))
        });
        headers.sort_by(|a, b| a.0.cmp(&b.0));
        (record.key.clone(), record.value.clone(), headers)
    };
    fuzz("signatures", &[text(&out)], |bytes| {
        let record = record(bytes);
        if signature::verify(&keys, "shop", &record).is_ok() {
            assert_eq!(covered(&record), covered(&genuine), "a forgery passes");
        }
    });
}

#[test]
fn dead_letters_and_own_topics() {
    let samples = texts(&[
        "__dlq.errors.topic: orders\n__dlq.errors.partition: 3\n__dlq.errors.offset: 42\n__dlq.errors.leftout: value\n\n{}",
        "kafka_dlt-original-topic: orders\nkafka_dlt-original-partition: \0\0\0\u{3}\nkafka_dlt-original-offset: \0\0\0\0\0\0\0\u{2a}\n\n{}",
        "skald-redrive-topic: orders\nskald-redrive-partition: 3\nskald-redrive-offset: 42\nskald-redrive-definition: order@1\n\n{}",
        "@key: @installation\n\n{\"uuid\":\"u\",\"lanes\":4}",
        "@key: order\n\n{\"version\":1,\"hash\":\"0123456789abcdef\",\"activated_ms\":1}",
        "@key: #0123456789abcdef\n\n{\"ir\":\"{}\",\"source\":\"s\",\"file\":\"f\"}",
        "@key: @lane\n\n{\"end\":5,\"counters\":{\"a\":1},\"owner\":\"o\"}",
    ]);
    fuzz("own topics", &samples, |bytes| {
        let record = record(bytes);
        let _ = (
            dead_letter::decode(&record),
            redrive::decode(&record),
            bundle::decode(&record),
        );
        let _ = (
            journal::decode(&record),
            history::decode(&record),
            audit::decode(&record),
        );
    });
}

/// Documents of an instance that waits, in both codecs.
fn documents() -> Vec<Vec<u8>> {
    let source = include_str!("../../src/world/order.yaml");
    let definition = definition::compile("order.yaml", source).expect("a definition");
    let event = Event {
        bind: "order".to_owned(),
        key: "O-1".to_owned(),
        r#type: Some("OrderPlaced".to_owned()),
        trigger: "t/0/1".to_owned(),
        payload: json!({ "id": "O-1", "items": ["book"], "total": 12.5 }),
    };
    let input = Input {
        id: "t/0/1".to_owned(),
        time_ms: 1_700_000_000_000,
        kind: Kind::Event(event),
    };
    let mut instance = None;
    transition::apply(&definition, &mut instance, &input, &mut Vec::new());
    let instance = instance.expect("begun");
    let codecs = [state::Codec::MessagePack, state::Codec::Json];
    codecs
        .map(|codec| state::encode(&instance, codec).expect("written"))
        .to_vec()
}

#[test]
fn documents_and_headers() {
    fuzz("documents", &documents(), |bytes| {
        let _ = state::Header::parse(bytes);
        if let Ok(instance) = state::decode(bytes) {
            let document =
                state::encode(&instance, state::Codec::MessagePack).expect("it is written");
            assert_eq!(state::decode(&document), Ok(instance));
        }
    });
}

#[test]
fn settings() {
    use orchestrator::config::{Sources, load};
    let samples = texts(&[
        "app = \"shop\"\nlanes = 4\n[kafka]\nbrokers = [\"a:1\"]\n[timeouts]\nsession = \"10s\"\n[batch]\nrecords = 10\nbytes = \"1MiB\"\n[topics.formats]\norders = \"avro\"\n[[inbox.secrets]]\nid = \"k1\"\nsecret = \"0123456789abcdef\"\n",
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("skald.toml");
    fuzz("settings", &samples, |bytes| {
        std::fs::write(&path, bytes).expect("written");
        let line = String::from_utf8_lossy(bytes).into_owned();
        let value = line.lines().next().unwrap_or_default().replace('\0', "");
        let sources = Sources {
            config: Some(path.clone()),
            environment: vec![("SKALD_TOPICS_FORMATS".to_owned(), value)],
            flags: Vec::new(),
        };
        let _ = load(&sources);
    });
}
