//! Membership: silence before the start, seeks, rebalances, automatic starts.

use std::time::Duration;

use connectors::log::{Begin, Error, Group, Log, Options};
use tests::harness::{eventually, unique};

use crate::support::*;

#[test]
fn nothing_is_delivered_before_the_start() {
    let mut log = open(&member_options(&unique("group"), "unused"));
    let topic = topic(&mut log, 1);
    commit(&mut log, &topic, &["a", "b", "c"]);
    log.subscribe(std::slice::from_ref(&topic))
        .expect("subscribed");
    let partition = owning(&mut log, 1).remove(0);
    commit(&mut log, &topic, &["d"]);
    nobody(&mut log);
    log.start(&partition, 1).expect("started");
    assert_eq!(take(&mut log, 3), ["b", "c", "d"]);
}

#[test]
fn a_started_partition_can_be_paused_and_started_elsewhere() {
    let mut log = open(&member_options(&unique("group"), "unused"));
    let topic = topic(&mut log, 1);
    commit(&mut log, &topic, &["a", "b", "c"]);
    log.subscribe(std::slice::from_ref(&topic))
        .expect("subscribed");
    let partition = owning(&mut log, 1).remove(0);
    for _ in 0..3 {
        log.start(&partition, 0).expect("started");
        assert_eq!(take(&mut log, 3), ["a", "b", "c"]);
    }
    log.start(&partition, 0).expect("started");
    log.pause(&partition).expect("paused");
    nobody(&mut log);
    log.start(&partition, 2).expect("started");
    assert_eq!(take(&mut log, 1), ["c"]);
}

#[test]
fn bounds_hold_and_nothing_is_lost_between_polls() {
    let mut log = open(&member_options(&unique("group"), "unused"));
    let topic = topic(&mut log, 1);
    commit(&mut log, &topic, &["a", "b", "c", "d"]);
    log.subscribe(&[topic]).expect("subscribed");
    let partition = owning(&mut log, 1).remove(0);
    log.start(&partition, 0).expect("started");
    let mut taken = Vec::new();
    let few = connectors::log::Bounds {
        records: 3,
        bytes: 6,
        wait: Duration::from_millis(100),
    };
    eventually("all records", PATIENCE, || {
        let polled = log.poll(few).expect("a poll");
        assert!(polled.records.len() <= 2, "4 bytes each, 6 at most: two");
        taken.extend(values(&polled.records));
        (taken.len() == 4).then_some(())
    });
    assert_eq!(taken, ["a", "b", "c", "d"]);
}

#[test]
fn an_offset_out_of_range_is_told_and_can_be_mended() {
    let mut log = open(&member_options(&unique("group"), "unused"));
    let topic = topic(&mut log, 1);
    commit(&mut log, &topic, &["a"]);
    log.subscribe(&[topic]).expect("subscribed");
    let partition = owning(&mut log, 1).remove(0);
    for _ in 0..2 {
        log.start(&partition, 1000).expect("started");
        let error = eventually("an error", PATIENCE, || poll(&mut log).err());
        assert!(
            matches!(&error, Error::OutOfRange { partition: p, .. } if *p == partition),
            "{error}"
        );
        log.start(&partition, 0).expect("started");
        assert_eq!(take(&mut log, 1), ["a"]);
    }
}

#[test]
fn partitions_move_to_a_new_member_and_back() {
    let mut seed = writer();
    let topic = topic(&mut seed, 2);
    let group = unique("group");
    let mut first = open(&member_options(&group, &topic));
    owning(&mut first, 2);
    let mut second = open(&member_options(&group, &topic));
    let (mut of_first, mut of_second) = (None, None);
    eventually("one partition each", PATIENCE, || {
        of_first = poll(&mut first)
            .expect("a poll")
            .assigned
            .or(of_first.take());
        of_second = poll(&mut second)
            .expect("a poll")
            .assigned
            .or(of_second.take());
        let one = |a: &Option<Vec<_>>| a.as_ref().is_some_and(|p| p.len() == 1);
        (one(&of_first) && one(&of_second)).then_some(())
    });
    assert_ne!(of_first, of_second);
    let mine = of_second.expect("assigned").remove(0);
    let error = first.start(&mine, 0).expect_err("not ours any more");
    assert!(matches!(error, Error::Generation { .. }), "{error}");
    let begin = std::time::Instant::now();
    drop(second);
    println!("leaving took {:?}", begin.elapsed());
    owning(&mut first, 2);
    println!("owned again {:?} after the leave began", begin.elapsed());
}

fn participant(group: &str, topic: &str, begin: Begin) -> Options {
    Options {
        group: Some(Group {
            id: group.to_owned(),
            topics: vec![topic.to_owned()],
            auto_start: Some(begin),
        }),
        transactional_id: None,
        ..options("")
    }
}

#[test]
fn participants_begin_by_themselves_and_go_on_where_they_were() {
    let mut seed = writer();
    let topic = topic(&mut seed, 1);
    commit(&mut seed, &topic, &["a", "b"]);
    let group = unique("group");
    let mut log = open(&participant(&group, &topic, Begin::Earliest));
    assert_eq!(take(&mut log, 2), ["a", "b"]);
    let partition = schemas::record::Partition::new(topic.clone(), 0);
    log.commit_offsets(&[(partition.clone(), 1)])
        .expect("committed");
    assert_eq!(
        log.committed(&partition, PATIENCE)
            .expect("an answer")
            .offset,
        Some(1)
    );
    drop(log);
    let mut again = open(&participant(&group, &topic, Begin::Latest));
    assert_eq!(take(&mut again, 1), ["b"]);
}

#[test]
fn participants_may_begin_at_the_end() {
    let mut seed = writer();
    let topic = topic(&mut seed, 1);
    commit(&mut seed, &topic, &["a"]);
    let mut log = open(&participant(&unique("group"), &topic, Begin::Latest));
    owning(&mut log, 1);
    commit(&mut seed, &topic, &["b"]);
    assert_eq!(take(&mut log, 1), ["b"]);
}
