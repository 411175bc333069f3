use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::fields::{OBJECTS, Shape, VERBS};
use super::time::{duration_ms, time_ms};
use super::*;
use crate::ir::{Compensation, Definition, Kind, StepKind, Template};

const FULL: &str = include_str!("../../tests/golden/full.yaml");
const EVERYTHING: &str = include_str!("../../tests/golden/order_to_cash/order.yaml");
const CONTRACT: &str = include_str!("../../tests/golden/order_to_cash/contracts/sales.yaml");
const FRAGMENT: &str = include_str!("../../tests/golden/order_to_cash/fragments/notify.yaml");
const MISTAKES: [&str; 7] = [
    include_str!("../../tests/golden/broken/catch_outcomes.yaml"),
    include_str!("../../tests/golden/broken/choice_arms.yaml"),
    include_str!("../../tests/golden/broken/for_each.yaml"),
    include_str!("../../tests/golden/names.yaml"),
    include_str!("../../tests/golden/shapes.yaml"),
    include_str!("../../tests/golden/yaml.yaml"),
    include_str!("../../tests/golden/start.yaml"),
];

/// A saga of one step without a pivot, with this body.
fn with_body(body: &str) -> String {
    format!(
        "saga: s\nversion: 1\nstart: {{ topic: t, as: order, key: order.id }}\nsteps:\n  - id: a\n    command: x.y\n    \
         compensate: x.z\n    with: {body}\n"
    )
}

fn compiled(source: &str) -> Definition {
    compile("test.yaml", source).unwrap_or_else(|found| {
        panic!("{}", render("test.yaml", source, &found, false));
    })
}

fn codes_of(source: &str) -> Vec<&'static str> {
    let found = compile("test.yaml", source).expect_err(source);
    found.iter().map(|d| d.code).collect()
}

fn payload(body: &str) -> Template {
    let mut definition = compiled(&with_body(body));
    match definition.nodes.remove(0).kind {
        Kind::Send(send) => send.payload,
        other => panic!("{other:?}"),
    }
}

#[test]
fn scalars_of_data_never_change_their_meaning() {
    for text in [
        "no",
        "on",
        "yes",
        "010",
        "0x1F",
        "1_000",
        ".5",
        "2026-01-31",
        "True",
        "1:30",
        "+1",
        "NULL",
    ] {
        assert_eq!(payload(text), Template::Literal(json!(text)), "{text}");
    }
    assert_eq!(payload("\"5\""), Template::Literal(json!("5")));
    assert_eq!(payload("5"), Template::Literal(json!(5)));
    assert_eq!(payload("-0.5"), Template::Literal(json!(-0.5)));
    assert_eq!(
        payload("18446744073709551615"),
        Template::Literal(json!(u64::MAX))
    );
    assert_eq!(payload("true"), Template::Literal(json!(true)));
    assert_eq!(payload("null"), Template::Literal(json!(null)));
}

#[test]
fn numbers_that_would_lose_digits_are_errors() {
    assert_eq!(
        codes_of(&with_body("18446744073709551616")),
        [codes::BAD_NUMBER]
    );
    assert_eq!(
        codes_of(&with_body("0.12345678901234567")),
        [codes::BAD_NUMBER]
    );
}

#[test]
fn a_step_is_before_at_or_after_the_pivot() {
    let definition = compiled(FULL);
    let kinds: Vec<StepKind> = definition
        .nodes
        .iter()
        .filter_map(|node| match &node.kind {
            Kind::Send(send) => Some(send.kind),
            _ => None,
        })
        .collect();
    use StepKind::{Compensatable, Pivot, Retriable};
    assert_eq!(kinds, [Compensatable, Compensatable, Pivot, Retriable]);
    assert_eq!(definition.nodes[0].step, "_1");
    assert_eq!(definition.nodes[0].next, Some(1));
    assert_eq!(definition.nodes[5].next, None);
}

/// A saga with these steps, each written on one line.
fn with_steps(steps: &[&str]) -> String {
    let head = "saga: order\nversion: 1\nstart: { topic: t, as: order, key: order.id }\nsteps:\n";
    let lines = steps.iter().map(|step| format!("  - {step}\n"));
    format!("{head}{}", lines.collect::<String>())
}

