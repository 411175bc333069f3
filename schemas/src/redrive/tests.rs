use crate::dead_letter::{self, Cause};

use super::*;

fn topics() -> Topics {
    Topics::new("shop").unwrap()
}

fn original(topic: &str) -> Received {
    let out = Outgoing {
        topic: topic.to_owned(),
        partition: None,
        key: Some(b"k".to_vec()),
        value: Some(b"{}".to_vec()),
        headers: Headers::default()
            .with("skald-kind", "timer")
            .with("h", "1"),
    };
    out.received(3, 42, 1)
}

fn letter(original: &Received, definition: Option<&str>) -> DeadLetter {
    let cause = Cause {
        definition: definition.map(str::to_owned),
        delivery_count: 2,
        ..Cause::default()
    };
    let record = dead_letter::encode(&topics(), original, &cause).received(0, 7, 9);
    dead_letter::decode(&record).unwrap()
}

#[test]
fn a_redriven_record_stands_in_its_original_place() {
    let original = original("orders");
    let out = encode(
        &topics(),
        &letter(&original, Some("order@1#0123456789abcdef")),
    );
    assert_eq!((out.topic.as_str(), out.partition), ("shop.redrive", None));
    let redriven = decode(&out.received(0, 1, 500)).unwrap();
    let expected = Redriven {
        record: Received {
            timestamp_ms: 500,
            ..original
        },
        definition: Some("order@1#0123456789abcdef".to_owned()),
        deliveries: 2,
    };
    assert_eq!(redriven, expected);
}

#[test]
fn a_redriven_record_that_fails_again_goes_to_the_same_dead_letters() {
    let first = letter(&original("orders"), None);
    let redriven = decode(&encode(&topics(), &first).received(0, 1, 500)).unwrap();
    let second = letter(&redriven.record, None);
    assert_eq!(
        (second.partition, second.offset),
        (first.partition, first.offset)
    );
    assert_eq!(second.headers, first.headers);
}

#[test]
fn a_dead_inbox_record_goes_to_its_lane_unsigned_with_its_identity() {
    let mut dead = original("shop.inbox");
    dead.headers.push(headers::SIG, "v1:a:old");
    let out = encode(&topics(), &letter(&dead, None));
    assert_eq!((out.topic.as_str(), out.partition), ("shop.inbox", Some(3)));
    assert_eq!(out.headers.bytes(headers::SIG), None);
    assert_eq!(out.headers.text(headers::CE_ID), Some("shop.inbox/3/42"));
    assert_eq!(out.headers.text("skald-kind"), Some("timer"));
    assert_eq!(out.headers.text(headers::REDRIVE_TOPIC), Some("shop.inbox"));
    let again = encode(&topics(), &letter(&out.clone().received(3, 50, 2), None));
    assert_eq!(
        again.headers, out.headers,
        "once, however often it comes back"
    );
}

#[test]
fn forged_redrive_headers_of_the_original_are_dropped() {
    let mut forged = original("orders");
    forged
        .headers
        .push(headers::REDRIVE_DEFINITION, "other@1#0123456789abcdef");
    let out = encode(&topics(), &letter(&forged, None));
    assert_eq!(decode(&out.received(0, 1, 1)).unwrap().definition, None);
}

#[test]
fn a_record_without_origin_is_refused() {
    let error = decode(&original("shop.redrive")).unwrap_err().to_string();
    assert_eq!(
        error,
        "header `skald-redrive-partition` is missing: the writer must set it"
    );
}
