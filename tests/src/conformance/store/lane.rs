//! Checks of claims, and of lanes as a whole.
//!
//! Absent on purpose: what the lane machine makes of an answer.

use connectors::store::{Position, Store};

use super::bench::{Bench, Fixture, LANE, document, open};

/// Each claim raises the epoch by one; nothing else does.
pub fn claim_raises_the_epoch<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    assert_eq!(bench.position(), Position::default());
    assert_eq!(bench.claim().ep, 1);
    bench.write(&[]);
    let claimed = bench.claim();
    assert_eq!(claimed.ep, 2);
    assert_eq!((claimed.wm, claimed.jpos), (Some(10), Some(7)));
    assert_eq!(bench.position(), claimed);
}

/// Owners are the last committer and the claimers since, each once, the newest last.
pub fn claim_collects_the_owners<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    for owner in ["b", "\"c\\", "b", "engine-a", "b"] {
        bench.store.claim(LANE, owner).expect("a claim");
    }
    assert_eq!(bench.position().owners, ["\"c\\", "engine-a", "b"]);
    bench.write(&[]);
    assert_eq!(bench.position().owners, ["engine-a"]);
}

/// Neither another lane nor another application sees what a lane holds; another store of the application does.
pub fn lanes_and_apps_are_apart<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    bench.write(&[("order/1", Some(document(1, "5", 'r')))]);
    let mut foreign = Bench::new(fixture);
    assert_eq!(foreign.document("order/1"), None);
    assert_eq!(foreign.position(), Position::default());
    let other = bench.store.document(LANE + 1, "order/1");
    assert_eq!(other.expect("an answer"), None);
    let mut twin = open(fixture, &bench.app);
    let seen = twin.document(LANE, "order/1").expect("an answer");
    assert_eq!(seen, Some(document(1, "5", 'r')));
}

/// A scan ends and finds every stored id, those that never become due as well.
pub fn scan_finds_every_id_in_pages<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    assert!(bench.scan().is_empty());
    let ids: Vec<String> = (0..1_300).map(|n| format!("order/{n:05}")).collect();
    for part in ids.chunks(650) {
        let documents: Vec<_> = part
            .iter()
            .map(|id| (id.as_str(), Some(document(1, "-", 'c'))))
            .collect();
        bench.write(&documents);
    }
    assert_eq!(bench.scan(), ids);
}