#[test]
pub fn c1_every_path_has_at_most_one_pivot_and_no_compensatable_step_after_it() {
    let back = "{ id: a, command: a.do, compensate: a.undo }";
    let pivot = "{ id: p, command: p.do, pivot: true }";
    let after = "{ id: z, command: z.do }";
    let good = [back, pivot, after];
    assert!(compile("good.yaml", &with_steps(&good)).is_ok());
    let arms = "{ id: c, choice: [ { when: order.a, steps: [ { id: p, command: p.do, pivot: true } ] }, \
                { otherwise: [ { id: q, command: q.do, pivot: true } ] } ] }";
    assert!(compile("arms.yaml", &with_steps(&[back, arms, after])).is_ok());
    let torn = "{ id: c, choice: [ { when: order.a, steps: [ { id: p, command: p.do, pivot: true } ] } ] }";
    let cases: [(&[&str], &str); 5] = [
        (
            &[back, pivot, "{ id: q, command: q.do, pivot: true }"],
            codes::SECOND_PIVOT,
        ),
        (&[pivot, back], codes::USELESS_COMPENSATION),
        (&[after, pivot], codes::NO_COMPENSATION),
        (&[torn, after], codes::TORN_PIVOT),
        (
            &["{ id: l, loop: [ { id: p, command: p.do, pivot: true } ], until: order.a, max: 2 }"],
            codes::MISPLACED_PIVOT,
        ),
    ];
    for (steps, code) in cases {
        let found = codes_of(&with_steps(steps));
        assert!(found.contains(&code), "{steps:?}: {found:?}");
    }
}

#[test]
pub fn b6_a_step_before_the_pivot_says_how_it_is_compensated() {
    let pivot = "{ id: p, command: p.do, pivot: true }";
    let silent = "{ id: a, command: a.do }";
    let unexplained = "{ id: a, command: a.do, compensate: none }";
    assert_eq!(
        codes_of(&with_steps(&[silent, pivot])),
        [codes::NO_COMPENSATION]
    );
    assert_eq!(codes_of(&with_steps(&[unexplained])), [codes::NO_REASON]);
    let declared = [
        "{ id: a, command: a.do, compensate: none, because: it is a quote }",
        "{ id: b, command: b.do, compensate: b.undo }",
        pivot,
        "{ id: z, command: z.do }",
    ];
    assert!(compile("declared.yaml", &with_steps(&declared)).is_ok());
}

#[test]
fn deep_nesting_is_an_error() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", "")] {
        for depth in [60, 255, 10_000] {
            let source = with_body(&(open.repeat(depth) + &close.repeat(depth)));
            let found = compile("deep.yaml", &source).unwrap_err();
            assert_eq!(found.len(), 1, "{open} {depth}");
            assert!(
                [codes::BUDGET, codes::SYNTAX].contains(&found[0].code),
                "{found:?}"
            );
        }
    }
    let deep = "[".repeat(10_000);
    assert_eq!(codes_of(&deep), [codes::BUDGET]);
}

#[test]
fn the_deepest_definition_can_be_stored_and_read() {
    let depth = 44;
    let source = with_body(&("[".repeat(depth) + "1" + &"]".repeat(depth)));
    let definition = compiled(&source);
    let back: Definition = serde_json::from_str(&definition.canonical()).unwrap();
    assert_eq!(back, definition);
    assert_eq!(codes_of(&source.replace("[1]", "[[[1]]]")), [codes::BUDGET]);
}

#[test]
fn large_files_are_errors() {
    assert_eq!(codes_of(&"#".repeat(300 * 1024)), [codes::BUDGET]);
    assert_eq!(
        codes_of(&with_body(&format!("[{}]", "1,".repeat(30_000)))),
        [codes::BUDGET]
    );
}

#[test]
fn an_empty_file_is_one_error() {
    for source in ["", "# nothing\n", "---\n", "just text", "- a\n- b"] {
        assert_eq!(codes_of(source), [codes::WRONG_SHAPE], "{source}");
    }
}

#[test]
fn every_verb_of_a_later_release_says_so() {
    for verb in VERBS.iter().filter(|verb| !verb.part.is_supported()) {
        let source =
            with_body("1") + &format!("  - id: b\n    {}: x\n    something: else\n", verb.name);
        let found = compile("test.yaml", &source).unwrap_err();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            found[0].message,
            format!("`{}` is not supported by this release yet", verb.name)
        );
    }
}

