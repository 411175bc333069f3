//! Checks of timer entries.
//!
//! Absent on purpose: clocks; a store is told the time.

use super::bench::{Bench, Fixture, LANE, document};

/// Oldest first, up to and with the time asked for, at most as many as asked for, with the header.
pub fn due_is_ordered_and_limited<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    let entries = [
        ("a/1", "3000"),
        ("a/2", "1000"),
        ("b/1", "2000"),
        ("b/2", "4000"),
    ];
    bench.write(&entries.map(|(id, target)| (id, Some(document(1, target, 'r')))));
    let due = bench.due(3_000, 9);
    let seen: Vec<(&str, i64)> = due.iter().map(|d| (d.id.as_str(), d.score_ms)).collect();
    assert_eq!(seen, [("a/2", 1_000), ("b/1", 2_000), ("a/1", 3_000)]);
    assert_eq!(due[0].header.as_deref(), Some("1M:1:w1:1000:r:"));
    assert_eq!(bench.due(3_000, 2).len(), 2);
    assert!(bench.due(3_000, 0).is_empty());
    assert!(bench.due(999, 9).is_empty());
}

/// Every write arms the timer anew from its header.
pub fn due_follows_the_newest_header<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    for (revision, target, due) in [(1, "100", 1), (2, "1790000000001", 0), (3, "7", 1)] {
        bench.write(&[("a/1", Some(document(revision, target, 'r')))]);
        assert_eq!(bench.due(1_000, 9).len(), due, "target {target}");
    }
    let exact = bench.due(7, 9).pop().expect("an entry");
    assert_eq!(exact.header.as_deref(), Some("1M:3:w3:7:r:"));
}

/// An entry without a document shows that the lane is damaged.
pub fn due_shows_a_lost_document<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    let image = Some(document(1, "5", 'r'));
    bench.write(&[("a/1", image.clone()), ("a/2", image)]);
    fixture.lose_document(&bench.app, LANE, "a/1");
    let due = bench.due(5, 9);
    assert_eq!((due[0].id.as_str(), &due[0].header), ("a/1", &None));
    assert!(due[1].header.is_some());
}

/// A document with nothing ahead is stored, but never due.
pub fn never_is_never_due<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    bench.write(&[("a/1", Some(document(1, "5", 'r')))]);
    bench.write(&[("a/1", Some(document(2, "-", 'p')))]);
    assert!(bench.due(i64::MAX, 9).is_empty());
    assert_eq!(bench.scan(), ["a/1"]);
}
