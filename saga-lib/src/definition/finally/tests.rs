use std::collections::BTreeMap;

use crate::definition::{codes, compile_with};
use crate::ir::Definition;

const SAGA: &str = r#"saga: order
version: 1
start: { topic: orders, as: order, key: order.id }
uses: [told.yaml]
steps:
  - { id: pay, command: payment.capture, pivot: true }
finally:
  compensated:
    - { publish: sales, type: Cancelled, with: { id: =order.id } }
    - { use: told, with: { who: =order.customer, about: =error.outcome } }
"#;

const TOLD: &str = r#"fragment: told
with: [who, about]
uses: [mailed.yaml]
steps:
  - { publish: audit, type: Told, key: who, with: { about: =about } }
  - { id: mailed, label: A mail, use: mailed, with: { to: '=who + "@example.org"' } }
"#;

const MAILED: &str = r"fragment: mailed
with: [to]
steps:
  - { publish: mails, type: Mail, with: { to: =to } }
";

fn compiled(saga: &str, told: &str, mailed: &str) -> Result<Definition, Vec<&'static str>> {
    let files = BTreeMap::from([("told.yaml", told), ("mailed.yaml", mailed)]);
    let read = |path: &str| {
        let text = files.get(path).copied();
        text.map(str::to_owned).ok_or_else(|| "absent".to_owned())
    };
    let compiled = compile_with("order.yaml", saga, &read);
    let codes = compiled.diagnostics.iter().map(|d| d.code).collect();
    compiled.definition.ok_or(codes)
}

#[test]
fn a_fragment_is_its_events_with_their_arguments() {
    let definition = compiled(SAGA, TOLD, MAILED).expect("good");
    let events = &definition.finally.compensated;
    let shape: Vec<_> = events
        .iter()
        .map(|e| (e.topic.as_str(), e.r#type.as_str(), e.given.len()))
        .collect();
    let expected = [
        ("sales", "Cancelled", 0),
        ("audit", "Told", 1),
        ("mails", "Mail", 2),
    ];
    assert_eq!(shape, expected);
    let names =
        |at: usize| -> Vec<&str> { events[2].given[at].keys().map(String::as_str).collect() };
    assert_eq!((names(0), names(1)), (vec!["about", "who"], vec!["to"]));
}

#[test]
fn a_fragment_sees_its_arguments_and_nothing_of_the_saga() {
    let around = TOLD.replace("=about", "=order.id");
    assert_eq!(
        compiled(SAGA, &around, MAILED),
        Err(vec![codes::UNKNOWN_NAME])
    );
    let outer = MAILED.replace("=to", "=who");
    assert_eq!(compiled(SAGA, TOLD, &outer), Err(vec![codes::UNKNOWN_NAME]));
}

#[test]
fn what_means_nothing_at_the_end_is_refused() {
    let refused = [
        (SAGA.replace("use: told", "use: tod"), TOLD.to_owned()),
        (SAGA.replace("who: =order.customer, ", ""), TOLD.to_owned()),
        (
            SAGA.to_owned(),
            TOLD.replace("key: who", "when: who == about"),
        ),
        (
            SAGA.to_owned(),
            TOLD.replace("label: A mail", "timeout: 1s"),
        ),
        (
            SAGA.to_owned(),
            TOLD.replace(
                "publish: audit, type: Told, key: who",
                "id: c, command: a.b",
            ),
        ),
        (
            SAGA.to_owned(),
            TOLD.replace(
                "use: mailed, with: { to:",
                "use: told, with: { who: =who, about:",
            ),
        ),
    ];
    for (saga, told) in refused {
        assert_eq!(
            compiled(&saga, &told, MAILED),
            Err(vec![codes::BAD_USE]),
            "{saga}{told}"
        );
    }
}

#[test]
fn fragments_that_multiply_are_bounded() {
    let uses = |name: &str| format!("  - {{ id: a, use: {name} }}\n  - {{ id: b, use: {name} }}\n");
    let files: BTreeMap<String, String> = (0..40)
        .map(|n| {
            let next = format!("f{}", n + 1);
            let text = format!(
                "fragment: f{n}\nuses: [{next}.yaml]\nsteps:\n{}",
                uses(&next)
            );
            (format!("f{n}.yaml"), text)
        })
        .chain([(
            "f40.yaml".to_owned(),
            "fragment: f40\nsteps:\n  - { publish: t, type: T }\n".to_owned(),
        )])
        .collect();
    let saga = SAGA.replace("told.yaml", "f0.yaml");
    let last = saga.find("    - { use: told").expect("the use");
    let saga = format!("{}    - {{ use: f0 }}\n", &saga[..last]);
    let read = |path: &str| files.get(path).cloned().ok_or_else(|| "absent".to_owned());
    let found = compile_with("order.yaml", &saga, &read).diagnostics;
    let codes: Vec<_> = found.iter().map(|d| d.code).collect();
    assert_eq!(codes, [codes::BUDGET]);
}
