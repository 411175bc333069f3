//! Transactions: what a committed, an aborted and a partly refused one leave behind.
//!
//! Absent on purpose: offsets (see [`super::offsets`]) and other producers (see [`super::fencing`]).

use connectors::log::{Class, Error, Log};
use schemas::record::{Outgoing, Partition};

use super::world::{World, read_all, record, record_at, write, write_aborted, write_committed};

/// A read_committed reader sees committed records and never aborted ones.
pub fn commits_show_and_aborts_do_not<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let mut log = world.producer("p");
    write_committed(&mut log, &[record(&topic, "a")]);
    write_aborted(&mut log, &[record(&topic, "b")]);
    write_committed(&mut log, &[record(&topic, "c"), record(&topic, "d")]);
    assert_eq!(
        read_all(&mut log, &Partition::new(topic, 0)),
        ["a", "c", "d"]
    );
}

/// Records of one partition are read in the order they were handed over, whatever other partitions get in between.
pub fn records_of_a_partition_keep_their_order<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 3);
    let mut log = world.producer("p");
    for round in 0..3 {
        let values = round * 60..(round + 1) * 60;
        let records: Vec<_> = values
            .map(|n| record_at(&topic, n % 3, &n.to_string()))
            .collect();
        write_committed(&mut log, &records);
    }
    for number in 0..3 {
        let expected: Vec<_> = (0..180)
            .filter(|n| n % 3 == number)
            .map(|n| n.to_string())
            .collect();
        assert_eq!(
            read_all(&mut log, &Partition::new(&topic, number)),
            expected
        );
    }
}

/// The offset of the record that was written last is known before the commit.
pub fn flush_tells_the_last_record_of_each_partition<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 2);
    let mut log = world.producer("p");
    write_committed(&mut log, &[record_at(&topic, 1, "before")]);
    log.begin().expect("begin");
    for (token, partition) in [(10, 0), (11, 0), (12, 1)] {
        log.produce(&record_at(&topic, partition, "x"), token)
            .expect("produce");
    }
    let deliveries = log.flush().expect("flush");
    let place = |token| {
        deliveries
            .iter()
            .find(|d| d.token == token)
            .map(|d| d.result.clone())
    };
    assert_eq!(place(11), Some(Ok((0, 1))));
    // A record and its marker stand before it.
    assert_eq!(place(12), Some(Ok((1, 2))));
    log.commit().expect("commit");
}

/// A record over the limit is told by its token; the others can be written after an abort.
pub fn a_record_too_large_is_named<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.named("small");
    let mut small = super::world::spec(&topic, 1);
    small
        .config
        .push(("max.message.bytes".to_owned(), "4096".to_owned()));
    world
        .plain()
        .create_topics(&[small])
        .expect("topic is created");
    let large: String = (0..2000_u32)
        .map(|n| format!("{:08x}", n.wrapping_mul(2_654_435_761)))
        .collect();
    check_is_named::<L>(&world, &topic, &record(&topic, &large));
}

/// A record for a topic that does not exist is told by its token; the others can be written after an abort.
pub fn an_unknown_topic_is_named<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    check_is_named::<L>(&world, &topic, &record(&world.named("nowhere"), "x"));
}

fn check_is_named<L: Log>(world: &World<L>, topic: &str, bad: &Outgoing) {
    let mut log = world.producer("p");
    let good = [record(topic, "a"), record(topic, "b")];
    assert_eq!(
        refused(&mut log, &[good[0].clone(), bad.clone(), good[1].clone()]),
        [1]
    );
    log.abort().expect("abort");
    write(&mut log, &good);
    log.commit().expect("commit");
    assert_eq!(read_all(&mut log, &Partition::new(topic, 0)), ["a", "b"]);
}

/// Begins, hands over, waits; answers the tokens of the records that were refused for what they are.
fn refused<L: Log>(log: &mut L, records: &[Outgoing]) -> Vec<u64> {
    log.begin().expect("begin");
    let mut tokens = Vec::new();
    let mut note = |token: u64, result: Result<(), Error>| match result {
        Err(error) if error.class() == Class::Record => tokens.push(token),
        _ => {}
    };
    for (token, record) in (0..).zip(records) {
        note(token, log.produce(record, token));
    }
    for delivery in log.flush().expect("flush") {
        note(delivery.token, delivery.result.map(|_| ()));
    }
    tokens
}
