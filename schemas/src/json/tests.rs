use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(text: &str) -> Result<Value, Error> {
    parse(text.as_bytes())
}

fn error(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn ordinary_json_is_read_as_serde_json_reads_it() {
    for text in [
        "null",
        " [ true , false ] ",
        "{}",
        "[]",
        "-0.5e-3",
        "1.0",
        r#"{"a":{"b":[1,2,{"c":"d\n\u00e9\ud83d\ude00 \/"}]},"é":"x"}"#,
    ] {
        assert_eq!(
            read(text).unwrap(),
            serde_json::from_str::<Value>(text).unwrap(),
            "{text}"
        );
    }
}

#[test]
fn numbers_that_a_double_would_change_stay_text() {
    for text in [
        "9007199254740993",
        "-9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890",
        "0.12345678901234567890",
        "90071992547409.93001",
        "1e999999",
        "-1e999999",
        "1e-999999",
        "1e99999999999999999999999",
    ] {
        assert_eq!(read(text).unwrap(), json!(text), "{text}");
    }
}

#[test]
fn numbers_that_a_double_keeps_are_numbers() {
    assert_eq!(
        read("9007199254740992").unwrap(),
        json!(9_007_199_254_740_992_i64)
    );
    assert_eq!(
        read("-9007199254740992").unwrap(),
        json!(-9_007_199_254_740_992_i64)
    );
    for (text, number) in [
        ("19.99", 19.99),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("0.1", 0.1),
        ("0.0e9", 0.0),
    ] {
        assert_eq!(read(text).unwrap(), json!(number), "{text}");
    }
    assert_eq!(read("-0").unwrap(), json!(0));
}

#[test]
fn depth_ends_at_64() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(read(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(
        read(&nested(DEPTH_MAX + 1)),
        Err(Error::TooDeep { at: DEPTH_MAX })
    );
    let objects = format!("{}1{}", r#"{"a":"#.repeat(65), "}".repeat(65));
    assert!(matches!(read(&objects), Err(Error::TooDeep { at: 320 })));
    // Far beyond: refused at the same place, without using the stack.
    assert_eq!(
        read(&"[".repeat(1_000_000)),
        Err(Error::TooDeep { at: DEPTH_MAX })
    );
}

#[test]
fn a_large_document_is_refused_unread() {
    let bytes = vec![b' '; DOCUMENT_BYTES_MAX + 1];
    let (bytes_found, max) = (DOCUMENT_BYTES_MAX + 1, DOCUMENT_BYTES_MAX);
    assert_eq!(
        parse(&bytes),
        Err(Error::TooLarge {
            bytes: bytes_found,
            max
        })
    );
}

#[test]
fn duplicate_keys_are_refused_however_they_are_spelled() {
    assert_eq!(
        error(r#"{"a":1, "\u0061":2}"#),
        "byte 8: key `a` occurs twice in one object; remove one"
    );
    assert!(read(r#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
}

#[test]
fn nul_and_lone_surrogates_are_refused() {
    assert_eq!(
        error("\"a\0\""),
        "byte 2: NUL character in a text; remove it"
    );
    assert_eq!(read(r#"["\u0000"]"#), Err(Error::Nul { at: 2 }));
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        r#""\ud800x""#,
        r#""\udc00\ud800""#,
    ] {
        assert_eq!(read(text), Err(Error::LoneSurrogate { at: 1 }), "{text}");
    }
}

#[test]
fn errors_name_the_byte_and_what_should_stand_there() {
    assert_eq!(
        error("{\"a\" 1}"),
        "byte 5: `1` where `:` should be; send JSON (RFC 8259)"
    );
    assert_eq!(
        error(""),
        "byte 0: the end where a value should be; send JSON (RFC 8259)"
    );
    assert!(error("\0\0\0\0\x01").starts_with("byte 0: byte 0x00 (Confluent framing"));
    assert_eq!(parse(b"\"a\xff\""), Err(Error::NotUtf8 { at: 2 }));
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "-",
        "nul",
        "True",
        "NaN",
        "Infinity",
        "'a'",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "[1 2]",
        "1 2",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\t\"",
        "{",
        "[",
        "{\"a\"",
        "// x\n1",
        "\u{feff}1",
    ] {
        assert!(
            matches!(read(text), Err(Error::Unexpected { .. })),
            "{text}"
        );
    }
}

#[test]
fn a_number_between_two_shortest_decimals_comes_back() {
    let value = Value::from(-1_465_208_249_584_411.2);
    assert_eq!(read(&value.to_string()).unwrap(), value);
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-(1_i64 << 53)..=(1_i64 << 53)).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[^\\x00]{0,12}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::btree_map("[^\\x00]{0,6}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in document()) {
        let text = value.to_string();
        prop_assert_eq!(read(&text).unwrap(), value);
    }

    #[test]
    fn reading_twice_changes_nothing(text in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,20})?(e-?[0-9]{1,4})?") {
        let once = read(&text).unwrap();
        prop_assert_eq!(read(&once.to_string()).unwrap(), once);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn it_agrees_with_serde_json_on_what_is_json(text in "[\\[\\]{},:\"\\\\u0-9a-f .eE+-]{0,24}") {
        let ours = read(&text);
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text);
        if theirs.is_err() {
            prop_assert!(ours.is_err(), "{:?}", ours);
        }
        if let Err(Error::Unexpected { .. }) = ours {
            prop_assert!(theirs.is_err());
        }
    }
}

#[test]
fn many_small_values_are_refused_before_they_fill_the_memory() {
    let many = |item: &str, count| format!("[{}]", vec![item; count].join(","));
    let refused = many(r#"{"":0}"#, 149_000);
    assert!(refused.len() <= DOCUMENT_BYTES_MAX);
    let error = parse(refused.as_bytes()).unwrap_err();
    assert!(matches!(error, Error::TooManyValues { .. }), "{error}");
    // As many values as fit into a document, one object with as many keys, and ordinary objects all pass.
    let keys: Vec<_> = (0..100_000).map(|n| format!("\"{n:05}\":0")).collect();
    let line = r#"{"sku":"book-12345","count":2,"price":12.5,"gift":false,"note":"with the usual wrapping, please"}"#;
    for good in [
        many("0", 500_000),
        format!("{{{}}}", keys.join(",")),
        many(line, 10_000),
    ] {
        assert!(good.len() <= DOCUMENT_BYTES_MAX);
        assert!(parse(good.as_bytes()).is_ok(), "{}", &good[..60]);
    }
}
