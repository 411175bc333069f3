//! Golden files: what the compiler says, and the IR of the examples.
//!
//! `UPDATE_GOLDEN=1` writes them anew. A change of an `.ir.json` means that stored hashes of definitions change.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use saga_lib::definition::{
    Compiled, Diagnostic, codes, compile_with, reference, render_all, schema,
};
use saga_lib::ir::Definition;
use saga_lib::scenario;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn check_golden(name: &str, actual: &str) {
    let path = directory().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).expect("the golden directory is writable");
    }
    assert_eq!(
        actual,
        read(&path),
        "{name} differs; UPDATE_GOLDEN=1 writes it anew"
    );
}

/// Compiles a file; what it uses stands beside it.
fn compiled(file: &str) -> Compiled {
    let source = read(&directory().join(file));
    let files = |path: &str| {
        fs::read_to_string(directory().join(path)).map_err(|_| "there is no such file".to_owned())
    };
    compile_with(file, &source, &files)
}

fn shown(compiled: &Compiled) -> String {
    render_all(&compiled.sources, &compiled.diagnostics, false)
}

/// What is wrong with a file.
fn mistakes(name: &str) -> Compiled {
    let compiled = compiled(&format!("{name}.yaml"));
    assert_eq!(compiled.definition, None, "{name}");
    compiled
}

fn check_mistakes(name: &str) -> Vec<Diagnostic> {
    let compiled = mistakes(name);
    check_golden(&format!("{name}.txt"), &shown(&compiled));
    compiled.diagnostics
}

fn check_ir(name: &str, file: &str) -> Definition {
    let compiled = compiled(file);
    let shown = shown(&compiled);
    let definition = compiled.definition.unwrap_or_else(|| panic!("{shown}"));
    let pretty = serde_json::to_string_pretty(&definition).expect("an IR is JSON");
    check_golden(&format!("{name}.ir.json"), &(pretty + "\n"));
    let back: Definition = serde_json::from_str(&definition.canonical()).expect("it can be read");
    assert_eq!(back, definition);
    definition
}

#[test]
fn six_mistakes_give_exactly_six_messages() {
    let found = check_mistakes("six_mistakes");
    let codes: Vec<&str> = found.iter().map(|d| d.code).collect();
    assert_eq!(
        codes,
        ["E0107", "E0102", "E0302", "E0202", "E0108", "E0303"]
    );
}

#[test]
fn a_misspelt_key_hides_no_mistake_of_its_step() {
    let found = check_mistakes("misspelt_verb");
    let lines: Vec<usize> = found.iter().map(|d| d.line).collect();
    assert_eq!(lines, [3, 3, 6, 6, 7, 7]);
}

#[test]
fn messages_about_names() {
    check_mistakes("names");
}

#[test]
fn a_name_that_cannot_be_read_has_no_consequences() {
    check_mistakes("start");
}

#[test]
fn messages_about_shapes_and_verbs() {
    check_mistakes("shapes");
}

#[test]
fn messages_about_yaml() {
    check_mistakes("yaml");
    check_mistakes("syntax");
}

/// Definitions in `broken`, each with several mistakes, without their ending.
fn broken() -> Vec<String> {
    let entries = fs::read_dir(directory().join("broken")).expect("the directory is there");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter_map(|name| Some(format!("broken/{}", name.strip_suffix(".yaml")?)))
        .collect();
    names.sort();
    names
}

#[test]
fn every_broken_definition_gets_its_messages() {
    let names = broken();
    assert!(names.len() >= 45, "{}", names.len());
    for name in names {
        let compiled = compiled(&format!("{name}.yaml"));
        assert!(!compiled.diagnostics.is_empty(), "{name}");
        check_golden(&format!("{name}.txt"), &shown(&compiled));
    }
}

