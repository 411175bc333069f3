//! Checks of clearing a lane before it is rebuilt.
//!
//! Absent on purpose: the rebuild itself; its scripts are ordinary commits.

use connectors::store::{Answer, Error, Store};

use super::bench::{Bench, Fixture, LANE, document, next, with_counters, with_documents};

const AT_MS: i64 = 1_790_000_099_999;

/// Position first, then documents step by step, counters with the last; the epoch stays.
pub fn clear_drops_everything_in_steps<F: Fixture>(fixture: &F) {
    let mut bench = filled(fixture);
    let ep = bench.claim().ep;
    assert_eq!(bench.store.clear(LANE, ep, AT_MS, 2), Ok(false));
    let position = bench.position();
    assert_eq!((position.wm, position.jpos), (None, None));
    assert_eq!((position.at_ms, position.ep), (Some(AT_MS), ep));
    assert_eq!((bench.scan().len(), bench.counters().len()), (3, 1));
    assert_eq!(bench.store.clear(LANE, ep, AT_MS, 2), Ok(false));
    assert_eq!(bench.store.clear(LANE, ep, AT_MS, 2), Ok(true));
    check_empty(&mut bench);
}

/// A cleared lane takes commits from "nowhere" on.
pub fn clear_is_followed_by_a_rebuild<F: Fixture>(fixture: &F) {
    let mut bench = filled(fixture);
    let ep = bench.claim().ep;
    assert_eq!(bench.store.clear(LANE, ep, AT_MS, 100), Ok(true));
    let position = bench.write(&[("a/1", Some(document(9, "5", 'r')))]);
    assert_eq!((position.ep, position.wm), (ep, Some(10)));
    assert_eq!(bench.ids("a", 'r'), ["a/1"]);
}

/// Somebody who was overtaken drops nothing.
pub fn clear_refuses_an_old_epoch<F: Fixture>(fixture: &F) {
    let mut bench = filled(fixture);
    let position = bench.claim();
    for ep in [position.ep - 1, position.ep + 1] {
        let answer = bench.store.clear(LANE, ep, AT_MS, 100);
        assert!(matches!(answer, Err(Error::Refused { .. })), "{answer:?}");
    }
    assert_eq!(bench.position(), position);
    assert_eq!(bench.scan().len(), 5);
}

/// Clearing a lane without documents still forgets where it stood.
pub fn clear_of_an_empty_lane_forgets_the_position<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    let position = bench.write(&[]);
    assert_eq!(bench.store.clear(LANE, position.ep, AT_MS, 100), Ok(true));
    assert_eq!(bench.position().wm, None);
}

/// Index entries of documents that are lost go as well.
pub fn clear_drops_lost_documents<F: Fixture>(fixture: &F) {
    let mut bench = filled(fixture);
    fixture.lose_document(&bench.app, LANE, "a/1");
    let ep = bench.position().ep;
    assert_eq!(bench.store.clear(LANE, ep, AT_MS, 100), Ok(true));
    check_empty(&mut bench);
}

fn filled<F: Fixture>(fixture: &F) -> Bench<F::Store> {
    let mut bench = Bench::new(fixture);
    let documents = [
        ("a/1", 'r'),
        ("a/2", 'c'),
        ("a/3", 'p'),
        ("b/1", 'r'),
        ("b/2", 't'),
    ];
    let documents = documents.map(|(id, status)| (id, Some(document(1, "-", status))));
    let commit = with_documents(next(&bench.claim()), &documents);
    let commit = with_counters(commit, &[("started", 5)]);
    assert_eq!(bench.commit(&commit), Answer::Done);
    bench
}

fn check_empty<S: Store>(bench: &mut Bench<S>) {
    assert!(bench.scan().is_empty());
    assert!(bench.counters().is_empty());
    for status in "rkpscbte".chars() {
        assert!(bench.ids("a", status).is_empty());
        assert!(bench.ids("b", status).is_empty());
    }
    assert_eq!(bench.load(&["a/1", "b/2"]).documents, [None, None]);
}
