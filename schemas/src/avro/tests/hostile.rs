//! Bytes that nobody meant well.

use serde_json::json;

use super::*;

fn list_of(of: Value) -> Value {
    json!({"type": "array", "items": of})
}

/// A record without bytes, doubled `levels` times.
fn doubling(levels: usize) -> Value {
    let mut of = json!({"type": "record", "name": "R0", "fields": []});
    for level in 1..=levels {
        let inner = format!("R{}", level - 1);
        of = json!({"type": "record", "name": format!("R{level}"), "fields": [
            {"name": "a", "type": of}, {"name": "b", "type": inner},
        ]});
    }
    of
}

#[test]
fn things_without_bytes_do_not_multiply() {
    let max = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    let memory = "more than 4194304 bytes of memory";
    for of in [
        json!("null"),
        json!({"type": "record", "name": "E", "fields": []}),
        json!({"type": "fixed", "name": "F", "size": 0}),
    ] {
        let error = read(&schema(list_of(of)), max).unwrap_err();
        assert!(error.contains(memory), "{error}");
    }
    let error = read(&schema(doubling(30)), b"").unwrap_err();
    assert!(error.contains(memory), "{error}");
    // The limit is one of the datum, not of each collection: 8 KB become 140 million values elsewhere.
    let outer: Vec<u8> = [
        b"\xc0\x9a\x0c".as_slice(),
        &b"\xd0\x0f\0".repeat(100_000),
        b"\0",
    ]
    .concat();
    let error = read(&schema(list_of(list_of(json!("null")))), &outer).unwrap_err();
    assert!(error.contains(memory), "{error}");
}

#[test]
fn a_record_may_refer_to_itself_but_not_for_ever() {
    let list = schema(
        json!({"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}),
    );
    let of_depth = |depth: usize| [vec![2_u8; depth - 1], vec![0]].concat();
    assert!(read(&list, &of_depth(64)).is_ok());
    let error = read(&list, &vec![2; 1_000_000]).unwrap_err();
    assert!(error.contains("nested deeper than 64 levels"), "{error}");
    assert!(error.starts_with("Avro `$.next.next."), "{error}");
    // Without a union between there is no end at all.
    let endless =
        schema(json!({"type": "record", "name": "L", "fields": [{"name": "next", "type": "L"}]}));
    assert!(read(&endless, b"").unwrap_err().contains("nested deeper"));
}

#[test]
fn lengths_are_compared_with_what_is_there() {
    let text = schema(json!("string"));
    assert!(
        read(&text, b"\xfe\xff\xff\xff\x0f")
            .unwrap_err()
            .contains("2147483647 bytes are needed, 0 are left")
    );
    assert!(read(&text, b"\x01").unwrap_err().contains("a length of -1"));
    assert!(
        read(&text, &[0xff; 11])
            .unwrap_err()
            .contains("more than 64 bits")
    );
    assert!(
        read(&text, b"\x04\xff\xfe")
            .unwrap_err()
            .contains("not UTF-8")
    );
    assert!(
        read(&schema(json!("int")), b"\x80\x80\x80\x80\x20")
            .unwrap_err()
            .contains("no int of 32 bits")
    );
    assert!(
        read(&schema(json!("boolean")), b"\x02")
            .unwrap_err()
            .contains("no boolean")
    );
    assert!(
        read(&schema(json!("null")), b"\0")
            .unwrap_err()
            .contains("1 bytes are left over: it was written with another schema")
    );
}

#[test]
fn indexes_are_compared_with_the_schema() {
    let kind = schema(json!({"type": "enum", "name": "E", "symbols": ["A"]}));
    assert!(
        read(&kind, b"\x02")
            .unwrap_err()
            .contains("symbol 1 of an enum of 1")
    );
    assert!(read(&kind, b"\x01").unwrap_err().contains("symbol -1"));
    let union = schema(json!(["null", "int"]));
    assert!(
        read(&union, b"\x04")
            .unwrap_err()
            .contains("branch 2 of a union of 2")
    );
}

#[test]
fn blocks_come_in_several_forms() {
    let numbers = schema(list_of(json!("int")));
    assert_eq!(read(&numbers, b"\0"), Ok(json!([])));
    assert_eq!(
        read(&numbers, b"\x02\x02\x04\x04\x06\0"),
        Ok(json!([1, 2, 3]))
    );
    // A negative count is followed by a size.
    assert_eq!(read(&numbers, b"\x03\x04\x02\x04\0"), Ok(json!([1, 2])));
    let lowest = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\0\x02";
    assert!(
        read(&numbers, lowest)
            .unwrap_err()
            .contains("Avro `$[1]`, byte 12")
    );
}

#[test]
fn a_key_of_a_map_stands_once() {
    let map = schema(json!({"type": "map", "values": "int"}));
    let error = read(&map, b"\x04\x02a\x02\x02a\x04\0").unwrap_err();
    assert!(
        error.contains("`$.a`") && error.contains("occurs twice"),
        "{error}"
    );
}

#[test]
fn absurd_decimals_are_refused() {
    let decimal =
        schema(json!({"type": "bytes", "logicalType": "decimal", "precision": 300, "scale": 300}));
    let sized = |bytes: &[u8]| [vec![0x80, 0x89, 0x7a], bytes.to_vec()].concat();
    let million = sized(&vec![0x7f; 1_000_000]);
    assert!(
        read(&decimal, &million)
            .unwrap_err()
            .contains("too many digits")
    );
    // Leading zeros are no digits.
    let mut padded = vec![0; 1_000_000];
    padded[999_999] = 5;
    assert_eq!(read(&decimal, &sized(&padded)), Ok(json!(5e-300)));
}

#[test]
fn a_cut_datum_is_always_refused() {
    let order = schema(json!({"type": "record", "name": "O", "fields": [
        {"name": "id", "type": "string"},
        {"name": "paid", "type": "boolean"},
        {"name": "note", "type": ["null", "string"]},
        {"name": "items", "type": list_of(json!("double"))},
    ]}));
    let value = json!({"id": "ORD-1", "paid": true, "note": "x", "items": [1.5, 2.5]});
    let bytes = encode(&order, &value).unwrap();
    assert_eq!(read(&order, &bytes), Ok(value));
    for length in 0..bytes.len() {
        let error = read(&order, &bytes[..length]).unwrap_err();
        assert!(error.contains("bytes are needed, "), "{length}: {error}");
    }
}
