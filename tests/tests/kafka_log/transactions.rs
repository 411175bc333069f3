//! Transactions: visibility, offsets, fencing, refused records.

use std::time::{Duration, Instant};

use connectors::log::{Error, Log};
use schemas::record::Partition;
use tests::harness::unique;

use crate::support::*;

#[test]
fn only_committed_records_are_read() {
    let mut log = writer();
    let topic = topic(&mut log, 1);
    commit(&mut log, &topic, &["a", "b"]);
    abort(&mut log, &topic, &["x"]);
    commit(&mut log, &topic, &["c"]);
    let partition = Partition::new(topic, 0);
    let end = log.extent(&partition).expect("an extent").end;
    let chunk = log
        .read(&partition, 0, end, 100, PATIENCE)
        .expect("a chunk");
    assert_eq!(values(&chunk.records), ["a", "b", "c"]);
    assert!(chunk.next >= end);
    let first = &chunk.records[0];
    assert_eq!(
        (first.key.as_deref(), first.headers.text("ce_id")),
        (Some(&b"key"[..]), Some("a"))
    );
}

#[test]
fn flush_tells_the_last_offset_of_each_partition() {
    let mut log = writer();
    let topic = topic(&mut log, 2);
    log.begin().expect("begun");
    let mut other = record(&topic, "z");
    other.partition = Some(1);
    log.produce(&other, 7).expect("handed over");
    let deliveries = write(&mut log, &topic, &["a", "b", "c"]);
    let mut told: Vec<_> = deliveries
        .iter()
        .map(|d| (d.token, d.result.clone()))
        .collect();
    told.sort_by_key(|d| d.0);
    assert_eq!(told, [(2, Ok((0, 2))), (7, Ok((1, 0)))]);
    assert!(
        !log.commit().expect("committed"),
        "nothing happened that taints it"
    );
}

#[test]
fn offsets_are_committed_with_their_metadata() {
    let mut log = open(&member_options(&unique("group"), "unused"));
    let topic = topic(&mut log, 1);
    log.subscribe(std::slice::from_ref(&topic))
        .expect("subscribed");
    let partition = owning(&mut log, 1).remove(0);
    assert_eq!(
        log.committed(&partition, PATIENCE)
            .expect("an answer")
            .offset,
        None
    );
    log.begin().expect("begun");
    write(&mut log, &topic, &["a"]);
    log.send_offsets(&[(partition.clone(), 41)], "owner-1")
        .expect("sent");
    let begin = Instant::now();
    assert_eq!(
        log.committed(&partition, Duration::from_millis(300)),
        Err(Error::Held)
    );
    assert!(begin.elapsed() < Duration::from_secs(2));
    log.commit().expect("committed");
    let committed = log.committed(&partition, PATIENCE).expect("an answer");
    assert_eq!(
        (committed.offset, committed.metadata.as_str()),
        (Some(41), "owner-1")
    );
}

#[test]
fn aborted_offsets_are_not_committed() {
    let mut log = open(&member_options(&unique("group"), "unused"));
    let topic = topic(&mut log, 1);
    log.subscribe(&[topic]).expect("subscribed");
    let partition = owning(&mut log, 1).remove(0);
    log.begin().expect("begun");
    log.send_offsets(&[(partition.clone(), 41)], "owner-1")
        .expect("sent");
    log.abort().expect("aborted");
    assert_eq!(
        log.committed(&partition, PATIENCE)
            .expect("an answer")
            .offset,
        None
    );
}

#[test]
fn an_overtaken_producer_cannot_commit() {
    let id = unique("tx");
    let mut old = open(&options(&id));
    let topic = topic(&mut old, 1);
    old.begin().expect("begun");
    write(&mut old, &topic, &["old"]);
    let mut new = open(&options(&id));
    let error = old.commit().expect_err("fenced");
    assert!(matches!(error, Error::Fenced { .. }), "{error}");
    commit(&mut new, &topic, &["new"]);
    let chunk = new
        .read(&Partition::new(topic.clone(), 0), 0, 100, 100, PATIENCE)
        .expect("a chunk");
    assert_eq!(values(&chunk.records), ["new"]);
    // Replacing makes it a new producer again, and fences the other.
    old.replace_producers().expect("replaced");
    commit(&mut old, &topic, &["again"]);
}

