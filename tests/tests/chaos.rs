//! Chaos on real servers and processes: nothing lost, nothing stuck, nothing doubled, whatever breaks when.
//!
//! The short run is for every change. `SKALD_CHAOS=long` makes it the long one, `SKALD_CHAOS=<seconds>` one of that length;
//! `SKALD_CHAOS_SEED` repeats the plan of a seed.

use tests::chaos::{self, profile::Profile};

#[test]
fn nothing_is_lost_stuck_or_doubled_whatever_breaks() {
    let profile = profile();
    let report = chaos::run(&profile, seed());
    report.print();
    assert!(report.verdict.problems.is_empty(), "{}", report.complaint());
    assert!(report.sagas >= profile.sagas, "{} sagas", report.sagas);
    assert!(
        report.faults() >= 25 && report.faults.len() >= 8,
        "{:?}",
        report.faults
    );
}

fn profile() -> Profile {
    match std::env::var("SKALD_CHAOS").as_deref() {
        Err(_) => Profile::short(),
        Ok("long") => Profile::long(),
        Ok(seconds) => Profile::lasting(seconds.parse().expect("`long` or seconds")),
    }
}

/// The seed of every change is the same, so that what fails can be told from what changed.
fn seed() -> u64 {
    let seed = std::env::var("SKALD_CHAOS_SEED").ok();
    seed.map_or(1, |seed| seed.parse().expect("a number"))
}
