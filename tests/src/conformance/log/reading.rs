//! Reading without group: how far it goes and what it tells.
//!
//! Absent on purpose: membership (see [`super::group`]).

use connectors::log::{Extent, Log};
use schemas::record::Partition;

use super::world::{
    MOMENT, World, eventually, read_all, record, records, settled, text, write, write_aborted,
    write_committed,
};

/// The end sampled behind an open transaction is not reached until the transaction ends.
pub fn a_read_does_not_pass_an_open_transaction<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let (mut open, mut log) = (world.producer("open"), world.producer("p"));
    write_committed(&mut log, &[record(&topic, "before")]);
    settled(&mut log, &zero);
    write(&mut open, &[record(&topic, "open")]);
    write_committed(&mut log, &[record(&topic, "behind")]);
    let end = log.extent(&zero).expect("extent").end;
    let mut next = 0;
    let mut values = Vec::new();
    for _ in 0..5 {
        let chunk = log.read(&zero, next, end, 10, MOMENT).expect("read");
        next = chunk.next;
        values.extend(chunk.records.iter().map(text));
    }
    assert_eq!((values, next), (vec!["before".to_owned()], 2));
    open.commit().expect("commit");
    settled(&mut log, &zero);
    assert_eq!(read_all(&mut log, &zero), ["before", "open", "behind"]);
}

/// Aborted records and markers bring no records, but the position passes them.
pub fn a_read_passes_what_was_aborted<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let mut log = world.producer("p");
    write_aborted(&mut log, &[record(&topic, "a"), record(&topic, "b")]);
    settled(&mut log, &zero);
    let end = eventually("marker", || {
        Some(log.extent(&zero).expect("extent").end).filter(|end| *end == 3)
    });
    let next = eventually("the end", || {
        let chunk = log.read(&zero, 0, end, 10, MOMENT).expect("read");
        assert!(chunk.records.is_empty());
        (chunk.next >= end).then_some(chunk.next)
    });
    assert_eq!(next, end);
}

/// A read stays within [from, to) and below its number of records.
pub fn a_read_keeps_its_bounds<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let mut log = world.producer("p");
    let all: Vec<_> = (0..20).map(|n| record(&topic, &n.to_string())).collect();
    write_committed(&mut log, &all);
    settled(&mut log, &zero);
    let (mut next, mut values) = (5, Vec::new());
    eventually("offset 12", || {
        let chunk = log.read(&zero, next, 12, 3, MOMENT).expect("read");
        assert!(chunk.records.len() <= 3);
        next = chunk.next;
        values.extend(chunk.records.iter().map(text));
        (next >= 12).then_some(())
    });
    let expected: Vec<_> = (5..12).map(|n| n.to_string()).collect();
    assert_eq!(values, expected);
}

/// Beginning, end, and the stable end that an open transaction holds back.
pub fn an_extent_tells_beginning_and_ends<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let mut log = world.producer("p");
    check_extent(&mut log, &zero, (0, 0, 0));
    write(&mut log, &[record(&topic, "a"), record(&topic, "b")]);
    check_extent(&mut log, &zero, (0, 2, 0));
    log.commit().expect("commit");
    check_extent(&mut log, &zero, (0, 3, 3));
}

fn check_extent<L: Log>(
    log: &mut L,
    partition: &Partition,
    (begin, end, stable_end): (i64, i64, i64),
) {
    let expected = Extent {
        begin,
        end,
        stable_end,
    };
    eventually(&format!("{expected:?}"), || {
        let seen = log.extent(partition).expect("extent");
        (seen == expected).then_some(())
    });
}

/// The first record at or after a time; the end if there is none.
pub fn offset_at_finds_the_first_record_of_a_time<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let zero = Partition::new(&topic, 0);
    let mut log = world.plain();
    // Written until the clock has moved on between two of them.
    let all = eventually("a later record", || {
        log.produce_plain(&record(&topic, "x"), 0).expect("produce");
        let sent = log.deliveries_plain(super::world::PATIENCE);
        assert!(sent.iter().all(|delivery| delivery.result.is_ok()));
        let all = records(&mut log, &zero);
        (all.last()?.timestamp_ms > all.first()?.timestamp_ms).then_some(all)
    });
    let last = all.last().expect("two records at least");
    assert_eq!(log.offset_at(&zero, 0), Ok(0));
    assert_eq!(log.offset_at(&zero, last.timestamp_ms), Ok(last.offset));
    assert_eq!(
        log.offset_at(&zero, last.timestamp_ms + 1),
        Ok(last.offset + 1)
    );
}