#[test]
fn positions_are_lines_and_characters() {
    let source = "saga: \"größe\"\nversion: eins\n";
    let found = compile("ä.yaml", source).unwrap_err();
    let places: Vec<(usize, usize)> = found.iter().map(|d| (d.line, d.column)).collect();
    assert_eq!(places, [(1, 1), (1, 1), (1, 7), (2, 10)]);
    assert_eq!(
        found[3].to_string(),
        "ä.yaml:2:10: E0107: `eins` is not a whole number from 1 to 4294967295"
    );
}

#[test]
fn durations() {
    for (text, ms) in [
        ("200ms", 200),
        ("10s", 10_000),
        ("5m", 300_000),
        ("2h", 7_200_000),
        ("4d", 345_600_000),
    ] {
        assert_eq!(duration_ms(text), Some(ms), "{text}");
    }
    for text in [
        "",
        "5",
        "s",
        "5 s",
        "-5s",
        "1.5s",
        "5S",
        "99999999999999999999s",
        "4000d",
    ] {
        assert_eq!(duration_ms(text), None, "{text}");
    }
}

#[test]
fn times() {
    assert_eq!(time_ms("1970-01-01"), Some(0));
    assert_eq!(time_ms("2000-02-29T12:00:00Z"), Some(951_825_600_000));
    assert_eq!(time_ms("2026-01-31T10:00:00Z"), Some(1_769_853_600_000));
    for text in [
        "",
        "2026",
        "2026-02-29",
        "2026-13-01",
        "2026-01-31T24:00:00Z",
        "2026-01-31T10:00:00",
        "1969-12-31",
        "+026-01-31",
    ] {
        assert_eq!(time_ms(text), None, "{text}");
    }
}

#[test]
fn codes_are_unique_and_in_order() {
    let codes: Vec<&str> = codes::ALL.iter().map(|c| c.code).collect();
    let sorted: BTreeSet<&str> = codes.iter().copied().collect();
    assert_eq!(codes, sorted.into_iter().collect::<Vec<_>>());
    assert_eq!(codes::meaning("E0102"), Some("A key does not exist there."));
    assert_eq!(codes::meaning("E9999"), None);
}

fn example(text: &str) -> Compiled {
    let files = codes::files_of(text);
    let (name, source) = &files[0];
    let read = |path: &str| {
        let found = files.iter().find(|(name, _)| name == path);
        found
            .map(|(_, text)| text.clone())
            .ok_or_else(|| "absent".to_owned())
    };
    compile_with(name, source, &read)
}

#[test]
fn every_code_is_explained_by_examples() {
    let mut surprises = String::new();
    for code in codes::ALL {
        let explanation = codes::explain(code.code).unwrap_or_else(|| panic!("{}", code.code));
        let wrong = example(explanation.wrong);
        let found: BTreeSet<&str> = wrong.diagnostics.iter().map(|d| d.code).collect();
        if found != BTreeSet::from([code.code]) {
            surprises += &format!("{} wrong: {found:?}\n", code.code);
            surprises += &render_all(&wrong.sources, &wrong.diagnostics, false);
        }
        let right = example(explanation.right);
        if !right.diagnostics.is_empty() {
            surprises += &format!("{} right:\n", code.code);
            surprises += &render_all(&right.sources, &right.diagnostics, false);
        }
    }
    assert!(surprises.is_empty(), "{surprises}");
    assert_eq!(codes::explain("E9999"), None);
    assert_eq!(codes::explain("e0102"), codes::explain("E0102"));
}

#[test]
fn the_table_has_each_key_once_and_says_what_it_is_for() {
    for object in OBJECTS {
        let names: BTreeSet<&str> = object.fields.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), object.fields.len(), "{}", object.name);
        for field in object.fields {
            assert!(
                field.doc.ends_with('.') || field.doc.ends_with(')'),
                "{}",
                field.name
            );
            assert!(field.part.is_supported() || matches!(field.shape, Shape::Later));
        }
    }
}

#[test]
fn colour_is_only_added_when_asked_for() {
    let source = MISTAKES[0];
    let found = compile("names.yaml", source).unwrap_err();
    assert!(!render("names.yaml", source, &found, false).contains('\u{1b}'));
    assert!(render("names.yaml", source, &found, true).contains('\u{1b}'));
}

