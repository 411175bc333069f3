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
const STATES: usize = 12;

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
