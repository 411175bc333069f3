use proptest::prelude::*;

use super::*;

fn topics() -> Topics {
    Topics::new("shop").unwrap()
}

fn original(topic: &str) -> Received {
    let out = Outgoing {
        topic: topic.to_owned(),
        partition: None,
        key: Some(vec![0, 1]),
        value: Some(vec![0xff, 0]),
        headers: Headers::default().with("h", vec![0xff]).with("h", "again"),
    };
    out.received(3, 42, 1)
}

fn cause() -> Cause {
    Cause {
        class: "undecodable".to_owned(),
        stage: "ingress".to_owned(),
        message: "value: byte 0".to_owned(),
        saga: Some(SagaId::new("order", "k").unwrap()),
        definition: Some("order@1#0123456789abcdef".to_owned()),
        group: "shop.ingress".to_owned(),
        delivery_count: 2,
    }
}

#[test]
fn a_dead_letter_keeps_the_record_byte_for_byte() {
    let original = original("orders");
    let out = encode(&topics(), &original, &cause());
    assert_eq!(out.topic, "dlq.shop.orders");
    let letter = decode(&out.received(0, 7, 9)).unwrap();
    assert_eq!(
        (&letter.key, &letter.value),
        (&original.key, &original.value)
    );
    assert_eq!(letter.headers, original.headers);
    assert_eq!(
        (&letter.partition, letter.offset),
        (&original.partition, 42)
    );
    assert_eq!(
        (letter.position.as_str(), letter.timestamp_ms),
        ("dlq.shop.orders/0/7", 9)
    );
}

#[test]
fn a_dead_letter_tells_its_cause() {
    let letter =
        decode(&encode(&topics(), &original("orders"), &cause()).received(0, 7, 9)).unwrap();
    let told = Cause {
        class: letter.class,
        stage: letter.stage,
        message: letter.message,
        saga: letter.saga.map(|text| SagaId::parse(&text).unwrap()),
        definition: letter.definition,
        group: letter.group,
        delivery_count: letter.delivery_count,
    };
    assert_eq!(told, cause());
}

#[test]
fn a_tombstone_stays_one() {
    let mut tombstone = original("orders");
    tombstone.value = None;
    assert_eq!(encode(&topics(), &tombstone, &cause()).value, None);
}

#[test]
fn a_dead_letter_that_fails_again_keeps_its_origin() {
    let first = encode(&topics(), &original("orders"), &cause()).received(0, 7, 9);
    let again = Cause {
        class: "again".to_owned(),
        saga: None,
        ..cause()
    };
    let second = encode(&topics(), &first, &again);
    assert_eq!(second.topic, "dlq.shop.orders");
    let letter = decode(&second.received(0, 8, 9)).unwrap();
    assert_eq!(
        (letter.partition, letter.offset),
        (Partition::new("orders", 3), 42)
    );
    assert_eq!((letter.class.as_str(), letter.saga), ("again", None));
    assert_eq!(letter.headers, original("orders").headers);
}

#[test]
fn a_business_record_cannot_forge_its_origin() {
    let mut forged = original("orders");
    forged.headers.push(headers::DLQ_TOPIC, "payments");
    forged.headers.push(headers::DLQ_SAGA, "order/other");
    let out = encode(
        &topics(),
        &forged,
        &Cause {
            saga: None,
            ..cause()
        },
    );
    let letter = decode(&out.received(0, 0, 0)).unwrap();
    assert_eq!(
        (letter.partition.topic.as_str(), letter.saga),
        ("orders", None)
    );
}

#[test]
fn a_long_message_is_cut_at_a_character() {
    let long = Cause {
        message: "ü".repeat(MESSAGE_BYTES_MAX),
        ..cause()
    };
    let out = encode(&topics(), &original("orders"), &long);
    assert_eq!(
        out.headers.text(headers::DLQ_MESSAGE).unwrap().len(),
        MESSAGE_BYTES_MAX
    );
}

fn foreign(headers: Headers) -> DeadLetter {
    let mut record = original("their.dlq");
    record.headers = headers.with("own", "kept");
    decode(&record).unwrap()
}

fn check_foreign(letter: &DeadLetter, class: &str) {
    assert_eq!(
        (&letter.partition, letter.offset),
        (&Partition::new("orders", 5), 77)
    );
    assert_eq!(
        (letter.class.as_str(), letter.message.as_str()),
        (class, "broken")
    );
    assert_eq!(letter.headers, Headers::default().with("own", "kept"));
}

