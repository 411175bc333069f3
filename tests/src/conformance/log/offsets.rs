//! Committed offsets: pending, committed, aborted, stale.
//!
//! Absent on purpose: expiry of offsets, which takes days.

use std::time::Duration;

use connectors::log::{Committed, Error, Log, Timeouts};
use schemas::record::Partition;

use super::world::{MOMENT, PATIENCE, World, eventually, join, poll, read_all, record, write};

/// While a transaction with offsets is open the answer is held; then it has offset and metadata.
pub fn offsets_are_held_until_the_commit<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 2);
    let zero = Partition::new(&topic, 0);
    let mut log = world.member("p", &[&topic]);
    join(&mut log, 2);
    assert_eq!(log.committed(&zero, PATIENCE), Ok(Committed::default()));
    write(&mut log, &[record(&topic, "x")]);
    log.send_offsets(&[(zero.clone(), 7)], "written by p")
        .expect("offsets");
    assert_eq!(log.committed(&zero, MOMENT), Err(Error::Held));
    log.commit().expect("commit");
    let expected = Committed {
        offset: Some(7),
        metadata: "written by p".to_owned(),
    };
    assert_eq!(log.committed(&zero, PATIENCE), Ok(expected));
    let other = Partition::new(&topic, 1);
    assert_eq!(log.committed(&other, PATIENCE), Ok(Committed::default()));
}

/// Offsets of an aborted transaction are forgotten; the earlier ones stay.
pub fn aborted_offsets_do_not_count<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let mut log = world.member("p", &[&topic]);
    join(&mut log, 1);
    for (offset, commit) in [(3, true), (9, false)] {
        write(&mut log, &[record(&topic, "x")]);
        log.send_offsets(&[(zero.clone(), offset)], "m")
            .expect("offsets");
        if commit {
            log.commit().expect("commit");
        } else {
            log.abort().expect("abort");
        }
    }
    let committed = log.committed(&zero, PATIENCE).expect("stable");
    assert_eq!(committed.offset, Some(3));
}

/// A member without transactions commits its offsets plainly.
pub fn offsets_can_be_committed_without_transaction<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let mut log = world.member("p", &[&topic]);
    join(&mut log, 1);
    log.commit_offsets(&[(zero.clone(), 5)]).expect("offsets");
    let committed = log.committed(&zero, PATIENCE).expect("stable");
    assert_eq!(committed.offset, Some(5));
}

/// A member that the group has moved on from commits no offsets, neither in a transaction nor outside.
pub fn a_stale_generation_is_refused<L: Log>(cluster: &L::Cluster) {
    let mut world = World::<L>::new(cluster);
    world.timeouts = Timeouts {
        transaction: Duration::from_millis(1500),
        session: Duration::from_secs(2),
        poll_interval: Duration::from_secs(3),
        ..Timeouts::default()
    };
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let mut stale = world.member("stale", &[&topic]);
    join(&mut stale, 1);
    // From here on the first member does not poll, so the second gets the partition.
    let mut heir = world.member("heir", &[&topic]);
    eventually("take-over", || {
        poll(&mut heir).assigned.filter(|a| a.len() == 1)
    });
    check_stale(stale.commit_offsets(&[(zero.clone(), 1)]));
    write(&mut stale, &[record(&topic, "stale")]);
    check_stale(stale.send_offsets(&[(zero.clone(), 1)], "stale"));
    stale.abort().expect("abort");
    assert_eq!(heir.committed(&zero, PATIENCE), Ok(Committed::default()));
    assert!(read_all(&mut heir, &zero).is_empty());
}

fn check_stale(result: Result<(), Error>) {
    assert!(
        matches!(result, Err(Error::Generation { .. })),
        "not stale: {result:?}"
    );
}
