//! What cannot be written is told with its path, what was found and what should be there.

use serde_json::json;

use super::*;

fn order() -> Schema {
    schema(json!({"type": "record", "name": "shop.Order", "fields": [
        {"name": "id", "type": "string"},
        {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}},
        ]}}},
        {"name": "note", "type": ["null", "string"]},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}, "default": "NEW"},
        {"name": "mark", "type": "bytes", "default": "\u{ff}"},
        {"name": "parent", "type": ["null", "Order"], "default": null},
    ]}))
}

fn error(value: Value) -> String {
    write(&order(), value).unwrap_err()
}

#[test]
fn missing_fields_take_default_or_null() {
    let bytes = write(&order(), json!({"id": "a", "lines": []})).unwrap();
    let full = json!({"id": "a", "lines": [], "note": null, "state": "NEW", "mark": "/w==", "parent": null});
    assert_eq!(read(&order(), &bytes), Ok(full));
}

#[test]
fn defaults_are_written_as_what_lies_under_a_logical_type() {
    let field = |r#type: &str, logical: &str| json!({"name": logical, "default": 1, "type": {"type": r#type, "logicalType": logical}});
    let fixed = |logical: &str, size: usize| {
        json!({"name": logical, "default": "\u{1}".repeat(size),
        "type": {"type": "fixed", "name": format!("F{size}"), "size": size, "logicalType": logical}})
    };
    let schema = schema(json!({"type": "record", "name": "R", "fields": [
        field("int", "date"), field("int", "time-millis"), field("long", "time-micros"), field("long", "timestamp-nanos"),
        fixed("uuid", 16), fixed("duration", 12),
        {"name": "money", "default": "\u{7b}", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}},
    ]}));
    let value = read(&schema, &write(&schema, json!({})).unwrap()).unwrap();
    assert_eq!(
        value,
        json!({
            "date": "1970-01-02", "time-millis": "00:00:00.001", "time-micros": "00:00:00.000001",
            "timestamp-nanos": "1970-01-01T00:00:00.000000001Z", "uuid": "01010101-0101-0101-0101-010101010101",
            "duration": {"months": 16_843_009, "days": 16_843_009, "millis": 16_843_009}, "money": 1.23,
        })
    );
    assert!(write(&schema, json!({"date": 1})).is_err());
}

#[test]
fn errors_name_the_way_to_the_value() {
    assert_eq!(
        error(json!({"lines": []})),
        "`$.id` is missing, and the schema has no default: add it to `with`"
    );
    assert_eq!(
        error(json!({"id": 7, "lines": []})),
        "`$.id` is `7`, but the schema asks for string"
    );
    assert_eq!(
        error(json!({"id": "a", "lines": [{"price": 1}, {"price": "1.005"}]})),
        "`$.lines[1].price` is the text `1.005`, but the schema asks for decimal(6, 2)"
    );
    assert_eq!(
        error(json!({"id": "a", "lines": [], "note": {}})),
        "`$.note` is an object, but the schema asks for one of null, string"
    );
    assert_eq!(
        error(json!({"id": "a", "lines": [], "state": "OLD"})),
        "`$.state` is the text `OLD`, but the schema asks for enum shop.State (NEW, PAID)"
    );
    assert_eq!(
        error(json!({"id": "a", "lines": [], "total": 1})),
        "`$.total` is no field of record shop.Order: remove it, or publish a schema that has it"
    );
    assert_eq!(
        error(json!({"id": "a", "lines": [], "parent": {"id": 1, "lines": []}})),
        "`$.parent.id` is `1`, but the schema asks for string"
    );
}

#[test]
fn numbers_are_exact_or_refused() {
    let decimal =
        schema(json!({"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}));
    for (value, read_back) in [
        (json!(1), json!(1.0)),
        (json!("9999.99"), json!(9999.99)),
        (json!(-0.01), json!(-0.01)),
        (json!("1e3"), json!(1000.0)),
        (json!("0.000"), json!(0.0)),
    ] {
        let bytes = write(&decimal, value).unwrap();
        assert_eq!(read(&decimal, &bytes), Ok(read_back));
    }
    for value in [
        json!("10000.00"),
        json!(0.001),
        json!("1e9999999999999"),
        json!("abc"),
        json!(" 1"),
        json!(""),
    ] {
        assert!(write(&decimal, value.clone()).is_err(), "{value}");
    }
    let int = schema(json!("int"));
    assert_eq!(write(&int, json!(3.0)), Ok(vec![6]));
    assert!(write(&int, json!(3.5)).is_err());
    assert!(write(&int, json!(3_000_000_000_i64)).is_err());
    let long = schema(json!("long"));
    assert_eq!(
        write(&long, json!("-9223372036854775808")).unwrap().len(),
        10
    );
    assert!(write(&long, json!("9223372036854775808")).is_err());
    assert!(write(&schema(json!("float")), json!(1e300)).is_err());
}

#[test]
fn unions_take_the_first_branch_that_fits() {
    let number = schema(json!(["float", "double"]));
    assert_eq!(write(&number, json!(0.1)).unwrap()[0], 2);
    let day = schema(json!(["null", {"type": "int", "logicalType": "date"}, "string"]));
    assert_eq!(write(&day, json!("2026-01-31")).unwrap()[0], 2);
    assert_eq!(write(&day, json!("tomorrow")).unwrap()[0], 4);
}

#[test]
fn a_search_without_end_is_given_up() {
    let branch = |name: &str, end: &str| {
        json!({"type": "record", "name": name, "fields": [
            {"name": "next", "type": ["A", "B", "null"]}, {"name": "end", "type": end},
        ]})
    };
    // Both branches fail only at their end, so every level doubles the ways.
    let mut text = json!([branch("A", "string"), "null"]);
    text[0]["fields"][0]["type"] = json!(["A", branch("B", "int"), "null"]);
    text[0]["fields"][0]["type"][1]["fields"][0]["type"] = json!(["A", "B", "null"]);
    let mut value = json!({"next": null, "end": true});
    for _ in 0..40 {
        value = json!({"next": value, "end": true});
    }
    let error = write(&schema(text), value).unwrap_err();
    assert!(
        error.contains("no branch of its unions was found in 1000000 steps"),
        "{error}"
    );
}

#[test]
fn times_that_are_none_are_refused() {
    let stamp = schema(json!({"type": "long", "logicalType": "timestamp-micros"}));
    assert!(write(&stamp, json!("2026-02-30T00:00:00Z")).is_err());
    let zoned = write(&stamp, json!("2026-01-31T01:00:00.5+01:00")).unwrap();
    assert_eq!(
        read(&stamp, &zoned),
        Ok(json!("2026-01-31T00:00:00.500000Z"))
    );
    let clock = schema(json!({"type": "int", "logicalType": "time-millis"}));
    assert!(write(&clock, json!("24:00:00")).is_err());
    assert!(write(&clock, json!("12:00")).is_err());
    let date = schema(json!({"type": "int", "logicalType": "date"}));
    assert!(write(&date, json!("2026-1-31")).is_err());
}
