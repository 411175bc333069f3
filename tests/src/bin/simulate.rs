//! Long runs of the simulation: `SKALD_SIM_SEEDS=1000000 SKALD_SIM_SECONDS=3600 cargo run -p tests --bin simulate`.
//!
//! `SKALD_SIM_FIRST` is the first seed; with `SKALD_SIM_STORY` the story of that seed is told instead.
//!
//! Absent on purpose: planted bugs, which tests have.

use std::process::ExitCode;
use std::time::Duration;

use tests::sim::{Campaign, Fault, Limits};

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(default)
}

fn main() -> ExitCode {
    let campaign = Campaign {
        first: number("SKALD_SIM_FIRST", 0),
        seeds: number("SKALD_SIM_SEEDS", 20_000),
        time: Duration::from_secs(number("SKALD_SIM_SECONDS", 120)),
        broken: 10,
        ..Campaign::default()
    };
    if std::env::var_os("SKALD_SIM_STORY").is_some() {
        let outcome = campaign.one(campaign.first, Limits::default(), true);
        println!("{}\n{:?}", outcome.story.join("\n"), outcome.wrong);
        return ExitCode::SUCCESS;
    }
    let report = campaign.run();
    for fault in Fault::ALL {
        println!("{:>9} {fault:?}", report.struck[fault as usize]);
    }
    let faults = report.faults();
    println!(
        "{} schedules, {faults} faults, {} steps, {} sagas in {:?}; unsteady {:?}",
        report.seeds, report.steps, report.sagas, report.took, report.unsteady
    );
    for (seed, wrong) in &report.broken {
        println!("seed {seed}: {wrong}");
    }
    if report.broken.is_empty() && report.unsteady.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
