//! Membership: assignment, and where delivery begins.
//!
//! Absent on purpose: how long a rebalance takes.

use std::collections::BTreeSet;

use connectors::log::{Begin, Bounds, Log};
use schemas::record::Partition;

use super::world::{
    MOMENT, World, bounds, eventually, join, poll, record, record_at, take, text, write_committed,
};

/// An owned partition is silent until it is started; then records come from the offset named.
pub fn nothing_is_delivered_before_start<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 2);
    let mut log = world.member("p", &[&topic]);
    join(&mut log, 2);
    write_committed(
        &mut log,
        &[
            record(&topic, "a"),
            record(&topic, "b"),
            record(&topic, "c"),
        ],
    );
    write_committed(&mut log, &[record_at(&topic, 1, "other")]);
    for _ in 0..3 {
        assert!(poll(&mut log).records.is_empty());
    }
    log.start(&Partition::new(&topic, 0), 1).expect("start");
    assert_eq!(take(&mut log, 2), ["b", "c"]);
    assert!(poll(&mut log).records.is_empty());
}

/// A paused partition is silent at once, also for what was fetched already; it begins again wherever it is told to.
pub fn pause_and_start_again_anywhere<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let mut log = world.member("p", &[&topic]);
    join(&mut log, 1);
    let all: Vec<_> = ["a", "b", "c", "d"].map(|v| record(&topic, v)).into();
    write_committed(&mut log, &all);
    log.start(&zero, 0).expect("start");
    let one = Bounds {
        records: 1,
        ..bounds(MOMENT)
    };
    let first = eventually("a record", || log.poll(one).expect("poll").records.pop());
    assert_eq!(first.offset, 0);
    log.pause(&zero).expect("pause");
    for _ in 0..3 {
        assert!(poll(&mut log).records.is_empty());
    }
    log.start(&zero, 2).expect("forward");
    assert_eq!(take(&mut log, 2), ["c", "d"]);
    log.start(&zero, 1).expect("back");
    assert_eq!(take(&mut log, 3), ["b", "c", "d"]);
}

/// A member that starts by itself begins at the committed offset, else where it was told to.
pub fn auto_start_begins_at_the_committed_offset<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 2);
    let mut producer = world.producer("p");
    let old: Vec<_> = ["a", "b", "c"].map(|v| record(&topic, v)).into();
    write_committed(&mut producer, &old);
    let mut first = world.follower(&[&topic], Begin::Earliest);
    assert_eq!(take(&mut first, 3), ["a", "b", "c"]);
    first
        .commit_offsets(&[(Partition::new(&topic, 0), 2)])
        .expect("offsets");
    drop(first);
    write_committed(&mut producer, &[record_at(&topic, 1, "skipped")]);
    let mut second = world.follower(&[&topic], Begin::Latest);
    assert_eq!(take(&mut second, 1), ["c"]);
    // When "the end" is looked up is not ours to know: written until one is seen.
    let seen = eventually("a new record", || {
        write_committed(&mut producer, &[record_at(&topic, 1, "new")]);
        poll(&mut second).records.first().map(text)
    });
    assert_eq!(seen, "new");
}

/// Two members own disjoint partitions; the one that stays takes over what the other leaves.
pub fn two_members_share_and_take_over<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 4);
    let (mut a, mut b) = (world.member("a", &[&topic]), world.member("b", &[&topic]));
    let (mut of_a, mut of_b) = (BTreeSet::new(), BTreeSet::new());
    eventually("both have a half", || {
        of_a = poll(&mut a)
            .assigned
            .map_or(of_a.clone(), BTreeSet::from_iter);
        of_b = poll(&mut b)
            .assigned
            .map_or(of_b.clone(), BTreeSet::from_iter);
        (of_a.len() == 2 && of_b.len() == 2).then_some(())
    });
    assert!(of_a.is_disjoint(&of_b));
    drop(b);
    join(&mut a, 4);
}

/// Another subscription brings another assignment.
pub fn subscribe_changes_the_assignment<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let (one, two) = (world.topic("one", 1), world.topic("two", 2));
    let mut log = world.member("p", &[&one]);
    assert_eq!(join(&mut log, 1), [Partition::new(&one, 0)]);
    log.subscribe(&[one.clone(), two.clone()])
        .expect("subscribe");
    join(&mut log, 3);
    log.subscribe(&[two]).expect("subscribe");
    join(&mut log, 2);
}

/// A poll brings no more records than asked for, ends with the one that reaches its bytes, and brings at least one however large.
pub fn a_poll_keeps_its_bounds<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let mut log = world.member("p", &[&topic]);
    join(&mut log, 1);
    let long = "x".repeat(1000);
    let records: Vec<_> = (0..10).map(|_| record(&topic, &long)).collect();
    write_committed(&mut log, &records);
    log.start(&Partition::new(&topic, 0), 0).expect("start");
    // A client that learns of a record's size by taking it may bring one record more than fits.
    for (records, bytes, most) in [(2, 1 << 20, 2), (10, 10, 1), (10, 2500, 3)] {
        let bounds = Bounds {
            records,
            bytes,
            wait: MOMENT,
        };
        let count = eventually("records", || {
            Some(log.poll(bounds).expect("poll").records.len()).filter(|count| *count > 0)
        });
        assert!(count <= most, "{count} records, {most} allowed");
    }
}
