//! Output and exit codes of `skald check`.

use clap::Parser;

use crate::cli::{self, Cli};
use crate::output::Console;

const GOOD: &str = "saga: order\nversion: 1\nstart: { topic: orders, type: OrderPlaced, as: order, key: order.id }\nsteps:\n  - id: credit\n    command: credit.reserve\n    with: { amount: =order.total }\n    compensate: credit.release\n";

struct Ran {
    code: u8,
    out: String,
    talk: String,
}

fn check_files(files: &[(&str, &str)], further: &[&str]) -> Ran {
    let dir = tempfile::tempdir().expect("directory");
    let mut line = vec!["skald".to_owned(), "check".to_owned()];
    line.extend(further.iter().map(|&flag| flag.to_owned()));
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        line.push(path.display().to_string());
    }
    let mut ran = run(&line);
    let place = format!("{}/", dir.path().display());
    ran.out = ran.out.replace(&place, "");
    ran
}

fn run(line: &[String]) -> Ran {
    let cli = Cli::try_parse_from(line).expect("parses");
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let mut console = Console {
        out: &mut out,
        talk: &mut talk,
        format: cli.output,
        color: false,
        answers: None,
    };
    let code = cli::run(cli, &mut console).map_or_else(|e| e.exit_code(), |()| 0);
    Ran {
        code,
        out: String::from_utf8(out).expect("text"),
        talk: String::from_utf8(talk).expect("text"),
    }
}

#[test]
fn a_good_file_is_named_with_its_version() {
    let ran = check_files(&[("order.yaml", GOOD)], &[]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(
        ran.out.starts_with("order.yaml: order@1 is good (hash "),
        "{}",
        ran.out
    );
    assert_eq!(ran.talk, "1 file checked, no mistakes\n");
}

#[test]
fn mistakes_show_line_caret_and_suggestion() {
    let bad = GOOD
        .replace("comand", "")
        .replace("    command:", "    comand:");
    let ran = check_files(&[("order.yaml", &bad)], &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("order.yaml:6:"), "{}", ran.out);
    assert!(ran.out.contains("^^^"), "{}", ran.out);
    assert!(ran.out.contains("did you mean `command`?"), "{}", ran.out);
    assert!(ran.talk.starts_with("1 file checked, "), "{}", ran.talk);
}

#[test]
fn every_file_is_checked_whatever_is_wrong_with_the_first() {
    let bad = GOOD.replace("saga: order", "saga: 5 5");
    let ran = check_files(&[("bad.yaml", &bad), ("good.yaml", GOOD)], &[]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("good.yaml: order@1 is good"),
        "{}",
        ran.out
    );
    assert!(ran.talk.ends_with("in 1\n"), "{}", ran.talk);
}

#[test]
fn json_is_one_list_of_mistakes() {
    let bad = GOOD.replace("    command:", "    comand:");
    let ran = check_files(
        &[("order.yaml", &bad), ("good.yaml", GOOD)],
        &["-o", "json"],
    );
    assert_eq!(ran.code, 1);
    let list: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(list[0]["file"], "order.yaml");
    assert_eq!(list[0]["line"], 6);
    assert!(
        list[0]["code"]
            .as_str()
            .is_some_and(|code| code.starts_with('E'))
    );
    let good = check_files(&[("order.yaml", GOOD)], &["-o", "json"]);
    assert_eq!((good.code, good.out.as_str()), (0, "[]\n"));
}

#[test]
fn one_version_must_not_be_described_twice() {
    let twin = GOOD.replace("order.total", "order.sum");
    let ran = check_files(&[("a.yaml", GOOD), ("b.yaml", &twin)], &[]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out
            .contains("b.yaml describes `order@1` differently than"),
        "{}",
        ran.out
    );
}

#[test]
fn a_missing_file_is_a_mistake() {
    let ran = run(&["skald".into(), "check".into(), "/nowhere/order.yaml".into()]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("/nowhere/order.yaml cannot be read"),
        "{}",
        ran.out
    );
}

#[test]
fn used_files_are_read_beside_the_definition() {
    let contract = "contract: credit\ncredit.reserve: { timeout: soon }\ncredit.release: {}\n";
    let order = GOOD.replace("start:", "uses: [credit.yaml]\nstart:");
    let dir = tempfile::tempdir().expect("directory");
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(path("order.yaml"), &order).expect("written");
    let line = ["skald".to_owned(), "check".to_owned(), path("order.yaml")];
    let ran = run(&line);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("`credit.yaml` cannot be read"),
        "{}",
        ran.out
    );
    std::fs::write(path("credit.yaml"), contract).expect("written");
    let ran = run(&line);
    assert!(ran.out.contains("credit.yaml:2:28"), "{}", ran.out);
    std::fs::write(path("credit.yaml"), contract.replace("soon", "5s")).expect("written");
    assert_eq!(run(&line).code, 0);
}