#[test]
fn a_fence_ends_what_a_dead_owner_left_open() {
    let id = unique("tx");
    let mut dead = open(&options(&id));
    let mut log = writer();
    let topic = topic(&mut log, 1);
    dead.begin().expect("begun");
    write(&mut dead, &topic, &["lost"]);
    let partition = Partition::new(topic, 0);
    let held = log.extent(&partition).expect("an extent");
    assert_eq!((held.stable_end, held.end), (0, 1));
    let begin = Instant::now();
    log.fence(&id).expect("fenced");
    println!("fencing an open transaction took {:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(3));
    let free = log.extent(&partition).expect("an extent");
    assert_eq!(free.stable_end, free.end);
}

#[test]
fn a_transaction_of_an_old_generation_is_refused() {
    let mut seed = writer();
    let topic = topic(&mut seed, 2);
    let group = unique("group");
    let mut first = open(&member_options(&group, &topic));
    let partition = owning(&mut first, 2).remove(0);
    let joiner = std::thread::spawn(move || {
        let mut second = open(&member_options(&group, &topic));
        owning(&mut second, 2);
        second
    });
    // The first one does not poll, so the group goes on without it.
    let second = joiner.join().expect("joined");
    first.begin().expect("begun");
    let sent = first.send_offsets(&[(partition, 1)], "first");
    let error = sent.expect_err("an old generation");
    assert!(matches!(error, Error::Generation { .. }), "{error}");
    first.abort().expect("aborted");
    drop(second);
}

#[test]
fn what_is_known_to_be_wrong_fails_at_once() {
    let mut log = writer();
    let topic = topic(&mut log, 1);
    log.begin().expect("begun");
    let begin = Instant::now();
    let unknown = log
        .produce(&record(&unique("missing"), "a"), 1)
        .expect_err("unknown topic");
    let mut beyond = record(&topic, "a");
    beyond.partition = Some(9);
    let beyond = log.produce(&beyond, 2).expect_err("unknown partition");
    let huge = log
        .produce(&record(&topic, &"x".repeat(17 << 20)), 3)
        .expect_err("too large");
    for error in [unknown, beyond, huge] {
        assert!(matches!(error, Error::Record { .. }), "{error}");
    }
    assert!(begin.elapsed() < Duration::from_secs(1));
    // Nothing was handed over, so the transaction goes on.
    write(&mut log, &topic, &["good"]);
    log.commit().expect("committed");
}

#[test]
fn a_record_above_the_topics_limit_is_named() {
    let mut log = writer();
    let topic = topic_with(&mut log, 1, &[("max.message.bytes", "10000")]);
    log.begin().expect("begun");
    let large = noise(50_000);
    log.produce(&record(&topic, &large), 5)
        .expect("handed over");
    let deliveries = log.flush().expect("accounted for");
    assert!(
        matches!(&deliveries[..], [d] if d.token == 5 && matches!(d.result, Err(Error::Record { .. }))),
        "{deliveries:?}"
    );
    assert!(log.commit().is_err(), "a refused record forbids the commit");
    log.abort().expect("aborted");
    commit(&mut log, &topic, &["small"]);
}

#[test]
fn small_records_in_a_batch_above_the_topics_limit_are_not_to_blame() {
    let mut log = writer();
    let topic = topic_with(&mut log, 1, &[("max.message.bytes", "10000")]);
    log.begin().expect("begun");
    for token in 0..200 {
        // The transaction may fail while it is being filled.
        if let Err(error) = log.produce(&record(&topic, &noise(3000)), token) {
            assert!(matches!(error, Error::Abortable { .. }), "{error}");
        }
    }
    let deliveries = log.flush().expect("accounted for");
    let refused = deliveries.iter().filter_map(|d| d.result.as_ref().err());
    let refused: Vec<&Error> = refused.collect();
    assert!(!refused.is_empty(), "they do not fit together");
    assert!(
        refused.iter().all(|e| matches!(e, Error::Abortable { .. })),
        "{:?}",
        refused[0]
    );
    log.abort().expect("aborted");
    commit(&mut log, &topic, &["small"]);
}

#[test]
fn a_plain_producer_goes_on_after_a_refused_record() {
    let mut log = writer();
    let topic = topic_with(&mut log, 1, &[("max.message.bytes", "10000")]);
    log.produce_plain(&record(&topic, &noise(50_000)), 1)
        .expect("handed over");
    let refused = log.deliveries_plain(PATIENCE);
    assert!(
        matches!(refused[0].result, Err(Error::Record { .. })),
        "{refused:?}"
    );
    log.produce_plain(&record(&topic, "small"), 2)
        .expect("handed over");
    let written = log.deliveries_plain(PATIENCE);
    assert_eq!((written[0].token, &written[0].result), (2, &Ok((0, 0))));
}

#[test]
fn a_deleted_topic_is_named() {
    let mut log = writer();
    let (gone, kept) = (topic(&mut log, 1), topic(&mut log, 1));
    commit(&mut log, &gone, &["a"]);
    delete(&gone);
    let begin = Instant::now();
    log.begin().expect("begun");
    let told = log
        .produce(&record(&gone, "b"), 9)
        .and_then(|()| log.flush());
    println!("a deleted topic: {told:?} after {:?}", begin.elapsed());
    let named = match told {
        Err(Error::Record { .. }) => true,
        Ok(all) => all
            .iter()
            .any(|d| d.token == 9 && matches!(d.result, Err(Error::Record { .. }))),
        Err(_) => false,
    };
    assert!(named);
    assert!(begin.elapsed() < Duration::from_secs(5));
    log.abort().expect("aborted");
    commit(&mut log, &kept, &["c"]);
}

#[test]
fn replacing_producers_forgets_the_open_transaction() {
    let mut log = writer();
    let topic = topic(&mut log, 1);
    log.begin().expect("begun");
    write(&mut log, &topic, &["lost"]);
    let begin = Instant::now();
    log.replace_producers().expect("replaced");
    println!("replace_producers took {:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(4));
    commit(&mut log, &topic, &["kept"]);
    let chunk = log
        .read(&Partition::new(topic, 0), 0, 100, 100, PATIENCE)
        .expect("a chunk");
    assert_eq!(values(&chunk.records), ["kept"]);
}

#[test]
fn plain_records_are_told_one_by_one() {
    let mut log = writer();
    let topic = topic(&mut log, 1);
    for token in 10..13 {
        log.produce_plain(&record(&topic, "p"), token)
            .expect("handed over");
    }
    let deliveries = log.deliveries_plain(PATIENCE);
    let told: Vec<_> = deliveries
        .iter()
        .map(|d| (d.token, d.result.clone()))
        .collect();
    assert_eq!(told, [(10, Ok((0, 0))), (11, Ok((0, 1))), (12, Ok((0, 2)))]);
    assert!(log.deliveries_plain(Duration::ZERO).is_empty());
}