#[test]
fn a_definition_cannot_steer_the_terminal() {
    let source = "saga: s\n\"\\e[2Jx\": 1\n";
    let found = compile("x.yaml", source).unwrap_err();
    assert!(!render("x.yaml", source, &found, false).contains('\u{1b}'));
}

/// A definition with these steps and files.
fn with_files(steps: &str, files: &[(&str, String)]) -> Compiled {
    let uses: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let source = format!(
        "saga: s\nversion: 1\nuses: [{}]\nstart: {{ topic: t, as: order, key: order.id }}\nsteps:\n{steps}",
        uses.join(", ")
    );
    let read = |path: &str| {
        let found = files.iter().find(|(name, _)| *name == path);
        found
            .map(|(_, text)| text.clone())
            .ok_or_else(|| "absent".to_owned())
    };
    compile_with("s.yaml", &source, &read)
}

#[test]
fn open_ends_of_arms_lead_to_what_follows_the_choice() {
    let definition = compiled(&with_body("1").replace(
        "steps:\n",
        "steps:\n  - choice:\n      - when: order.a\n        steps:\n          - choice:\n              - { when: order.b, steps: [ { delay: 1s } ] }\n              - otherwise: []\n      - { when: order.c, steps: [ { stop: early } ] }\n",
    ));
    let next: Vec<Option<u32>> = definition.nodes.iter().map(|n| n.next).collect();
    assert_eq!(next, [Some(4), Some(4), Some(4), None, None]);
    let Kind::Branch { arms, otherwise } = &definition.nodes[0].kind else {
        panic!("{:?}", definition.nodes[0]);
    };
    let targets: Vec<Option<u32>> = arms.iter().map(|(_, target)| *target).collect();
    assert_eq!((targets, *otherwise), (vec![Some(1), Some(3)], None));
}

#[test]
fn branches_lead_to_their_join_and_bodies_end() {
    let source = with_body("1").replace(
        "steps:\n",
        "steps:\n  - parallel:\n      a: [ { choice: [ { when: order.x, steps: [ { delay: 1s } ] } ] } ]\n      b: []\n    join: 1\n  - { id: l, loop: [ { delay: 1s }, { delay: 2s } ], until: order.y, max: 3 }\n",
    );
    let definition = compiled(&source);
    let next: Vec<Option<u32>> = definition.nodes.iter().map(|n| n.next).collect();
    let expected = [
        Some(4),
        None,
        Some(1),
        Some(1),
        Some(7),
        Some(6),
        None,
        None,
    ];
    assert_eq!(next, expected);
    let fork = Kind::Fork {
        branches: vec![("a".to_owned(), Some(2)), ("b".to_owned(), None)],
        join: 1,
    };
    assert_eq!(definition.nodes[0].kind, fork);
    assert_eq!(definition.nodes[1].kind, Kind::Join { count: Some(1) });
}

#[test]
fn fragments_that_multiply_are_bounded() {
    let level = |name: &str, next: &str| {
        let steps: String = (0..60)
            .map(|i| format!("  - {{ id: s{i}, use: {next} }}\n"))
            .collect();
        format!("fragment: {name}\nsteps:\n{steps}")
    };
    let files = [
        ("a.yaml", level("a", "b")),
        ("b.yaml", level("b", "c")),
        ("c.yaml", level("c", "d")),
        (
            "d.yaml",
            "fragment: d\nsteps: [ { delay: 1s } ]\n".to_owned(),
        ),
    ];
    let compiled = with_files("  - { id: x, use: a }\n", &files);
    assert_eq!(compiled.definition, None);
    let codes: BTreeSet<&str> = compiled.diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes, BTreeSet::from([codes::BUDGET]));
}

#[test]
fn a_long_chain_of_fragments_is_bounded() {
    let names: Vec<String> = (0..60).map(|i| format!("f{i}.yaml")).collect();
    let files: Vec<(&str, String)> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let step = format!("{{ id: s, block: [ {{ id: t, use: f{} }} ] }}", i + 1);
            (
                name.as_str(),
                format!("fragment: f{i}\nsteps: [ {step} ]\n"),
            )
        })
        .collect();
    let compiled = with_files("  - { id: x, use: f0 }\n", &files);
    assert!(compiled.diagnostics.iter().any(|d| d.code == codes::BUDGET));
}

#[test]
fn a_part_of_sagas_is_no_saga() {
    for source in ["contract: c\n", "fragment: f\nsteps: []\n"] {
        assert_eq!(codes_of(source), [codes::BAD_USE]);
    }
}

