//! The simulation in CI: so many schedules, no promise broken; and every planted bug is caught.
//!
//! Numbers of schedules are fixed, so that a slow machine takes longer and fails no more. `SKALD_SIM_SEEDS`, `SKALD_SIM_FIRST` and
//! `SKALD_SIM_SECONDS` make the run longer or another one.

use std::time::Duration;

use saga_lib::mutant::Mutant;
use tests::sim::{Campaign, story};

/// Schedules of a run in CI.
const SEEDS: u64 = 2_000;
/// A planted bug must be caught within so many.
const CAUGHT_WITHIN: u64 = 10_000;

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(default)
}

#[test]
fn no_schedule_breaks_a_promise() {
    let campaign = Campaign {
        first: number("SKALD_SIM_FIRST", 0),
        seeds: number("SKALD_SIM_SEEDS", SEEDS),
        time: Duration::from_secs(number("SKALD_SIM_SECONDS", u64::MAX)),
        ..Campaign::default()
    };
    let report = campaign.run();
    let unsteady = &report.unsteady;
    assert!(unsteady.is_empty(), "one seed, two runs: {unsteady:?}");
    if let Some((seed, _)) = report.broken.first() {
        panic!("{}", story(campaign, *seed));
    }
    println!("{} schedules, {} faults", report.seeds, report.faults());
}

/// Those of lane, shell and engine that are caught soon. The others are told of in decision 15.
const PLANTED: [Mutant; 16] = [
    Mutant::NoCheckOnLoad,
    Mutant::CatchUpIgnoresOpen,
    Mutant::FirstChunkMovesWatermark,
    Mutant::ForgetsNothing,
    Mutant::NoIdleCheck,
    Mutant::NoReread,
    Mutant::OffsetNotStable,
    Mutant::PartNotRewound,
    Mutant::ProducerKept,
    Mutant::SuspectConvicted,
    Mutant::UnknownIsCommitted,
    Mutant::CacheSurvives,
    Mutant::DeliveriesUnchecked,
    Mutant::ForwardsUnchecked,
    Mutant::ImagesOfNewOnly,
    Mutant::TimerNotRewritten,
];

#[test]
fn every_planted_bug_is_caught() {
    let mut missed = Vec::new();
    for mutant in PLANTED {
        let report = Campaign {
            seeds: CAUGHT_WITHIN,
            mutant: Some(mutant),
            ..Campaign::default()
        }
        .run();
        match report.broken.first() {
            Some((_, wrong)) => println!("{mutant:?}: after {} schedules: {wrong}", report.seeds),
            None => missed.push(mutant),
        }
    }
    assert!(
        missed.is_empty(),
        "not caught within {CAUGHT_WITHIN} schedules: {missed:?}"
    );
}