#[test]
fn every_code_occurs() {
    let first = ["six_mistakes", "names", "shapes", "yaml", "syntax", "start"];
    let first = first.iter().flat_map(|name| mistakes(name).diagnostics);
    let broken = broken();
    let further = broken.iter();
    let further = further.flat_map(|name| compiled(&format!("{name}.yaml")).diagnostics);
    let mut seen: BTreeSet<&str> = first.chain(further).map(|d| d.code).collect();
    // An example of it would be a file too large to read.
    seen.insert(codes::BUDGET);
    let all: BTreeSet<&str> = codes::ALL.iter().map(|c| c.code).collect();
    let missing: Vec<&&str> = all.difference(&seen).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn commands_and_events_in_avro() {
    let definition = check_ir("avro", "avro/purchase.yaml");
    let sent: Vec<&str> = definition.avro.iter().map(|m| m.name.as_str()).collect();
    let expected = [
        "com.bank.ReleaseCredit",
        "com.bank.ReserveCredit",
        "com.bank.PurchaseDone",
    ];
    assert_eq!(sent, expected);
}

#[test]
fn the_smallest_useful_saga() {
    check_ir("smallest", "smallest.yaml");
}

#[test]
fn every_key_of_the_first_release() {
    check_ir("full", "full.yaml");
}

#[test]
fn an_order_with_contracts_and_every_structure() {
    check_ir("order_to_cash", "order_to_cash/order.yaml");
}

#[test]
fn the_example_of_an_order() {
    let definition = check_ir("order", "../../../deploy/examples/order.yaml");
    assert_eq!(definition.nodes.len(), 3);
}

#[test]
fn what_is_written_about_the_language_follows_the_table() {
    check_golden("../../../orchestrator/docs/language.md", &reference());
    check_golden("../../../orchestrator/docs/saga.schema.json", &schema());
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("it is JSON");
    let verbs = &schema["definitions"]["step"]["allOf"];
    assert!(
        verbs
            .as_array()
            .is_some_and(|cases| cases.iter().all(|c| c.get("if").is_some()))
    );
}

/// Commands with compensation, as many choices, and expressions over earlier results.
fn large(commands: usize) -> String {
    let mut source = String::from(
        "saga: large\nversion: 1\nstart: { topic: orders, as: order, key: order.id }\nsteps:\n",
    );
    for i in 0..commands {
        let before = if i == 0 {
            "order"
        } else {
            &format!("s{}", i - 1)
        };
        source += &format!(
            "  - id: s{i}\n    command: service{i}.act\n    compensate: {{ command: service{i}.undo, with: {{ id: =request.id }} }}\n    \
             with: {{ id: ={before}.id, sum: '=order.items.map(i, i.amount).size() + {i}' }}\n    keep: {{ id: =reply.id }}\n\
             \x20 - choice:\n      - when: s{i}.id == \"{i}\"\n        steps: [ {{ publish: t{i}, type: T, with: =s{i} }} ]\n"
        );
    }
    source
}

#[test]
fn large_definitions_compile_quickly() {
    let source = large(250);
    let none = |_: &str| Err(String::new());
    let begun = std::time::Instant::now();
    let large = compile_with("large.yaml", &source, &none);
    let taken = begun.elapsed();
    println!("500 steps: {taken:?}");
    assert!(large.definition.is_some(), "{}", shown(&large));
    // An unoptimised build on a busy machine; an optimised one has to be ten times as fast.
    assert!(taken.as_secs() < 10, "{taken:?}");
    let begun = std::time::Instant::now();
    assert!(compiled("order_to_cash/order.yaml").definition.is_some());
    println!("order_to_cash: {:?}", begun.elapsed());
}

#[test]
fn the_time_of_a_compilation_grows_with_its_steps_and_not_with_their_square() {
    let none = |_: &str| Err(String::new());
    let taken = |commands: usize| {
        let source = large(commands);
        let once = || {
            let begun = std::time::Instant::now();
            let compiled = compile_with("large.yaml", &source, &none);
            assert!(compiled.definition.is_some(), "{}", shown(&compiled));
            begun.elapsed()
        };
        // The best of several: what else the machine does only ever adds.
        (0..3).map(|_| once()).min().expect("three")
    };
    let (few, many) = (taken(30), taken(240));
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    println!("60 steps: {few:?}, 480 steps: {many:?}, ratio {ratio:.1}");
    // Eight times the steps: 8, if each takes the same; 64, if each looks at all.
    assert!(ratio < 24.0, "{few:?}, {many:?}");
}

#[test]
fn every_structure_does_what_is_written() {
    let definition = compiled("order_to_cash/order.yaml").definition;
    let definition = definition.expect("another test shows why not");
    let name = "order_to_cash/order.test.yaml";
    let file = scenario::parse(name, &read(&directory().join(name))).expect("scenarios");
    for scenario in &file.scenarios {
        let play = scenario::play(&definition, scenario).expect("it has a key");
        let found = scenario::judge(&scenario.expect, &play);
        let sent: Vec<&str> = play.commands.iter().map(|c| c.name.as_str()).collect();
        let left = play.instance.as_ref().map(|i| &i.incident);
        assert_eq!(found, [], "{}: {sent:?} {left:?}", scenario.name);
    }
}
