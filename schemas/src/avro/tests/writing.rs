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
fn a_text_of_digits_stays_text_where_there_is_one() {
    let id = schema(json!(["null", "long", "int", "string"]));
    for text in ["5", "0123", "-7", "9007199254740992"] {
        let written = write(&id, json!(text)).unwrap();
        assert_eq!((written[0], read(&id, &written)), (6, Ok(json!(text))));
    }
    // So a number that was read comes back.
    assert_eq!(write(&id, json!("9007199254740993")).unwrap()[0], 2);
    assert_eq!(write(&id, json!(5)).unwrap(), [2, 10]);
    let number = schema(json!(["null", "long"]));
    assert_eq!(write(&number, json!("5")).unwrap(), [2, 10]);
    for text in ["+5", "007", "5 ", "-0"] {
        assert!(write(&number, json!(text)).is_err(), "{text}");
    }
}

#[test]
fn of_several_records_in_a_union_none_is_guessed() {
    let branch = |name: &str| json!({"type": "record", "name": name, "fields": [{"name": name, "type": "int"}]});
    let two = schema(json!(["null", branch("a"), branch("b")]));
    assert_eq!(
        write(&two, json!({"b": "x"})).unwrap_err(),
        "`$` is an object, but the schema asks for one of null, record a, record b"
    );
    let one = schema(json!(["null", branch("a")]));
    assert_eq!(
        write(&one, json!({"b": 1})).unwrap_err(),
        "`$.b` is no field of record a: remove it, or publish a schema that has it"
    );
}

#[test]
fn a_default_that_does_not_fit_is_not_the_senders_fault() {
    let inner = json!({"type": "record", "name": "I", "fields": [{"name": "n", "type": "int"}]});
    let outer = schema(
        json!({"type": "record", "name": "O", "fields": [{"name": "i", "type": inner, "default": {"n": "x"}}]}),
    );
    assert_eq!(
        write(&outer, json!({})).unwrap_err(),
        "`$.i` is missing, and its default does not fit the schema (`default.n` is the text `x`, but the schema asks for int (a whole \
         number of 32 bits)): add it to `with`, or mend the schema"
    );
}

#[test]
fn defaults_without_end_are_given_up_for_what_they_are() {
    let endless = schema(
        json!({"type": "record", "name": "R", "fields": [{"name": "next", "type": "R", "default": {}}]}),
    );
    let error = write(&endless, json!({})).unwrap_err();
    assert!(error.contains("is nested deeper than 64 levels"), "{error}");
    // Each item is two bytes of JSON and 100,000 of Avro.
    let item = json!({"type": "record", "name": "I", "fields": [{"name": "fill", "type": "string", "default": "x".repeat(100_000)}]});
    let list = schema(json!({"type": "array", "items": item}));
    let error = write(&list, json!(vec![json!({}); 1_000])).unwrap_err();
    assert!(
        error.starts_with("`$[42]`: the value takes more than 4194304 bytes"),
        "{error}"
    );
    let item = json!({"type": "record", "name": "I", "fields": (0..100).map(|n| json!({"name": format!("f{n}"), "type": "int", "default": 1})).collect::<Vec<_>>()});
    let list = schema(json!({"type": "array", "items": item}));
    let error = write(&list, json!(vec![json!({}); 20_000])).unwrap_err();
    assert!(
        error.contains("takes more than 1000000 steps: send less"),
        "{error}"
    );
}

#[test]
fn what_a_schema_asks_for_is_told_in_few_words() {
    let symbols: Vec<String> = (0..5_000).map(|n| format!("S{n}")).collect();
    let many = schema(json!({"type": "enum", "name": "E", "symbols": symbols}));
    let error = write(&many, json!("T")).unwrap_err();
    assert!(
        error.starts_with("`$` is the text `T`, but the schema asks for enum E (S0, S1,")
            && error.len() < 400,
        "{error}"
    );
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
    assert!(error.contains("takes more than 1000000 steps"), "{error}");
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
    // Times of expressions are milliseconds; no other unit is guessed.
    let millis = schema(json!({"type": "long", "logicalType": "timestamp-millis"}));
    assert_eq!(
        read(&millis, &write(&millis, json!(1)).unwrap()),
        Ok(json!("1970-01-01T00:00:00.001Z"))
    );
    assert!(write(&millis, json!("1")).is_err() && write(&millis, json!(1.5)).is_err());
    assert!(write(&stamp, json!(1)).is_err());
    let clock = schema(json!({"type": "int", "logicalType": "time-millis"}));
    assert!(write(&clock, json!("24:00:00")).is_err());
    assert!(write(&clock, json!("12:00")).is_err());
    let date = schema(json!({"type": "int", "logicalType": "date"}));
    assert!(write(&date, json!("2026-1-31")).is_err());
}
