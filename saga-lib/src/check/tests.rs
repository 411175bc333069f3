//! The explorer over small definitions and over random programs.

use std::collections::BTreeMap;

use super::{CounterExample, Limits, Report, explore};
use crate::ir::Definition;
use crate::transition::tests::definitions::order;
use crate::transition::tests::model::Random;
use crate::transition::tests::program::{choice, comp, program, stop};
use crate::transition::tests::random::generate;

/// Programs of the sweep, and states of each: bounded so that the test ends in time on a loaded machine.
const PROGRAMS: u64 = 1_000;
const STATES: usize = 40;

fn explored(definition: &Definition, faults: u32, states: usize) -> Report {
    let report = explore(definition, Limits { faults, states });
    if let Some(broken) = &report.broken {
        panic!("{}", told(broken));
    }
    report
}

fn told(broken: &CounterExample) -> String {
    format!("{}\n{}", broken.law, broken.story.join("\n"))
}

#[test]
fn a_saga_without_faults_completes() {
    let report = explored(&order(), 0, 1_000);
    assert_eq!(report.faults, Some(0));
    assert_eq!(report.ends, BTreeMap::from([("completed".to_owned(), 1)]));
}

#[test]
fn a_condition_is_tried_both_ways_whatever_the_data_are() {
    let arms = choice(
        "which",
        "order.nobody.knows",
        vec![comp("a")],
        vec![stop("no", "no")],
    );
    let report = explored(&program(vec![arms]), 0, 1_000);
    assert_eq!(report.ends, BTreeMap::from([("completed".to_owned(), 2)]));
}

#[test]
fn a_bound_is_kept_and_told_with_what_was_tried_before_it() {
    let whole = explored(&order(), 2, 100_000);
    assert_eq!(whole.faults, Some(2));
    let one = explored(&order(), 1, 100_000);
    let cut = explored(&order(), 2, one.states + 1);
    assert_eq!(cut.faults, Some(1), "{cut:#?}");
    assert!(cut.states <= one.states + 1, "{cut:#?}");
    assert_eq!(explored(&order(), 2, 3).faults, None);
}

fn compiled(steps: &str) -> Definition {
    let head = "saga: s\nversion: 1\nstart: { topic: t, as: it, key: it.id }\nsteps:\n";
    let compiled = crate::definition::compile("s.yaml", &format!("{head}{steps}"));
    compiled.expect("a good definition")
}

#[test]
fn conditions_that_multiply_are_bounded_and_told() {
    let one = |n: usize| format!("  - {{ publish: t{n}, type: T, when: it.x{n} }}\n");
    let many: String = (0..30).map(one).collect();
    let report = explored(&compiled(&many), 0, 100_000);
    assert_eq!(report.faults, None, "{report:?}");
    let few: String = (0..5).map(one).collect();
    assert_eq!(explored(&compiled(&few), 0, 100_000).faults, Some(0));
}

#[test]
fn alternatives_of_one_type_are_told_apart_by_their_filters() {
    let steps = "
  - id: decision
    await:
      - { name: approved, topic: d, type: Decision, key: event.id, where: event.good }
      - { name: rejected, topic: d, type: Decision, key: event.id, where: '!event.good' }
    timeout: 1h
    catch: { rejected: { do: [ { id: tell, command: a.tell, compensate: none, because: words cannot be taken back } ], then: compensate } }
";
    let report = explored(&compiled(steps), 0, 1_000);
    assert!(report.ends.contains_key("compensated"), "{report:?}");
    assert!(report.ends.contains_key("completed"), "{report:?}");
}

#[test]
fn a_time_is_ahead_however_long_the_saga_took_before() {
    let steps = "
  - delay: 2d
  - { id: later, delay: { until: it.at } }
  - { id: tell, command: a.tell, compensate: a.untell }
";
    let definition = compiled(steps);
    let short = compiled(&steps.replace("  - delay: 2d\n", ""));
    // A cancel while it waits is one more way to the end, with the first delay and without it.
    let ends = |definition| explored(definition, 1, 10_000).ends;
    let (long, short) = (ends(&definition), ends(&short));
    assert!(
        long["compensated"] > short["compensated"],
        "{long:?} {short:?}"
    );
}

/// `SKALD_SIM_SEEDS` sets the number of programs, `SKALD_SIM_FIRST` the first one, `SKALD_SIM_STATES` the bound of each.
#[test]
fn random_programs_are_explored() {
    let number = |name: &str, usual: u64| {
        let set = std::env::var(name).ok();
        set.map_or(usual, |text| text.parse().expect("a number"))
    };
    let first = number("SKALD_SIM_FIRST", 0);
    let states = number("SKALD_SIM_STATES", STATES as u64) as usize;
    let mut failed = Vec::new();
    for seed in first..first + number("SKALD_SIM_SEEDS", PROGRAMS) {
        let definition = program(generate(&mut Random { seed, drawn: 0 }).parts);
        let report = explore(&definition, Limits { faults: 2, states });
        if let Some(broken) = report.broken {
            println!("seed {seed}: {}", told(&broken));
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "seeds {failed:?}");
}