#[test]
fn hostile_schemas_are_bounded() {
    let deep = "{\"type\":\"array\",\"items\":".repeat(60) + "1" + &"}".repeat(60);
    let wide: String = (0..3000)
        .map(|i| format!("{{\"name\":\"f{i}\",\"type\":\"string\"}},"))
        .collect();
    let wide = format!("{{\"type\":\"record\",\"name\":\"E\",\"fields\":[{wide}1]}}");
    let round = "{\"$ref\":\"#\"}".to_owned();
    for (file, text) in [
        ("E.json", deep),
        ("E.avsc", wide),
        ("E.json", round),
        ("E.avsc", "{".into()),
    ] {
        let path = format!("types/{file}");
        let files = [
            (
                "c.yaml",
                "contract: c\ntypes: types\nx.y: { success: { ok: E }, effect: none }\n".to_owned(),
            ),
            (path.as_str(), text.clone()),
        ];
        let source = "saga: s\nversion: 1\nuses: [c.yaml]\nstart: { topic: t, type: E, as: order, key: order.id }\nsteps: [ { id: a, command: x.y, with: =order.a.b } ]\n";
        let read = |path: &str| {
            let found = files.iter().find(|(name, _)| *name == path);
            found
                .map(|(_, text)| text.clone())
                .ok_or_else(|| "absent".to_owned())
        };
        compile_with("s.yaml", source, &read);
    }
}

/// Codes of what is found in these steps, where `A` is a step whose result the last one, or the end, reads.
fn codes_of_steps(steps: &[&str], end: &str) -> Vec<&'static str> {
    let wait = "{ id: a, await: { topic: t, key: event.id }, timeout: 1h }";
    let steps: String = steps
        .iter()
        .map(|step| format!("  - {}\n", step.replace('A', wait)))
        .collect();
    let compiled = with_files(&format!("{steps}{end}"), &[]);
    compiled.diagnostics.iter().map(|d| d.code).collect()
}

#[test]
fn a_result_is_sure_where_it_is_there_on_every_path() {
    let read = "{ publish: t, type: T, with: =a.x }";
    let choice = |first: &str, second: &str| {
        let choice = format!(
            "{{ choice: [ {{ when: order.x, steps: [ {first} ] }}, {{ otherwise: [ {second} ] }} ] }}"
        );
        codes_of_steps(&[&choice, read], "")
    };
    assert_eq!(choice("A", ""), [codes::DOUBTFUL_NAME]);
    assert_eq!(choice("", "A"), [codes::DOUBTFUL_NAME]);
    assert_eq!(choice("A", "stop: early"), [""; 0]);
    assert_eq!(choice("stop: early", "A"), [""; 0]);
    assert_eq!(codes_of_steps(&["A", read], ""), [""; 0]);
}

#[test]
fn at_the_end_a_result_is_sure_if_no_stop_came_before_it() {
    let end = "finally: { completed: { publish: t, type: T, with: =a.x } }\n";
    let (early, late) = (
        "{ stop: early, when: order.x }",
        "{ stop: late, when: order.x }",
    );
    assert_eq!(codes_of_steps(&["A"], end), [""; 0]);
    assert_eq!(codes_of_steps(&["A", late], end), [""; 0]);
    let doubtful = [codes::DOUBTFUL_NAME];
    assert_eq!(codes_of_steps(&[early, "A"], end), doubtful);
    assert_eq!(codes_of_steps(&[early, "A", late], end), doubtful);
    let branch = "{ parallel: { one: [ { stop: early, when: order.x }, A, { stop: late, when: order.y } ] } }";
    assert_eq!(codes_of_steps(&[branch], end), doubtful);
}

/// A contract with this many operations, and a schema of this many bytes for each.
fn with_schemas(operations: usize, bytes: usize) -> Compiled {
    let operation = |i: usize| format!("x.y{i}: {{ success: {{ ok: E{i} }}, effect: none }}\n");
    let operations: String = (0..operations).map(operation).collect();
    let contract = format!("contract: c\ntypes: types\n{operations}");
    let source = "saga: s\nversion: 1\nuses: [c.yaml]\nstart: { topic: t, as: order, key: order.id }\nsteps: [ { id: a, command: x.y0 } ]\n";
    let schema = format!("\"{}\"", " ".repeat(bytes));
    let read = |path: &str| match path {
        "c.yaml" => Ok(contract.clone()),
        path if path.ends_with(".avsc") => Ok(schema.clone()),
        _ => Err("absent".to_owned()),
    };
    compile_with("s.yaml", source, &read)
}

