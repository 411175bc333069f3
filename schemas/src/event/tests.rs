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
    read_as(value, headers, None)
}

fn read_as(value: &str, headers: Headers, format: Option<Format>) -> Result<Decoded, Error> {
    match decode(&record(value, headers), format.as_ref(), &NoSchemas)? {
        Reading::Event(decoded) => Ok(*decoded),
        other => panic!("{other:?}"),
    }
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
    let event = read_as(body, Headers::default(), Some(Format::CloudEvents));
    assert_eq!(event.unwrap().payload, Value::Null);
}

#[test]
fn a_record_without_value_is_skipped() {
    let mut tombstone = record("", Headers::default());
    tombstone.value = None;
    assert_eq!(decode(&tombstone, None, &NoSchemas), Ok(Reading::Nothing));
}

#[test]
fn foreign_formats_are_named() {
    let framed = error("\0\0\0\0\x01abc", Headers::default());
    assert!(framed.contains("set `registry.url`"), "{framed}");
    let content = |media: &str| error("x", Headers::default().with("content-type", media));
    let avro = content("application/avro");
    assert!(avro.contains("not in Confluent framing"), "{avro}");
    let protobuf = content("application/cloudevents+protobuf");
    assert!(protobuf.contains("`application/cloudevents+protobuf` is not supported"));
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

/// Knows one schema by id and name; another id comes later.
struct Shop;

impl Schemas for Shop {
    fn find(&self, wanted: &Wanted<'_>) -> Found {
        let schema =
            r#"{"type":"record","name":"shop.Placed","fields":[{"name":"id","type":"string"}]}"#;
        let found = || Found::Schema(Arc::new(avro::Schema::parse(schema).unwrap()));
        match wanted {
            Wanted::Named("Placed") | Wanted::Framed { id: 7, .. } => found(),
            Wanted::Framed {
                r#type: Some("shop.Placed"),
                ..
            } => found(),
            Wanted::Framed { id: 8, .. } => Found::NotYet,
            other => Found::Never(format!("{other:?} is unknown")),
        }
    }
}

fn avro(value: &[u8], headers: Headers, format: &str) -> Result<Reading, String> {
    let mut record = record("", headers);
    record.value = Some(value.to_vec());
    let format = (!format.is_empty()).then(|| format.parse().unwrap());
    let reading = decode(&record, format.as_ref(), &Shop).map_err(|e| e.to_string());
    let waits = reading == Ok(Reading::NotYet);
    assert_eq!(super::waits(&record, format.as_ref(), &Shop), waits);
    reading
}

fn placed(value: &[u8], headers: Headers, format: &str) -> Decoded {
    match avro(value, headers, format).unwrap() {
        Reading::Event(decoded) => *decoded,
        other => panic!("{other:?}"),
    }
}

#[test]
fn avro_is_read_with_the_schema_of_its_id() {
    let decoded = placed(b"\0\0\0\0\x07\x02x", Headers::default(), "");
    assert_eq!(decoded.payload, json!({"id": "x"}));
    assert!(decoded.is_type("shop.Placed") && decoded.is_type("Placed"));
    assert!(!decoded.is_type("shop"));
    let broken = avro(b"\0\0\0\0\x07\x04x", Headers::default(), "").unwrap_err();
    assert_eq!(
        broken,
        "value: Avro `$.id`, byte 1 of the datum: 2 bytes are needed, 1 are left"
    );
}

#[test]
fn the_cloud_events_type_goes_before_the_avro_name_and_a_plain_header_behind_it() {
    let cloud = Headers::default()
        .with("ce_type", "com.x")
        .with("ce_id", "1")
        .with("ce_source", "/s");
    let decoded = placed(b"\0\0\0\0\x07\x02x", cloud, "");
    assert!(decoded.is_type("com.x") && !decoded.is_type("Placed") && !decoded.is_type("x"));
    assert_eq!(decoded.trigger.as_deref(), Some("/s 1"));
    let plain = placed(
        b"\0\0\0\0\x07\x02x",
        Headers::default().with("type", "t"),
        "",
    );
    assert!(plain.is_type("Placed") && !plain.is_type("t"));
}

#[test]
fn a_setting_or_a_header_names_the_schema_where_no_id_helps() {
    let value = b"\0\0\0\0\x63\x02x";
    assert_eq!(
        placed(value, Headers::default(), "avro:Placed").payload,
        json!({"id": "x"})
    );
    assert_eq!(
        placed(b"\x02x", Headers::default(), "avro-bare:Placed").payload,
        json!({"id": "x"})
    );
    let header = Headers::default().with("type", "shop.Placed");
    assert_eq!(placed(value, header, "").payload, json!({"id": "x"}));
    let unknown = avro(value, Headers::default(), "avro").unwrap_err();
    assert!(unknown.starts_with("schema: Framed { id: 99"), "{unknown}");
}

#[test]
fn a_schema_that_is_not_there_yet_is_no_verdict() {
    assert_eq!(
        avro(b"\0\0\0\0\x08\x02x", Headers::default(), ""),
        Ok(Reading::NotYet)
    );
    // Nobody waits for the schema of a record that cannot be read with any.
    assert!(avro(b"x", Headers::default(), "avro").is_err());
    assert!(avro(b"{}", Headers::default(), "").is_ok());
}

#[test]
fn formats_are_words() {
    for text in [
        "json",
        "cloudevents",
        "avro",
        "avro:shop.Placed",
        "avro-bare:Placed",
    ] {
        assert_eq!(text.parse::<Format>().unwrap().to_string(), text);
    }
    for text in ["", "xml", "avro:", "avro-bare", "json:x", "Avro"] {
        let error = text.parse::<Format>().unwrap_err().to_string();
        assert!(error.contains("`avro-bare:<type name>`"), "{error}");
    }
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
        let _ = decode(&record, structured.then_some(&Format::CloudEvents), &Shop);
        let _ = decode(&record, None, &Shop);
        let _ = decode(&record, Some(&Format::AvroBare { schema: "Placed".to_owned() }), &Shop);
    }
}
