use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::definition::{compile_with, render_all};

const SAGA: &str = r#"saga: order
version: 1
start: { topic: orders, as: order, key: order.id }
uses: [credit.yaml, stock.yaml]
steps:
  - { id: credit, command: credit.reserve, with: { amount: =order.total }, fallback: backup.reserve }
  - { id: stock, command: stock.allocate, pivot: true }
finally:
  completed: { publish: sales, type: OrderDone, with: { amount: =order.total } }
  compensated: { publish: sales, type: OrderCancelled }
"#;

const CREDIT: &str = r"contract: credit
types: schemas
format: avro
events: { sales: [OrderDone], other: OrderCancelled }
credit.reserve: { send: Reserve, compensate: credit.release }
credit.release: { send: Release }
credit.unused: { send: Reserve, topic: unused }
backup.reserve: { send: Reserve, topic: backup, format: json, compensate: credit.release }
";

const STOCK: &str = r"contract: stock
types: schemas
stock.allocate: { send: Allocate, query: stock.status }
stock.status: { send: Status, format: avro, effect: none }
";

fn record(name: &str, field: &str) -> String {
    let fields = json!([{"name": "amount", "type": field, "doc": "kept"}]);
    json!({"type": "record", "name": name, "fields": fields}).to_string()
}

fn files() -> BTreeMap<String, String> {
    let money = json!({"type": "record", "name": "Money", "namespace": "com.shop", "fields": [
        {"name": "digits", "type": "long"}, {"name": "more", "type": ["null", "Money", "com.shop.Unit"]}]});
    let unit = json!({"type": "enum", "name": "com.shop.Unit", "symbols": ["EUR"]});
    let reserve = json!({"type": "record", "name": "Reserve", "namespace": "com.shop", "fields": [
        {"name": "amount", "type": "Money"}, {"name": "again", "type": {"type": "array", "items": "Money"}, "default": []},
        {"name": "plain", "type": ["null", "Plain"], "default": null}, {"name": "unit", "type": "Unit", "default": "EUR"}]});
    let status = json!({"type": "record", "name": "Status", "fields": []});
    BTreeMap::from([
        ("credit.yaml".to_owned(), CREDIT.to_owned()),
        ("stock.yaml".to_owned(), STOCK.to_owned()),
        ("schemas/Reserve.avsc".to_owned(), reserve.to_string()),
        ("schemas/Money.avsc".to_owned(), money.to_string()),
        ("schemas/com.shop.Unit.avsc".to_owned(), unit.to_string()),
        ("schemas/Plain.avsc".to_owned(), record("Plain", "long")),
        ("schemas/Release.avsc".to_owned(), record("Release", "long")),
        ("schemas/Status.avsc".to_owned(), status.to_string()),
        (
            "schemas/OrderDone.avsc".to_owned(),
            record("shop.OrderDone", "long"),
        ),
        (
            "schemas/OrderCancelled.avsc".to_owned(),
            record("OrderCancelled", "long"),
        ),
    ])
}

fn compiled(files: &BTreeMap<String, String>) -> Result<Definition, String> {
    let read = |path: &str| files.get(path).cloned().ok_or_else(|| "absent".to_owned());
    let compiled = compile_with("order.yaml", SAGA, &read);
    let shown = render_all(&compiled.sources, &compiled.diagnostics, false);
    compiled.definition.ok_or(shown)
}

#[test]
fn a_definition_has_the_schemas_of_what_it_sends_and_no_others() {
    let mut files = files();
    files.insert(
        "schemas/Reserve.avsc".to_owned(),
        record("com.shop.Reserve", "long"),
    );
    let definition = compiled(&files).unwrap_or_else(|shown| panic!("{shown}"));
    let sent: Vec<_> = definition
        .avro
        .iter()
        .map(|m| (m.topic.as_str(), m.r#type.as_str(), m.name.as_str()))
        .collect();
    assert_eq!(
        sent,
        [
            ("credit.commands", "Release", "Release"),
            ("credit.commands", "Reserve", "com.shop.Reserve"),
            ("sales", "OrderDone", "shop.OrderDone"),
            ("stock.commands", "Status", "Status"),
        ]
    );
    let text = record("com.shop.Reserve", "long");
    let schema: Value = serde_json::from_str(&definition.avro[1].schema).unwrap();
    assert_eq!(
        schema,
        serde_json::from_str::<Value>(&text).unwrap(),
        "as the author wrote it"
    );
}

#[test]
fn a_definition_without_avro_has_the_ir_it_always_had() {
    let mut files = files();
    for contract in ["credit.yaml", "stock.yaml"] {
        let json = files[contract].replace("format: avro", "format: json");
        files.insert(contract.to_owned(), json);
    }
    files.retain(|name, _| name.ends_with(".yaml"));
    let definition = compiled(&files).unwrap_or_else(|shown| panic!("{shown}"));
    assert!(!definition.canonical().contains("\"avro\""));
}

#[test]
fn types_of_other_files_are_put_where_they_are_used_first() {
    let files = files();
    let read = |path: &str| files.get(path).cloned().ok_or_else(|| "absent".to_owned());
    let found = inline::inline(&read, "schemas", &files["schemas/Reserve.avsc"]).expect("a schema");
    assert_eq!(found.name, "com.shop.Reserve");
    let schema: Value = serde_json::from_str(&found.schema).unwrap();
    let field = |at: usize| &schema["fields"][at]["type"];
    let money: Value = serde_json::from_str(&files["schemas/Money.avsc"]).unwrap();
    assert_eq!(field(0)["name"], money["name"]);
    assert_eq!(
        field(0)["fields"][1]["type"][1],
        "Money",
        "it may refer to itself"
    );
    assert_eq!(field(0)["fields"][1]["type"][2]["symbols"], json!(["EUR"]));
    assert_eq!(field(1)["items"], "Money", "known from here on");
    // Without this it would be `com.shop.Plain`, because it stands inside of `com.shop.Reserve`.
    assert_eq!(
        (&field(2)[1]["name"], &field(2)[1]["namespace"]),
        (&json!("Plain"), &json!(""))
    );
    assert_eq!(field(3), "Unit");
}

#[test]
fn files_that_use_each_other_come_to_an_end() {
    let a =
        json!({"type": "record", "name": "A", "fields": [{"name": "b", "type": "B"}]}).to_string();
    let b =
        json!({"type": "record", "name": "B", "fields": [{"name": "a", "type": ["null", "A"]}]})
            .to_string();
    let read = |path: &str| match path {
        "s/A.avsc" => Ok(a.clone()),
        "s/B.avsc" => Ok(b.clone()),
        _ => Err(String::new()),
    };
    let found = inline::inline(&read, "s", &a).expect("a schema");
    assert!(
        found.schema.contains(r#""type":["null","A"]"#),
        "{}",
        found.schema
    );
    // A file whose content has another name would be read for ever.
    let other = |_: &str| Ok(a.replace("\"A\"", "\"C\""));
    let refused = inline::inline(&other, "s", &a).expect_err("no such type");
    assert!(refused.contains("`B`"), "{refused}");
    let deep = format!("{}\"int\"{}", "[".repeat(70), "]".repeat(70));
    let deep = json!({"type": "record", "name": "D", "fields": [{"name": "d", "type": serde_json::from_str::<Value>(&deep).unwrap()}]});
    let refused = inline::inline(&read, "s", &deep.to_string()).expect_err("too deep");
    assert!(refused.contains("64 levels"), "{refused}");
}
