//! Texts and bytes: JSON, ids, Avro, definitions and expressions.

use saga_lib::definition;
use saga_lib::expr::{Expr, Scope};
use saga_lib::id::{CommandId, SagaId};
use schemas::avro::{self, Schema};
use schemas::json;
use serde_json::{Value, json};

use crate::corpus::{Entry, run};

#[test]
fn json() {
    run("json", |entry| {
        let value = json::parse(&entry.input()).map_err(|error| error.to_string())?;
        match entry.fields.get("value") {
            Some(expected) if *expected != value => Err(format!("read as {value}")),
            _ => Ok(format!("{value:.64}")),
        }
    });
}

#[test]
fn saga_ids() {
    run("saga-id", |entry| {
        let id = SagaId::parse(&entry.text()).map_err(|error| bounded(&error))?;
        // An id that is read can be made, and has one spelling.
        let again = SagaId::new(id.definition(), &id.key()).map_err(|error| bounded(&error))?;
        assert!(id.as_str().starts_with(again.as_str()), "{id}");
        Ok(id.to_string())
    });
}

#[test]
fn command_ids() {
    run("command-id", |entry| {
        let id = CommandId::parse(&entry.text()).map_err(|error| bounded(&error))?;
        assert_eq!(id.to_string(), entry.text());
        Ok(id.to_string())
    });
}

/// No message repeats what may be a megabyte.
fn bounded(error: &dyn std::fmt::Display) -> String {
    let message = error.to_string();
    assert!(message.len() < 1024, "{} bytes", message.len());
    message
}

#[test]
fn avro_schemas() {
    run("avro-schema", |entry| {
        let schema = Schema::parse(&entry.text()).map_err(|error| error.to_string())?;
        Ok(format!("{:?}", schema.name()))
    });
}

#[test]
fn avro_data() {
    run("avro", |entry| {
        let schema = Entry {
            name: String::new(),
            fields: json!({ "input": entry.fields["schema"] }),
        };
        let schema = Schema::parse(&schema.text()).expect("a schema");
        let datum = avro::decode(&schema, &entry.input()).map_err(|error| error.to_string())?;
        Ok(format!("{:.64}", datum.value))
    });
}

#[test]
fn definitions() {
    run("definition", |entry| {
        let compiled = definition::compile("s.yaml", &entry.text());
        // Scenarios and other plain files are read by the same rules.
        let _ = definition::data("s.yaml", &entry.text());
        let _ = saga_lib::scenario::parse("s.yaml", &entry.text());
        match compiled {
            Ok(definition) => Ok(definition.name),
            Err(diagnostics) => {
                let shown = definition::render_all(&sources(entry), &diagnostics, false);
                assert!(shown.len() < 1 << 20, "{} bytes of messages", shown.len());
                Err(diagnostics
                    .iter()
                    .map(|d| format!("{} {}\n", d.code, d.message))
                    .collect())
            }
        }
    });
}

fn sources(entry: &Entry) -> Vec<definition::Source> {
    vec![definition::Source {
        name: "s.yaml".to_owned(),
        text: entry.text(),
    }]
}

/// `small`: ordinary data. `large`: as much of everything as an event can bring.
fn data(kind: &str) -> Value {
    let nested = |levels| (0..levels).fold(json!(0), |inner, _| json!([inner]));
    match kind {
        "small" => json!({ "n": 1, "l": [1, 2, 3, 4, 5] }),
        _ => json!({
            "l": (0..1000).collect::<Vec<_>>(),
            "big": (0..20_000).collect::<Vec<_>>(),
            "m": (0..2000).map(|n| (format!("k{n}"), n)).collect::<std::collections::BTreeMap<_, _>>(),
            "t": "x".repeat(60_000),
            "a": "a".repeat(30_000) + "!",
            "almost": nested(64),
            "deep": nested(65),
        }),
    }
}

#[test]
fn expressions() {
    run("expression", |entry| {
        let expr = Expr::compile(&entry.text()).map_err(|error| error.to_string())?;
        let data = data(entry.fields["data"].as_str().expect("which data"));
        let scope = Scope::new().with("o", &data);
        let value = expr.evaluate(&scope);
        assert_eq!(value, expr.evaluate(&scope), "{}", entry.name);
        value
            .map(|value| format!("{value:.64}"))
            .map_err(|fault| fault.message)
    });
}
