//! Checks of commits: compare, then write everything or nothing.
//!
//! Absent on purpose: index and counters (see `index`), timers (see `timers`), loads in the same round (see `load`).

use std::collections::BTreeMap;

use connectors::store::{Answer, Commit, Store};

use super::bench::{Bench, Fixture, LANE, document, load_of, next, with_counters, with_documents};

/// A commit moves the position, writes its documents and makes its sender the owner.
pub fn commit_writes_and_becomes_the_owner<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.store.claim(LANE, "engine-z").expect("a claim");
    bench.claim();
    let position = bench.write(&[("order/1", Some(document(1, "5", 'r')))]);
    assert_eq!(
        (position.ep, position.wm, position.jpos),
        (2, Some(10), Some(7))
    );
    assert_eq!(position.owners, ["engine-a"]);
    assert_eq!(position.at_ms, Some(1_790_000_000_000));
    assert_eq!(position.installation.as_deref(), Some("installation"));
    assert_eq!(bench.document("order/1"), Some(document(1, "5", 'r')));
}

/// A commit whose target is reached is done, whoever claimed meanwhile, and writes nothing.
pub fn commit_done_before_is_done<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    let image = Some(document(1, "5", 'r'));
    let commit = with_documents(next(&bench.claim()), &[("a/1", image)]);
    assert_eq!(bench.commit(&commit), Answer::Done);
    let claimed = bench.store.claim(LANE, "engine-b").expect("a claim");
    let late = with_documents(commit, &[("a/1", None)]);
    assert_eq!(bench.commit(&late), Answer::Done);
    assert_eq!(bench.position(), claimed);
    assert!(bench.document("a/1").is_some());
}

/// A commit of an owner that was overtaken is refused.
pub fn commit_of_another_epoch_is_refused<F: Fixture>(fixture: &F) {
    check_refused(fixture, |commit| commit.ep += 1);
    check_refused(fixture, |commit| commit.ep -= 1);
}

/// A commit from a watermark where the lane does not stand is refused.
pub fn commit_from_another_watermark_is_refused<F: Fixture>(fixture: &F) {
    check_refused(fixture, |commit| commit.wm = Some(9));
    check_refused(fixture, |commit| commit.wm = Some(11));
    check_refused(fixture, |commit| commit.wm = None);
}

/// A commit from a journal position where the lane does not stand is refused.
pub fn commit_from_another_journal_position_is_refused<F: Fixture>(fixture: &F) {
    check_refused(fixture, |commit| commit.jpos = Some(6));
    check_refused(fixture, |commit| commit.jpos = None);
}

/// Half of the target reached is not the target reached.
pub fn commit_half_done_is_refused<F: Fixture>(fixture: &F) {
    check_refused(fixture, |commit| {
        (commit.ep, commit.wm_to) = (0, commit.wm);
    });
    check_refused(fixture, |commit| {
        (commit.ep, commit.jpos_to) = (0, commit.jpos);
    });
}

fn check_refused<F: Fixture>(fixture: &F, change: impl FnOnce(&mut Commit)) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    let image = document(1, "5", 'r');
    let position = bench.write(&[("a/1", Some(image.clone()))]);
    let documents = [("a/1", None), ("a/2", Some(image))];
    let commit = with_documents(next(&position), &documents);
    let mut commit = with_counters(commit, &[("started", 9)]);
    change(&mut commit);
    assert_eq!(bench.commit(&commit), Answer::Refused(position.clone()));
    assert_eq!(bench.position(), position);
    assert_eq!(bench.scan(), ["a/1"]);
    assert_eq!(bench.counters(), BTreeMap::new());
}

/// Chunks advance the journal position; the watermark moves with the last one only.
pub fn commit_in_chunks_moves_the_watermark_last<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    let mut position = bench.claim();
    for jpos in [100, 200, 300] {
        let wm = (jpos == 300).then_some(42);
        let mut commit = next(&position);
        (commit.wm_to, commit.jpos_to) = (wm, Some(jpos));
        assert_eq!(bench.commit(&commit), Answer::Done);
        assert_eq!(bench.commit(&commit), Answer::Done, "a resent chunk");
        position = bench.position();
        assert_eq!((position.wm, position.jpos), (wm, Some(jpos)));
    }
}

/// Removal takes the document, its timer and its index entry; removing nothing is fine.
pub fn commit_removes<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    bench.write(&[("a/1", Some(document(1, "5", 'r')))]);
    bench.write(&[("a/1", None), ("a/unknown", None)]);
    assert_eq!(bench.document("a/1"), None);
    assert!(bench.scan().is_empty());
    assert!(bench.due(i64::MAX, 9).is_empty());
    assert!(bench.ids("a", 'r').is_empty());
}

/// A document without a readable header is refused together with its whole commit.
pub fn commit_without_header_writes_nothing<F: Fixture>(fixture: &F) {
    for bad in ["", "x", "1M:1:w1:soon:r:", "1M:1:w1:5:q:", "1M:1:5:r:"] {
        let mut bench = Bench::new(fixture);
        let position = bench.claim();
        let good = ("a/1", Some(document(1, "5", 'r')));
        let commit = with_documents(next(&position), &[good, ("a/2", Some(bad.into()))]);
        bench.store.round(&[commit], &[]).expect_err(bad);
        assert_eq!(bench.position(), position);
        assert!(bench.scan().is_empty());
    }
}

/// A commit may carry a thousand documents of many definitions.
pub fn commit_takes_a_thousand_documents<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    bench.claim();
    let ids: Vec<String> = (0..1_000).map(|n| format!("d{:02}/{n}", n % 20)).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let image = document(1, "5", 'r');
    let documents: Vec<_> = ids.iter().map(|id| (*id, Some(image.clone()))).collect();
    bench.write(&documents);
    assert_eq!(bench.ids("d07", 'r').len(), 50);
    assert!(bench.load(&ids).documents.iter().all(Option::is_some));
}

/// The identical round may be sent again, as after a lost answer.
pub fn round_resent_is_the_same<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    let image = Some(document(1, "5", 'r'));
    let commit = with_documents(next(&bench.claim()), &[("a/1", image)]);
    let commit = with_counters(commit, &[("started", 1)]);
    let (commits, loads) = ([commit], [load_of(LANE, &["a/1", "a/2"])]);
    let first = bench.store.round(&commits, &loads).expect("a round");
    let again = bench.store.round(&commits, &loads).expect("a round");
    assert_eq!(first, again);
    assert_eq!(first.0, [Answer::Done]);
    let nothing = bench.store.round(&[], &[]).expect("a round");
    assert_eq!(nothing, (Vec::new(), Vec::new()));
}

/// A refused lane does not keep the others of the round from being written.
pub fn round_answers_lane_by_lane<F: Fixture>(fixture: &F) {
    let mut bench = Bench::new(fixture);
    let good = next(&bench.claim());
    let mut bad = good.clone();
    bad.lane = 9;
    let mut third = next(&bench.store.claim(4, "engine-a").expect("a claim"));
    third.lane = 4;
    let loads = [load_of(9, &["a/1"]), load_of(4, &[])];
    let round = bench.store.round(&[good, bad, third], &loads);
    let (answers, loaded) = round.expect("a round");
    assert_eq!(answers[0], Answer::Done);
    assert!(matches!(&answers[1], Answer::Refused(p) if p.wm.is_none() && p.ep == 0));
    assert_eq!(answers[2], Answer::Done);
    assert_eq!(loaded[0].position.wm, None);
    assert_eq!(loaded[1].position.wm, Some(10));
}
