use proptest::prelude::*;
use serde_json::json;

use crate::record::{Headers, Outgoing};

use super::*;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn record(value: &str, headers: Headers) -> Received {
    let out = Outgoing {
        topic: "orders".to_owned(),
        partition: None,
        key: None,
        value: Some(value.as_bytes().to_vec()),
        headers,
    };
    out.received(3, 42, 1_000)
}

fn read(value: &str, headers: Headers) -> Result<Decoded, Error> {
    decode(&record(value, headers), None).map(Option::unwrap)
}

fn error(value: &str, headers: Headers) -> String {
    read(value, headers).unwrap_err().to_string()
}

#[test]
fn plain_json_has_its_type_in_the_body() {
    let decoded = read(r#"{"type":"OrderPlaced","id":1}"#, Headers::default()).unwrap();
    assert_eq!(decoded.r#type.as_deref(), Some("OrderPlaced"));
    assert_eq!(decoded.trigger, None);
    assert_eq!(decoded.payload, json!({"type": "OrderPlaced", "id": 1}));
}

#[test]
fn the_type_is_looked_up_in_the_documented_order() {
    let body = r#"{"type":"body"}"#;
    let named = |headers: Headers| read(body, headers).unwrap().r#type.unwrap();
    let plain = Headers::default().with("type", "header");
    assert_eq!(named(plain.clone().with("ce_type", "cloud")), "cloud");
    assert_eq!(named(plain), "header");
    assert_eq!(named(Headers::default()), "body");
    assert_eq!(read("[1]", Headers::default()).unwrap().r#type, None);
}

#[test]
fn binary_cloud_events_have_an_identity() {
    let headers = Headers::default()
        .with("ce_specversion", "1.0")
        .with("ce_id", "e 1")
        .with("ce_source", "/shop orders")
        .with("ce_type", "placed")
        .with("traceparent", TRACE);
    let decoded = read("{}", headers).unwrap();
    assert_eq!(decoded.trigger.as_deref(), Some("/shop%20orders e 1"));
    assert_eq!(decoded.traceparent.as_deref(), Some(TRACE));
}

#[test]
fn half_an_identity_is_none() {
    let decoded = read("{}", Headers::default().with("ce_id", "1")).unwrap();
    assert_eq!(decoded.trigger, None);
}

#[test]
fn structured_cloud_events_are_unwrapped() {
    let headers = Headers::default().with(
        "content-type",
        "application/CloudEvents+json; charset=utf-8",
    );
    let body = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":1}}"#;
    let decoded = read(body, headers.clone()).unwrap();
    assert_eq!(decoded.payload, json!({"a": 1}));
    assert_eq!(
        (decoded.r#type.as_deref(), decoded.trigger.as_deref()),
        (Some("t"), Some("/s 1"))
    );
    let encoded = body.replace(r#""data":{"a":1}"#, r#""data_base64":"eyJhIjoxfQ==""#);
    assert_eq!(
        read(&encoded, headers.clone()).unwrap().payload,
        json!({"a": 1})
    );
    assert_eq!(
        error(&body.replace(r#""id":"1","#, ""), headers),
        "CloudEvent attribute `id`: is missing; CloudEvents 1.0 requires it"
    );
}

#[test]
fn the_topics_setting_wins_over_the_content_type() {
    let body = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;
    let event = decode(&record(body, Headers::default()), Some(Format::CloudEvents));
    assert_eq!(event.unwrap().unwrap().payload, Value::Null);
}

#[test]
fn a_record_without_value_is_skipped() {
    let mut tombstone = record("", Headers::default());
    tombstone.value = None;
    assert_eq!(decode(&tombstone, None), Ok(None));
}

#[test]
fn foreign_formats_are_named() {
    let framed = error("\0\0\0\0\x01abc", Headers::default());
    assert!(framed.contains("Confluent framing"), "{framed}");
    let avro = error(
        "x",
        Headers::default().with("content-type", "application/avro"),
    );
    assert!(avro.contains("application/avro"), "{avro}");
    // The sender says JSON, so the error is JSON's and still tells what the first byte looks like.
    let said_json = error(
        "\0\0",
        Headers::default().with("content-type", "application/json"),
    );
    assert!(said_json.contains("byte 0"), "{said_json}");
}

#[test]
fn hostile_headers_are_refused_with_their_name() {
    let not_text = Headers::default().with("ce_type", vec![0xff]);
    assert!(error("{}", not_text).contains("`ce_type` is not UTF-8"));
    let control = Headers::default()
        .with("ce_id", "a\u{7}")
        .with("ce_source", "/s");
    assert!(error("{}", control).contains("CloudEvents id has the control character U+0007"));
    let long = Headers::default().with("type", "x".repeat(300));
    assert!(error("{}", long).contains("event type has 300 bytes"));
}

#[test]
fn a_malformed_trace_context_is_dropped() {
    let headers = Headers::default().with("traceparent", "00-zz");
    assert_eq!(read("{}", headers).unwrap().traceparent, None);
}

proptest! {
    #[test]
    fn no_record_makes_it_panic(
        value in proptest::collection::vec(any::<u8>(), 0..48),
        header in proptest::collection::vec(any::<u8>(), 0..8),
        structured in any::<bool>(),
    ) {
        let mut record = record("", Headers::default().with("ce_id", header.clone()).with("ce_source", header));
        record.value = Some(value);
        let _ = decode(&record, structured.then_some(Format::CloudEvents));
        let _ = decode(&record, None);
    }
}
