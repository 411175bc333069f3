//! Checks of loads.
//!
//! Absent on purpose: atomicity against another client; a load is one script, or happens under one lock.

use std::collections::BTreeMap;

use connectors::store::{Loaded, Store};

use super::bench::{Bench, Fixture, LANE, document, load_of, next, with_counters, with_documents};

/// Documents come in the order of the ids, unknown ones as `None`, an id twice as often as asked.
pub fn load_follows_the_order_of_the_ids<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    let one = Some(document(1, "5", 'r'));
    let two = Some(document(2, "6", 'c'));
    let position = bench.write(&[("a/1", one.clone()), ("a/2", two.clone())]);
    let loaded = bench.load(&["a/2", "a/unknown", "a/1", "a/2"]);
    assert_eq!(loaded.position, position);
    assert_eq!(loaded.documents, [two.clone(), None, one, two]);
}

/// A lane that nobody wrote has no position.
pub fn load_of_an_empty_lane_is_empty<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    assert_eq!(bench.load(&[]), Loaded::default());
    assert_eq!(bench.load(&["a/1"]).documents, [None]);
    assert_eq!(bench.counters(), BTreeMap::new());
}

/// A load sees the commits of its own round.
pub fn load_sees_the_commit_before_it<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    let image = Some(document(1, "5", 'r'));
    let commit = with_documents(next(&bench.claim()), &[("a/1", image.clone())]);
    let commit = with_counters(commit, &[("started", 7)]);
    let loads = [load_of(LANE, &["a/1"])];
    let (_, loaded) = bench.store.round(&[commit], &loads).expect("a round");
    assert_eq!(loaded[0].position.wm, Some(10));
    assert_eq!(loaded[0].documents, [image]);
    let counters = BTreeMap::from([("started".to_owned(), 7)]);
    assert_eq!(loaded[0].counters, counters);
}

/// Any saga key and any body comes back as it went in.
pub fn documents_and_ids_are_bytes<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    let ids = ["a/ä €", "a/b/c:{d}", "a/\"'\\\n\0", "a/", "no slash"];
    let mut image = document(1, "5", 'r');
    image.extend(0..=255_u8);
    bench.write(&ids.map(|id| (id, Some(image.clone()))));
    let loaded = bench.load(&ids);
    assert!(loaded.documents.iter().all(|d| d.as_ref() == Some(&image)));
    assert_eq!(bench.ids("a", 'r').len(), 4);
    assert_eq!(bench.ids("no slash", 'r'), ["no slash"]);
    assert_eq!(bench.due(5, 9).len(), 5);
}
