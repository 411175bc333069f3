//! Transactional ids: who may still write.
//!
//! Absent on purpose: generations of groups (see [`super::offsets`]).

use std::time::Duration;

use connectors::log::{Error, Log, Timeouts};
use schemas::record::{Outgoing, Partition};

use super::world::{
    World, attempt, eventually, join, poll, read_all, record, settled, write, write_committed,
};

/// A second producer of the same id aborts what the first has open and ends its right to write.
pub fn a_newer_producer_fences_the_older<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let mut older = world.producer("p");
    write_committed(&mut older, &[record(&topic, "first")]);
    write(&mut older, &[record(&topic, "open")]);
    let mut newer = world.producer("p");
    settled(&mut newer, &zero);
    check_fenced(older.commit());
    older.replace_producers().expect("replaced");
    // Now the first is the newest.
    check_fenced(refused_attempt(&mut newer, &record(&topic, "fenced")));
    write_committed(&mut older, &[record(&topic, "last")]);
    assert_eq!(read_all(&mut older, &zero), ["first", "last"]);
}

/// `fence` aborts what an owner that died left open.
pub fn fence_ends_the_transaction_of_a_dead_owner<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let mut dead = world.producer("dead");
    write(&mut dead, &[record(&topic, "left open")]);
    let mut log = world.producer("alive");
    write_committed(&mut log, &[record(&topic, "behind")]);
    let extent = log.extent(&zero).expect("extent");
    assert_eq!(extent.stable_end, 0);
    log.fence(&world.named("dead")).expect("fence");
    settled(&mut log, &zero);
    assert_eq!(read_all(&mut log, &zero), ["behind"]);
    check_fenced(dead.commit());
    write_committed(&mut log, &[record(&topic, "after")]);
}

/// Replaced producers abort what was open; the member keeps its partitions and its generation.
pub fn replaced_producers_abort_and_stay_in_the_group<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let mut log = world.member("p", &[&topic]);
    join(&mut log, 1);
    write(&mut log, &[record(&topic, "open")]);
    log.replace_producers().expect("replaced");
    settled(&mut log, &zero);
    for _ in 0..5 {
        assert_eq!(poll(&mut log).assigned, None);
    }
    write(&mut log, &[record(&topic, "kept")]);
    log.send_offsets(&[(zero.clone(), 1)], "m")
        .expect("same generation");
    log.commit().expect("commit");
    assert_eq!(read_all(&mut log, &zero), ["kept"]);
}

/// A transaction that is open for longer than its limit is aborted without anybody asking, and cannot be committed any more.
pub fn a_transaction_open_too_long_is_aborted<L: Log>(cluster: &L::Cluster) {
    let mut world = World::<L>::new(cluster);
    world.timeouts = Timeouts {
        transaction: Duration::from_millis(1500),
        ..Timeouts::default()
    };
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let mut slow = world.producer("p");
    write(&mut slow, &[record(&topic, "late")]);
    let mut log = world.plain();
    eventually("abort by timeout", || {
        let extent = log.extent(&zero).expect("extent");
        let chunk = log
            .read(&zero, 0, extent.end, 10, super::world::MOMENT)
            .expect("read");
        (chunk.next >= extent.end && extent.end == 2).then_some(())
    });
    assert!(slow.commit().is_err());
    assert!(read_all(&mut log, &zero).is_empty());
}

/// A client may learn from its records only that the transaction is lost; then the abort says why.
fn refused_attempt<L: Log>(log: &mut L, record: &Outgoing) -> Result<(), Error> {
    match attempt(log, record) {
        Err(Error::Abortable { .. }) => log.abort(),
        result => result,
    }
}

fn check_fenced<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(
        matches!(result, Err(Error::Fenced { .. })),
        "not fenced: {result:?}"
    );
}
