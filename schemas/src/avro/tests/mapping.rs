//! The table in the module's documentation, line by line, with data that `apache-avro` wrote.

use apache_avro::types::Value as Theirs;
use apache_avro::{Days, Decimal, Duration, Millis, Months};
use serde_json::json;

use super::*;

/// The JSON of a datum that the other implementation wrote; and back to the same bytes.
fn both(of: Value, other_value: Theirs) -> Value {
    let text = json!({"type": "record", "name": "R", "fields": [{"name": "f", "type": of}]});
    let other = apache_avro::Schema::parse(&text).unwrap();
    let record = Theirs::Record(vec![("f".to_owned(), other_value)]);
    let bytes = theirs::write(&other, record);
    let ours = schema(text);
    let value = read(&ours, &bytes).unwrap();
    assert_eq!(encode(&ours, &value).unwrap(), bytes, "{value}");
    value["f"].clone()
}

fn logical(r#type: &str, name: &str) -> Value {
    json!({"type": r#type, "logicalType": name})
}

#[test]
fn plain_types_are_themselves() {
    assert_eq!(both(json!("null"), Theirs::Null), json!(null));
    assert_eq!(both(json!("boolean"), Theirs::Boolean(true)), json!(true));
    assert_eq!(both(json!("int"), Theirs::Int(-7)), json!(-7));
    assert_eq!(
        both(json!("string"), Theirs::String("ä".into())),
        json!("ä")
    );
    let list = Theirs::Array(vec![Theirs::Int(1), Theirs::Int(2)]);
    assert_eq!(
        both(json!({"type": "array", "items": "int"}), list),
        json!([1, 2])
    );
    let map = Theirs::Map([("a".to_owned(), Theirs::Int(1))].into());
    assert_eq!(
        both(json!({"type": "map", "values": "int"}), map),
        json!({"a": 1})
    );
}

#[test]
fn no_digit_of_a_long_is_lost() {
    let long = |n| both(json!("long"), Theirs::Long(n));
    assert_eq!(long(1 << 53), json!(9_007_199_254_740_992_i64));
    assert_eq!(long((1 << 53) + 1), json!("9007199254740993"));
    assert_eq!(long(i64::MIN), json!("-9223372036854775808"));
    assert_eq!(long(i64::MAX), json!("9223372036854775807"));
}

#[test]
fn floats_have_their_own_digits() {
    assert_eq!(both(json!("float"), Theirs::Float(0.1)), json!(0.1));
    assert_eq!(
        both(json!("float"), Theirs::Float(f32::MAX)),
        json!(3.4028235e38)
    );
    assert_eq!(both(json!("double"), Theirs::Double(0.1)), json!(0.1));
    assert_eq!(both(json!("double"), Theirs::Double(3.0)), json!(3.0));
}

#[test]
fn what_json_cannot_write_is_refused() {
    let error = read(&schema(json!("double")), &f64::NAN.to_le_bytes()).unwrap_err();
    assert_eq!(
        error,
        "Avro `$`, byte 8 of the datum: NaN, which JSON cannot write; send null"
    );
    assert!(read(&schema(json!("float")), &f32::INFINITY.to_le_bytes()).is_err());
    let nul = read(&schema(json!("string")), b"\x02\0").unwrap_err();
    assert!(nul.contains("NUL character"), "{nul}");
}

#[test]
fn binary_data_is_base64() {
    assert_eq!(
        both(json!("bytes"), Theirs::Bytes(vec![0, 255])),
        json!("AP8=")
    );
    let fixed = json!({"type": "fixed", "name": "F", "size": 2});
    assert_eq!(both(fixed, Theirs::Fixed(2, vec![1, 2])), json!("AQI="));
}

#[test]
fn enums_and_unions_show_what_is_meant() {
    let kind = json!({"type": "enum", "name": "E", "symbols": ["A", "B"]});
    assert_eq!(both(kind, Theirs::Enum(1, "B".into())), json!("B"));
    let union = json!(["null", "string"]);
    let text = Theirs::Union(1, Box::new(Theirs::String("x".into())));
    assert_eq!(both(union.clone(), text), json!("x"));
    assert_eq!(
        both(union, Theirs::Union(0, Box::new(Theirs::Null))),
        json!(null)
    );
}

#[test]
fn decimals_keep_every_digit() {
    let decimal = |of: Value, bytes: &[u8]| both(of, Theirs::Decimal(Decimal::from(bytes)));
    let money = json!({"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 2});
    assert_eq!(decimal(money.clone(), &[0x04, 0xce]), json!(12.3));
    assert_eq!(decimal(money.clone(), &[0xff, 0x38]), json!(-2.0));
    assert_eq!(decimal(money.clone(), &[0xff]), json!(-0.01));
    assert_eq!(decimal(money.clone(), &[0]), json!(0.0));
    let many = 123_456_789_012_345_678_901_234_567_i128.to_be_bytes();
    assert_eq!(
        decimal(money, &many[5..]),
        json!("1234567890123456789012345.67")
    );
    let fixed = json!({"type": "fixed", "name": "F", "size": 4, "logicalType": "decimal", "precision": 9, "scale": 0});
    assert_eq!(decimal(fixed, &[0xff, 0xff, 0xff, 0x80]), json!(-128));
}

#[test]
fn times_are_texts_that_sort() {
    let stamp = |name, theirs| both(logical("long", name), theirs);
    assert_eq!(
        stamp("timestamp-millis", Theirs::TimestampMillis(-1)),
        json!("1969-12-31T23:59:59.999Z")
    );
    assert_eq!(
        stamp(
            "timestamp-micros",
            Theirs::TimestampMicros(1_769_904_000_000_007)
        ),
        json!("2026-02-01T00:00:00.000007Z")
    );
    assert_eq!(
        stamp("timestamp-nanos", Theirs::TimestampNanos(1)),
        json!("1970-01-01T00:00:00.000000001Z")
    );
    assert_eq!(
        stamp("local-timestamp-millis", Theirs::LocalTimestampMillis(0)),
        json!("1970-01-01T00:00:00.000")
    );
    assert_eq!(
        stamp("time-micros", Theirs::TimeMicros(86_399_999_999)),
        json!("23:59:59.999999")
    );
    assert_eq!(
        both(logical("int", "time-millis"), Theirs::TimeMillis(1)),
        json!("00:00:00.001")
    );
    assert_eq!(
        both(logical("int", "date"), Theirs::Date(-719_162)),
        json!("0001-01-01")
    );
    let late = read(
        &schema(logical("long", "timestamp-millis")),
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    );
    assert!(
        late.unwrap_err()
            .contains("no date or time of the years 1 to 9999")
    );
}

#[test]
fn uuids_and_durations() {
    let id = "936da01f-9abd-4d9d-80c7-02af85c822a8";
    let theirs = Theirs::Uuid(id.parse().unwrap());
    let fixed = json!({"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"});
    assert_eq!(both(fixed, theirs), json!(id));
    assert_eq!(
        both(logical("string", "uuid"), Theirs::Uuid(id.parse().unwrap())),
        json!(id)
    );
    let duration = json!({"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"});
    let theirs = Duration::new(Months::new(1), Days::new(2), Millis::new(u32::MAX));
    assert_eq!(
        both(duration, Theirs::Duration(theirs)),
        json!({"months": 1, "days": 2, "millis": u32::MAX})
    );
}

#[test]
fn unknown_logical_types_are_what_lies_under_them() {
    assert_eq!(
        both(
            logical("string", "no-such-type"),
            Theirs::String("x".into())
        ),
        json!("x")
    );
    // A logical type of another underlying type counts for nothing.
    let schema = schema(logical("string", "date"));
    assert_eq!(read(&schema, b"\x02x").unwrap(), json!("x"));
}

#[test]
fn the_type_is_the_record_that_came() {
    let record =
        |name: &str| json!({"type": "record", "name": name, "namespace": "shop", "fields": []});
    let union = schema(json!([record("Placed"), record("Paid"), "null"]));
    let name = |body: &[u8]| decode(&union, body).unwrap().name;
    assert_eq!(name(&[2]).as_deref(), Some("shop.Paid"));
    assert_eq!(name(&[4]), None);
    let plain = schema(record("Placed"));
    assert_eq!(
        decode(&plain, &[]).unwrap().name.as_deref(),
        Some("shop.Placed")
    );
    // A union further inside does not change what the record is called.
    let outer = schema(
        json!({"type": "record", "name": "O", "fields": [{"name": "f", "type": ["null", record("I")]}]}),
    );
    assert_eq!(decode(&outer, &[2]).unwrap().name.as_deref(), Some("O"));
}

#[test]
fn framing() {
    let text = schema(json!("string"));
    let frame = encode_framed(0x0102_0304, &text, &json!("x")).unwrap();
    assert_eq!(frame, b"\0\x01\x02\x03\x04\x02x");
    assert_eq!(unframe(&frame), Ok((0x0102_0304, b"\x02x".as_slice())));
    let error = |value: &[u8]| unframe(value).unwrap_err().to_string();
    assert!(
        error(b"{\"a\":1}").starts_with("7 bytes beginning with 0x7b: not in Confluent framing")
    );
    assert!(error(b"\0\0\0\0").contains("4 bytes"));
    assert!(error(b"").contains("`avro-bare`"));
}
