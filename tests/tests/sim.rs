//! The simulation: many seeds, all promises.

use tests::sim::{Campaign, Limits};

/// Schedules of a run in CI.
const SEEDS: u64 = 200;

#[test]
fn no_seed_breaks_a_promise() {
    let campaign = Campaign {
        seeds: SEEDS,
        ..Campaign::default()
    };
    let report = campaign.run();
    assert_eq!(report.unsteady, [], "one seed, two runs");
    if let Some((seed, wrong)) = report.broken.first() {
        let told = campaign.one(*seed, Limits::default(), true);
        panic!("{}\nseed {seed}: {wrong}", told.story.join("\n"));
    }
    assert_eq!(report.seeds, SEEDS);
}