#[test]
fn connects_dead_letters_are_understood() {
    let letter = foreign(
        Headers::default()
            .with("__connect.errors.topic", "orders")
            .with("__connect.errors.partition", "5")
            .with("__connect.errors.offset", "77")
            .with("__connect.errors.stage", "VALUE_CONVERTER")
            .with("__connect.errors.exception.class.name", "DataException")
            .with("__connect.errors.exception.message", "broken"),
    );
    check_foreign(&letter, "DataException");
    assert_eq!(letter.stage, "VALUE_CONVERTER");
}

#[test]
fn streams_dead_letters_are_understood() {
    let letter = foreign(
        Headers::default()
            .with("__streams.errors.topic", "orders")
            .with("__streams.errors.partition", "5")
            .with("__streams.errors.offset", "77")
            .with("__streams.errors.exception", "SerdeException")
            .with("__streams.errors.message", "broken"),
    );
    check_foreign(&letter, "SerdeException");
}

#[test]
fn springs_dead_letters_have_binary_numbers() {
    let letter = foreign(
        Headers::default()
            .with("kafka_dlt-original-topic", "orders")
            .with("kafka_dlt-original-partition", 5_i32.to_be_bytes())
            .with("kafka_dlt-original-offset", 77_i64.to_be_bytes())
            .with("kafka_dlt-exception-fqcn", "ListenerException")
            .with("kafka_dlt-exception-message", "broken"),
    );
    check_foreign(&letter, "ListenerException");
}

#[test]
fn what_tells_no_origin_is_refused() {
    let error = decode(&original("x")).unwrap_err().to_string();
    assert!(error.starts_with("x/3/42 has no origin headers"), "{error}");
    let mut broken = original("x");
    broken.headers.push(headers::DLQ_TOPIC, "orders");
    broken.headers.push(headers::DLQ_PARTITION, "-1");
    let error = decode(&broken).unwrap_err().to_string();
    assert_eq!(
        error,
        "x/3/42: header `__dlq.errors.partition` is not a number"
    );
}

proptest! {
    #[test]
    fn no_headers_make_it_panic(
        family in 0..4usize,
        values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..10), 3),
    ) {
        let prefix = ["__dlq.errors.", "__connect.errors.", "__streams.errors.", "kafka_dlt-original-"];
        let mut record = original("x");
        for (name, value) in ["topic", "partition", "offset"].iter().zip(values) {
            record.headers.push(&format!("{}{name}", prefix[family]), value);
        }
        let _ = decode(&record);
        let _ = encode(&topics(), &record, &cause());
    }
}

/// A record of this many bytes in each part.
fn of_sizes(key: usize, value: usize, header: usize) -> Received {
    Received {
        key: Some(vec![b'k'; key]),
        value: Some(vec![b'v'; value]),
        headers: Headers::default().with("h", vec![b'h'; header]),
        ..original("orders")
    }
}

#[test]
fn what_no_topic_takes_is_left_out_and_said() {
    let limit = crate::topics::MESSAGE_BYTES_MAX;
    for (sizes, kept, told) in [
        ((1, limit - 2000, 1), (true, true, true), None),
        ((1, limit, 1), (true, false, true), Some("value of")),
        ((1, 64 << 20, 1), (true, false, true), Some("value of")),
        (
            (1, 1, limit),
            (true, false, false),
            Some("value, headers of"),
        ),
        (
            (limit, 1, 1),
            (false, false, false),
            Some("value, headers, key of"),
        ),
    ] {
        let original = of_sizes(sizes.0, sizes.1, sizes.2);
        let out = encode(&topics(), &original, &cause());
        assert!(out.size() <= RECORD_BYTES_MAX, "{sizes:?}");
        let letter = decode(&out.received(0, 7, 9)).unwrap();
        let has = (
            letter.key.is_some(),
            letter.value.is_some(),
            letter.headers.bytes("h").is_some(),
        );
        assert_eq!(has, kept, "{sizes:?}");
        assert_eq!((letter.partition, letter.offset), (original.partition, 42));
        assert_eq!(letter.class, "undecodable");
        let left_out = letter.left_out.unwrap_or_default();
        assert!(left_out.starts_with(told.unwrap_or("")), "{left_out}");
        assert_eq!(left_out.is_empty(), told.is_none());
    }
}

#[test]
fn what_was_left_out_is_still_said_when_it_is_set_aside_again() {
    let first = encode(&topics(), &of_sizes(1, 3 << 20, 1), &cause()).received(0, 7, 9);
    let again = encode(&topics(), &first, &cause()).received(0, 8, 10);
    let said = |record| decode(record).unwrap().left_out;
    assert!(said(&first).is_some());
    assert_eq!(said(&first), said(&again));
    // Only Skald says so.
    let mut forged = original("orders");
    forged.headers.push(crate::headers::DLQ_LEFT_OUT, "value");
    assert_eq!(
        said(&encode(&topics(), &forged, &cause()).received(0, 7, 9)),
        None
    );
}
