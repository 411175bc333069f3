//! Every definition of the repository, its scenarios, and the laws that hold for all of them. None is named here.

use std::fs;
use std::path::{Path, PathBuf};

use saga_lib::check::{self, Limits};
use saga_lib::definition;
use saga_lib::ir::Definition;
use saga_lib::scenario::{self, Scenario};

/// Fewer states than `skald check` visits, because all definitions are explored in one test, without optimisation.
const LIMITS: Limits = Limits {
    faults: 2,
    states: 4_000,
};

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the workspace").to_owned()
}

/// Every definition that has no mistakes, with its path.
fn definitions() -> Vec<(PathBuf, Definition)> {
    let mut found = Vec::new();
    let mut open = vec![root()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("a readable directory") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                open.push(path);
            } else if name.ends_with(".yaml") && !name.ends_with(".test.yaml") {
                found.extend(compiled(&path).map(|definition| (path, definition)));
            }
        }
    }
    assert!(found.len() >= 8, "only {} definitions", found.len());
    found
}

fn compiled(path: &Path) -> Option<Definition> {
    let source = fs::read_to_string(path).expect("a readable file");
    let used = |name: &str| fs::read_to_string(name).map_err(|error| error.to_string());
    definition::compile_with(&path.display().to_string(), &source, &used).definition
}

fn scenarios(path: &Path) -> Vec<Scenario> {
    let path = path.with_extension("test.yaml");
    let source = fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("{}: {e}: every definition has scenarios", path.display()));
    let file = scenario::parse(&path.display().to_string(), &source);
    file.unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        .scenarios
}

#[test]
fn every_scenario_plays_as_it_says() {
    for (path, definition) in definitions() {
        for scenario in scenarios(&path) {
            let place = format!("{}: {}", path.display(), scenario.name);
            let play = scenario::play(&definition, &scenario).expect(&place);
            let differences = scenario::judge(&scenario.expect, &play);
            let incident = play.instance.and_then(|i| i.incident);
            assert!(
                differences.is_empty(),
                "{place}: {differences:#?} {incident:?}"
            );
        }
    }
}

#[test]
fn the_laws_hold_for_every_definition() {
    for (path, definition) in definitions() {
        let scenarios = scenarios(&path);
        let first = scenarios.first().expect("a scenario");
        let broken = scenario::check_laws(&definition, first).expect("a trigger with a key");
        assert!(
            broken.is_empty(),
            "{}:\n{}",
            path.display(),
            broken.join("\n")
        );
    }
}

/// What is told per definition, with `--nocapture`: states, faults for which all was tried, time.
#[test]
fn the_explorer_finds_no_counter_example_in_any_definition() {
    let mut exhaustive = 0;
    for (path, definition) in definitions() {
        let began = std::time::Instant::now();
        let report = check::explore(&definition, LIMITS);
        let took = began.elapsed();
        let place = path.display();
        let (states, faults) = (report.states, report.faults);
        let ends = &report.ends;
        println!("{place}: {states} states, {faults:?} faults, {took:?}: {ends:?}");
        if let Some(broken) = &report.broken {
            panic!("{place}: {}\n{}", broken.law, broken.story.join("\n"));
        }
        exhaustive += usize::from(report.is_exhaustive(LIMITS));
    }
    assert!(exhaustive >= 8, "only {exhaustive} explored to their end");
}