#[test]
fn a_warning_does_not_stop_a_definition() {
    let doubtful = GOOD.to_owned()
        + "    when: order.total > 5\n  - { id: b, command: b.c, compensate: b.d, with: =credit.x }\n";
    let ran = check_files(&[("order.yaml", &doubtful)], &[]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("warning[E0205]"), "{}", ran.out);
    assert!(ran.out.contains("order@1 is good"), "{}", ran.out);
    assert_eq!(ran.talk, "1 file checked, no mistakes, 1 warning\n");
    let json = check_files(&[("order.yaml", &doubtful)], &["-o", "json"]);
    let list: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(list[0]["severity"], "warning");
}

/// A loop in a loop takes more steps at once than an instance may: it parks, and nobody asked for that.
const ENDLESS: &str = "saga: spin\nversion: 1\nstart: { topic: t, type: T, as: t, key: t.id }\ndata:\n  n: { type: number, init: 0 }\nsteps:\n  - id: outer\n    loop:\n      - id: inner\n        loop:\n          - { id: more, set: { n: =n + 1 } }\n        until: n > 1000000\n        max: 1000\n        catch: { exhausted: continue }\n    until: n > 2000000\n    max: 100\n";

#[test]
fn what_can_happen_is_explored() {
    let ran = check_files(&[("order.yaml", GOOD)], &[]);
    let line = ran.out.lines().find(|line| line.contains("explored"));
    let line = line.expect("a line");
    assert!(
        line.contains("with up to 2 faults: compensated, completed"),
        "{line}"
    );
    let deep = check_files(&[("order.yaml", GOOD)], &["--deep"]);
    assert!(deep.out.contains("with up to 4 faults"), "{}", deep.out);
    let not = check_files(&[("order.yaml", GOOD)], &["--no-explore"]);
    assert!(!not.out.contains("explored"), "{}", not.out);
}

#[test]
fn a_counter_example_is_a_numbered_story_and_a_mistake() {
    let ran = check_files(&[("spin.yaml", ENDLESS)], &[]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(
        ran.out.contains("error: spin.yaml: it is parked (program)"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("\n    1. the trigger comes"),
        "{}",
        ran.out
    );
    let ran = check_files(&[("spin.yaml", ENDLESS)], &["-o", "json"]);
    let findings: Vec<serde_json::Value> = serde_json::from_str(&ran.out).expect("json");
    let finding = findings.last().expect("a finding");
    assert_eq!(finding["severity"], "error");
    assert!(
        finding["notes"][0]
            .as_str()
            .is_some_and(|n| n.starts_with("the trigger comes"))
    );
}

#[test]
fn a_counter_example_is_saved_as_a_scenario_that_plays() {
    let dir = tempfile::tempdir().expect("directory");
    let place = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(place("spin.yaml"), ENDLESS).expect("written");
    let words = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>();
    let (definition, scenario) = (place("spin.yaml"), place("spin.test.yaml"));
    let ran = run(&words(&[
        "skald",
        "check",
        &definition,
        "--save",
        &scenario,
    ]));
    assert_eq!(ran.code, 1);
    assert!(ran.talk.contains("saved to"), "{}", ran.talk);
    let played = run(&words(&["skald", "test", &scenario]));
    assert_eq!(played.code, 0, "{}", played.out);
    let wrong = run(&words(&[
        "skald",
        "check",
        &definition,
        "--save",
        &definition,
    ]));
    assert_eq!(wrong.code, 2);
}
