//! Long runs of the simulation: `SKALD_SIM_SEEDS=1000000 SKALD_SIM_SECONDS=3600 cargo run -p tests --bin simulate`.
//!
//! `SKALD_SIM_FIRST` is the first seed. An argument names a planted bug, or `mutants` for the share of schedules that each of them
//! breaks; `story` tells what happens with the first seed, with as few faults as still break it.
//!
//! Absent on purpose: assertions (see `tests/sim.rs`).

use std::process::ExitCode;
use std::time::Duration;

use saga_lib::mutant::Mutant;
use tests::sim::{Campaign, Fault, Report, story};

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(default)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let named = |m: &&Mutant| arguments.contains(&format!("{m:?}"));
    let campaign = Campaign {
        first: number("SKALD_SIM_FIRST", 0),
        seeds: number("SKALD_SIM_SEEDS", 20_000),
        time: Duration::from_secs(number("SKALD_SIM_SECONDS", 120)),
        broken: 10,
        mutant: Mutant::ALL.iter().find(named).copied(),
    };
    if arguments.iter().any(|argument| argument == "story") {
        println!("{}", story(campaign, campaign.first));
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "mutants") {
        shares(campaign);
        return ExitCode::SUCCESS;
    }
    let report = campaign.run();
    tell(&report);
    if report.broken.is_empty() && report.unsteady.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn tell(report: &Report) {
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
}

/// The share of schedules that each planted bug breaks.
fn shares(campaign: Campaign) {
    for mutant in Mutant::ALL {
        let campaign = Campaign {
            broken: usize::MAX,
            mutant: Some(*mutant),
            ..campaign
        };
        let report = campaign.run();
        let share = report.broken.len() as f64 * 100.0 / report.seeds.max(1) as f64;
        let first = report.broken.first();
        println!("{mutant:?}: {share:.2} % of {}; {first:?}", report.seeds);
    }
}
