//! Parsers of text and of Avro, and what holds of everything they accept.

use saga_lib::expr::{Expr, Scope};
use saga_lib::id::{CommandId, SagaId};
use saga_lib::{definition, scenario};
use schemas::avro::{self, Schema};
use schemas::json;
use serde_json::json;

use crate::mutate::{fuzz, lossy, texts};

#[test]
fn json() {
    let samples = texts(&[
        r#"{"id":"ORD-42","items":["book",{"sku":"\u00fc\ud83d\ude00"}],"total":12.5,"n":-1e-7,"ok":true,"no":null}"#,
        "[9007199254740993,0.1,1e400,-0.0,[[[[]]]]]",
    ]);
    fuzz("json", &samples, |bytes| {
        if let Ok(value) = json::parse(bytes) {
            // What was accepted is a fixed point: numbers that were kept as text stay text.
            let written = value.to_string();
            assert_eq!(
                json::parse_within(written.as_bytes(), 1 << 24).as_ref(),
                Ok(&value)
            );
        }
    });
}

#[test]
fn ids() {
    let samples = texts(&[
        "order/ORD-42~0123456789abcdef",
        "order/%C3%BC%2F/charge[3].2#4!c#2",
        "a/b/c!c",
    ]);
    fuzz("ids", &samples, |bytes| {
        let text = lossy(bytes);
        if let Ok(id) = SagaId::parse(&text) {
            assert_eq!(id.as_str(), text);
            assert!(!id.key().is_empty() && text.len() <= 256);
        }
        if let Ok(id) = CommandId::parse(&text) {
            assert_eq!(id.to_string(), text);
        }
    });
}

const DEFINITION: &str = include_str!("../../src/world/order.yaml");

#[test]
fn definitions() {
    let samples = texts(&[
        DEFINITION,
        "saga: s\nversion: 1\nstart: { topic: t, as: o, key: o.id, where: o.n > 1 }\ndata: { n: =o.n }\nsteps:\n  - choice:\n      - when: n > 3\n        steps: [ { delay: 5s } ]\n  - parallel:\n      a: [ { publish: p, type: T, with: { v: '=n + 1' } } ]\n      b: [ { await: { topic: q, key: event.id }, as: x, timeout: 1h } ]\n",
        "contract: pay\noperations:\n  charge: { topic: pay.commands, effect: compensatable, compensate: refund, success: [ok, { paid: { type: Paid } }] }\n  refund: {}\n",
        "fragment: f\nparameters: { a: { type: text } }\nsteps:\n  - set: { n: =a }\n",
    ]);
    fuzz("definitions", &samples, |bytes| {
        let text = lossy(bytes);
        let files = |path: &str| match path.len() % 2 {
            0 => Ok(text.clone()),
            _ => Err("not there".to_owned()),
        };
        let compiled = definition::compile_with("s.yaml", &text, &files);
        definition::render_all(&compiled.sources, &compiled.diagnostics, false);
        let _ = definition::is_part(&text);
        if let Some(made) = compiled.definition {
            let stored = serde_json::to_string(&made).expect("it is written");
            let read: saga_lib::ir::Definition = serde_json::from_str(&stored).expect("it is read");
            assert_eq!(read.hash(), made.hash());
        }
    });
}

#[test]
fn scenarios() {
    let samples = texts(&[
        "definition: order.yaml\nscenarios:\n  - name: all goes well\n    start: { id: O-1, total: 12 }\n    replies:\n      charge: [ { outcome: ok, payload: { a: 1 } } ]\n    expect: { status: completed, commands: [ charge ] }\n",
    ]);
    fuzz("scenarios", &samples, |bytes| {
        let _ = scenario::parse("s.yaml", &lossy(bytes));
    });
}

#[test]
fn expressions() {
    let samples = texts(&[
        "o.total > 10 && o.items.exists(i, i.price * 2 >= o.total) ? 'a' + o.id : string(o.total)",
        "o.items.map(i, {'sku': i.sku, 'sum': i.price + 1.5}).filter(x, x.sum in [1, 2.5]).size()",
        "has(o.note) && o.id.matches('^[A-Z]+-[0-9]{2,}$') || o.id.startsWith('x') || !(o.total % 3 == -1)",
        "[[1, 2], [3]].all(l, l.exists_one(x, x < 3)) && o.items[0].sku.contains('b') && int(o.total) / 2 != 3",
    ]);
    let data = json!({
        "id": "ORD-42", "total": 12, "note": null, "deep": [[[[1]]]], "m": { "a": 1, "b": [1, 2] },
        "items": [{ "sku": "book", "price": 1.5 }, { "sku": "x".repeat(500), "price": 9 }],
        "many": (0..300).collect::<Vec<_>>(),
    });
    fuzz("expressions", &samples, |bytes| {
        let text = lossy(bytes);
        let Ok(expr) = Expr::compile(&text) else {
            return;
        };
        let (_, _) = (expr.roots(), expr.reads());
        let scope = Scope::new().with("o", &data);
        let value = expr.evaluate(&scope);
        assert_eq!(value, expr.evaluate(&scope));
        if let Err(fault) = value {
            assert!(!fault.message.contains("gave up"), "the evaluator panicked");
            assert!(
                fault.message.len() < 4096,
                "{} bytes of message",
                fault.message.len()
            );
        }
    });
}

const SCHEMA: &str = r#"{"type":"record","name":"com.shop.Order","fields":[
    {"name":"id","type":"string"},{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
        {"name":"sku","type":["null","string"]},{"name":"n","type":"int"}]}}},
    {"name":"tags","type":{"type":"map","values":"long"}},{"name":"next","type":["null","Order"]},
    {"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
    {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["A","B"]}},
    {"name":"f","type":{"type":"fixed","name":"F","size":4}},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"d","type":"double"}]}"#;

fn order() -> serde_json::Value {
    let inner = |next| {
        json!({"id": "O-1", "lines": [{"sku": "b", "n": 2}, {"sku": null, "n": -1}], "tags": {"a": 7}, "next": next,
            "total": 12.5, "kind": "B", "f": "AAAAAA==", "at": "2026-01-31T23:59:59.123Z", "d": 1.5})
    };
    inner(inner(serde_json::Value::Null))
}

#[test]
fn avro_data() {
    let schema = Schema::parse(SCHEMA).expect("a schema");
    let samples = vec![avro::encode(&schema, &order()).expect("a datum")];
    fuzz("avro data", &samples, |bytes| {
        if let Ok(datum) = avro::decode(&schema, bytes) {
            // What was read can be written, and then read as the same.
            let written = avro::encode(&schema, &datum.value).expect("it is written");
            let again = avro::decode(&schema, &written).expect("it is read");
            assert_eq!(again.value, datum.value);
        }
    });
}

#[test]
fn avro_schemas() {
    let whole = Schema::parse(SCHEMA).expect("a schema");
    let body = avro::encode(&whole, &order()).expect("a datum");
    let samples = texts(&[
        SCHEMA,
        r#"["null",{"type":"map","values":["int","string"]}]"#,
        "\"long\"",
    ]);
    fuzz("avro schemas", &samples, |bytes| {
        if let Ok(schema) = Schema::parse(&lossy(bytes)) {
            let _ = avro::decode(&schema, &body);
            let _ = avro::encode(&schema, &order());
        }
    });
}
