//! Checks of timer entries.
//!
//! Absent on purpose: clocks; a store is told the time.

use connectors::store::Store;

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

/// A reader goes on where it was, entries of the same moment included, and reads headers of what it chooses.
pub fn due_is_read_in_pages<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    let entries = [("a/1", "-5"), ("a/2", "7"), ("b/1", "7"), ("b/2", "8")];
    bench.write(&entries.map(|(id, target)| (id, Some(document(1, target, 'r')))));
    let resend = b"1M:1:w1:9:r:@credit.commands*2+500:body".to_vec();
    bench.write(&[("c/1", Some(resend))]);
    let mut page = |from, until, max| {
        let ids = bench.store.due_ids(LANE, from, until, max);
        ids.expect("a page")
    };
    let listed = |ids: &[(&str, i64)]| -> Vec<(String, i64)> {
        ids.iter().map(|(id, at)| ((*id).to_owned(), *at)).collect()
    };
    assert_eq!(page(None, 7, 2), listed(&[("a/1", -5), ("a/2", 7)]));
    assert_eq!(page(Some(7), 9, 2), listed(&[("a/2", 7), ("b/1", 7)]));
    assert_eq!(page(Some(8), 9, 9), listed(&[("b/2", 8), ("c/1", 9)]));
    let ids = ["c/1", "gone/1", "b/2", "a/1"].map(str::to_owned).to_vec();
    let due = bench.store.due_of(LANE, ids, 8).expect("entries");
    let seen: Vec<&str> = due.iter().map(|d| d.id.as_str()).collect();
    assert_eq!(seen, ["b/2", "a/1"]);
    let header = bench.due(9, 9).pop().and_then(|due| due.header);
    assert_eq!(
        header.as_deref(),
        Some("1M:1:w1:9:r:@credit.commands*2+500:")
    );
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