#[test]
fn schemas_count_among_what_a_definition_may_read() {
    let codes =
        |compiled: Compiled| -> Vec<&str> { compiled.diagnostics.iter().map(|d| d.code).collect() };
    let third = 600 * 1024;
    assert_eq!(codes(with_schemas(2, third)), [""; 0]);
    assert_eq!(codes(with_schemas(6, third)), [codes::BUDGET]);
    assert_eq!(codes(with_schemas(400, 1)), [""; 0]);
    assert_eq!(codes(with_schemas(600, 1)), [codes::BUDGET]);
}

#[test]
fn a_second_provider_that_only_reads_needs_no_compensation_in_either_form() {
    let contract = (
        "c.yaml",
        "contract: c\nx.look: { effect: none }\n".to_owned(),
    );
    let files = [contract];
    let nothing = |fallback: &str| {
        let step =
            format!("  - {{ id: a, command: y.a, compensate: y.b, fallback: {fallback} }}\n");
        let compiled = with_files(&step, &files);
        let found = format!("{:?}", compiled.diagnostics);
        let mut nodes = compiled.definition.expect(&found).nodes;
        match nodes.remove(1).kind {
            Kind::Send(send) => send.compensation,
            other => panic!("{other:?}"),
        }
    };
    let short = nothing("x.look");
    assert!(matches!(short, Compensation::Nothing { .. }), "{short:?}");
    assert_eq!(nothing("{ command: x.look }"), short);
    assert_eq!(nothing("{ command: x.look, with: =order.id }"), short);
}

/// Compiles, renders and, if it compiles, stores and reads: nothing of it may panic.
fn check_survives(source: &str) {
    match compile("fuzz.yaml", source) {
        Ok(definition) => {
            let back: Definition = serde_json::from_str(&definition.canonical()).unwrap();
            assert_eq!(back, definition);
        }
        Err(found) => {
            assert!(!found.is_empty());
            render("fuzz.yaml", source, &found, false);
        }
    }
}

fn boundary(text: &str, at: usize) -> usize {
    let at = at % (text.len() + 1);
    (0..=at)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn mutated_contracts_and_fragments_do_not_panic(
        contract in any::<bool>(),
        cuts in proptest::collection::vec((any::<u16>(), 0..30_usize, "[a-z:{}\\[\\]\"'=&*! \n\\-0-9é]{0,6}"), 1..6),
    ) {
        let mut part = if contract { CONTRACT } else { FRAGMENT }.to_owned();
        for (at, length, text) in cuts {
            let start = boundary(&part, usize::from(at));
            let end = boundary(&part, (start + length).min(part.len()));
            part.replace_range(start..end.max(start), &text);
        }
        let read = |path: &str| match path {
            "contracts/sales.yaml" if contract => Ok(part.clone()),
            "fragments/notify.yaml" if !contract => Ok(part.clone()),
            _ => Err("absent".to_owned()),
        };
        let compiled = compile_with("order.yaml", EVERYTHING, &read);
        render_all(&compiled.sources, &compiled.diagnostics, false);
    }

    #[test]
    fn arbitrary_text_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        check_survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn signs_of_yaml_do_not_panic(source in "[a-c:\\-{}\\[\\],&*!|>#%@`'\" \n\t=?~<ä]{0,120}") {
        check_survives(&source);
    }

    #[test]
    fn mutated_definitions_do_not_panic(
        which in 0..10_usize,
        cuts in proptest::collection::vec((any::<u16>(), 0..30_usize, "[a-z:{}\\[\\]\"'=&*! \n\\-0-9é]{0,6}"), 1..6),
    ) {
        let good = [FULL, EVERYTHING, EVERYTHING];
        let texts = MISTAKES.iter().chain(&good).copied().collect::<Vec<_>>();
        let mut source = texts[which % texts.len()].to_owned();
        for (at, length, text) in cuts {
            let start = boundary(&source, usize::from(at));
            let end = boundary(&source, (start + length).min(source.len()));
            source.replace_range(start..end.max(start), &text);
        }
        check_survives(&source);
    }
}
