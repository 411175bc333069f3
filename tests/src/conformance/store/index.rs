//! Checks of the index by definition and status, and of counters.
//!
//! Absent on purpose: searches; the read model does those.

use std::collections::BTreeMap;

use connectors::store::{Answer, Store};

use super::bench::{Bench, Fixture, LANE, document, next, with_counters};

/// An id stands in the index of its newest status and definition only.
pub fn commit_moves_the_index_entry<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    for (revision, status) in (1..).zip("rkpscbter".chars()) {
        let image = document(revision, "5", status);
        bench.write(&[("a/1", Some(image.clone())), ("b/1", Some(image))]);
        for other in "rkpscbte".chars() {
            let expected: &[&str] = if other == status { &["a/1"] } else { &[] };
            assert_eq!(bench.ids("a", other), expected, "{other} after {status}");
        }
        assert_eq!(bench.ids("b", status), ["b/1"]);
    }
}

/// An id that stands twice in a commit ends as its last document says.
pub fn commit_applies_documents_in_order<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    let first = ("a/1", Some(document(1, "5", 'k')));
    let second = ("a/1", Some(document(2, "6", 'c')));
    bench.write(&[first, second]);
    assert!(bench.ids("a", 'k').is_empty());
    assert_eq!(bench.ids("a", 'c'), ["a/1"]);
    assert_eq!(bench.due(9, 9)[0].score_ms, 6);
}

/// Ids come sorted, and no more than asked for.
pub fn ids_are_sorted_and_limited<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    let image = Some(document(1, "-", 'p'));
    let ids = ["a/3", "a/1", "ab/1", "a/2", "a/10"];
    bench.write(&ids.map(|id| (id, image.clone())));
    assert_eq!(bench.ids("a", 'p'), ["a/1", "a/10", "a/2", "a/3"]);
    let two = bench.store.ids(LANE, "a", 'p', 2).expect("ids");
    assert_eq!(two, ["a/1", "a/10"]);
}

/// Counters are set, not added; those that a commit does not name stay.
pub fn commit_sets_absolute_counters<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    let first = [("ended", 1), ("started", i64::MAX)];
    let first = with_counters(next(&bench.claim()), &first);
    assert_eq!(bench.commit(&first), Answer::Done);
    let second = with_counters(next(&bench.position()), &[("ended", -2)]);
    assert_eq!(bench.commit(&second), Answer::Done);
    bench.write(&[]);
    let expected = [("ended".to_owned(), -2), ("started".to_owned(), i64::MAX)];
    assert_eq!(bench.counters(), BTreeMap::from(expected));
}
