//! Schemas: names, references and limits.

use serde_json::json;

use super::*;

#[test]
fn names_resolve_as_the_specification_says() {
    let text = json!({"type": "record", "name": "a.b.Outer", "fields": [
        {"name": "one", "type": {"type": "enum", "name": "Kind", "symbols": ["A"]}},
        {"name": "two", "type": "Kind"},
        {"name": "three", "type": "a.b.Kind"},
        {"name": "four", "type": {"type": "fixed", "name": "Size", "namespace": "c", "size": 1}},
        {"name": "five", "type": "c.Size"},
        {"name": "next", "type": ["null", "Outer"]},
        {"name": "nested", "type": {"type": {"type": "string"}}},
    ]});
    let schema = schema(text);
    assert_eq!(schema.name(), Some("a.b.Outer"));
    let value = json!({"one": "A", "two": "A", "three": "A", "four": "AA==", "five": "AQ==", "next": null, "nested": "x"});
    let bytes = encode(&schema, &value).unwrap();
    assert_eq!(read(&schema, &bytes), Ok(value));
}

#[test]
fn references_come_first() {
    let address =
        r#"{"type":"record","name":"shop.Address","fields":[{"name":"city","type":"string"}]}"#;
    let order =
        r#"{"type":"record","name":"shop.Order","fields":[{"name":"to","type":"Address"}]}"#;
    let schema = Schema::parse_with(order, &[address.to_owned()]).unwrap();
    assert_eq!(read(&schema, b"\x02X"), Ok(json!({"to": {"city": "X"}})));
    let alone = Schema::parse(order).unwrap_err().to_string();
    assert_eq!(
        alone,
        "schema at `shop.Order.to`: type `shop.Address` is not defined before it is used: add it to the schema's references"
    );
}

#[test]
fn a_bare_name_is_a_schema() {
    assert_eq!(
        read(&Schema::parse("string").unwrap(), b"\x02x"),
        Ok(json!("x"))
    );
    assert!(Schema::parse("strung").is_err());
}

#[test]
fn what_is_no_schema_is_told_with_its_place() {
    let field =
        |of: Value| json!({"type": "record", "name": "R", "fields": [{"name": "f", "type": of}]});
    for (text, problem) in [
        (
            json!(1),
            "`the outermost type`: a type is a name, a list or an object",
        ),
        (json!({}), "`type` is missing"),
        (json!([]), "a union without branches"),
        (
            json!({"type": "record", "name": "R"}),
            "`fields` is not a list",
        ),
        (
            json!({"type": "enum", "name": "E", "symbols": []}),
            "`symbols` is not a list of texts",
        ),
        (
            json!({"type": "fixed", "name": "F", "size": -1}),
            "`size` is not 0 to 1048576",
        ),
        (json!({"type": "fixed", "size": 1}), "`name` is missing"),
        (
            field(json!({"type": "array"})),
            "schema at `R.f`: `items` is missing",
        ),
        (
            field(json!(field(json!("int")))),
            "two types are called `R`",
        ),
        (
            json!({"type": "record", "name": "R", "fields": [{"name": "f", "type": "int"}, {"name": "f", "type": "int"}]}),
            "two fields are called `f`",
        ),
        (
            field(json!({"type": "bytes", "logicalType": "decimal"})),
            "needs a `precision` of 1 to 300",
        ),
        (
            field(json!({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 5})),
            "a `scale` of 0 to that",
        ),
    ] {
        let error = schema_error(text);
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn schema_bombs_are_refused() {
    let mut nested = json!("int");
    for _ in 0..63 {
        nested = json!({"type": "array", "items": nested});
    }
    assert!(Schema::parse(&nested.to_string()).is_ok());
    let nested = json!([{"type": "array", "items": [nested]}]);
    assert!(schema_error(nested).contains("nested deeper than 64 levels"));
    let thousand = format!(
        "{}\"int\"{}",
        r#"{"type":"array","items":"#.repeat(1000),
        "}".repeat(1000)
    );
    assert!(
        Schema::parse(&thousand)
            .unwrap_err()
            .to_string()
            .contains("not JSON")
    );
    let many = json!(vec!["int"; TYPES_MAX + 1]);
    assert!(schema_error(many).contains("more than 10000 types"));
    let large = Schema::parse(&" ".repeat(SCHEMA_BYTES_MAX + 1)).unwrap_err();
    assert!(large.to_string().contains("larger than 1048576"));
}
