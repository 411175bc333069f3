//! Reading without a group.

use std::time::{Duration, Instant};

use connectors::log::{Error, Log};
use schemas::record::Partition;
use tests::harness::unique;

use crate::support::*;

#[test]
fn an_open_transaction_holds_up_the_end() {
    let mut log = writer();
    let mut other = writer();
    let topic = topic(&mut log, 1);
    commit(&mut log, &topic, &["a"]);
    other.begin().expect("begun");
    write(&mut other, &topic, &["open"]);
    commit(&mut log, &topic, &["behind"]);
    let partition = Partition::new(topic, 0);
    let extent = log.extent(&partition).expect("an extent");
    assert!(extent.stable_end < extent.end, "{extent:?}");
    let chunk = log
        .read(&partition, 0, extent.end, 100, Duration::from_millis(100))
        .expect("a chunk");
    assert_eq!(values(&chunk.records), ["a"]);
    assert_eq!(chunk.next, extent.stable_end);
    let begin = Instant::now();
    let held = log
        .read(
            &partition,
            chunk.next,
            extent.end,
            100,
            Duration::from_millis(100),
        )
        .expect("a chunk");
    assert_eq!((held.records.len(), held.next), (0, chunk.next));
    assert!(begin.elapsed() >= Duration::from_millis(100));
    other.abort().expect("aborted");
    let rest = log
        .read(&partition, held.next, extent.end, 100, PATIENCE)
        .expect("a chunk");
    assert_eq!(values(&rest.records), ["behind"]);
    assert!(rest.next >= extent.end);
}

#[test]
fn an_aborted_stretch_is_passed_without_records() {
    let mut log = writer();
    let topic = topic(&mut log, 1);
    abort(&mut log, &topic, &["x", "y"]);
    let partition = Partition::new(topic, 0);
    let end = log.extent(&partition).expect("an extent").end;
    let chunk = log
        .read(&partition, 0, end, 100, PATIENCE)
        .expect("a chunk");
    assert_eq!((chunk.records.len(), chunk.next), (0, end));
}

#[test]
fn a_long_read_goes_on_chunk_by_chunk() {
    let mut log = writer();
    let topic = topic(&mut log, 1);
    let text: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
    for part in text.chunks(500) {
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        commit(&mut log, &topic, &part);
        abort(&mut log, &topic, &part[..10]);
    }
    let partition = Partition::new(topic, 0);
    let end = log.extent(&partition).expect("an extent").end;
    let (mut next, mut read, mut calls) = (0, Vec::new(), 0);
    let begin = Instant::now();
    while next < end {
        let chunk = log
            .read(&partition, next, end, 64, PATIENCE)
            .expect("a chunk");
        assert!(chunk.next > next, "a read makes progress");
        assert!(chunk.records.len() <= 64);
        read.extend(values(&chunk.records));
        next = chunk.next;
        calls += 1;
    }
    println!("2000 records in {calls} reads took {:?}", begin.elapsed());
    assert_eq!(read, text);
}

#[test]
fn a_read_stops_before_its_end_of_range() {
    let mut log = writer();
    let topic = topic(&mut log, 1);
    commit(&mut log, &topic, &["a", "b", "c"]);
    let partition = Partition::new(topic, 0);
    let chunk = log.read(&partition, 0, 2, 100, PATIENCE).expect("a chunk");
    assert_eq!(
        (values(&chunk.records), chunk.next),
        (vec!["a".to_owned(), "b".to_owned()], 2)
    );
    let begin = Instant::now();
    let chunk = log
        .read(&partition, 2, 100, 100, PATIENCE)
        .expect("a chunk");
    println!("one seek and read took {:?}", begin.elapsed());
    assert_eq!(values(&chunk.records), ["c"]);
}

#[test]
fn a_reader_waits_for_what_comes() {
    let mut log = writer();
    let topic = topic(&mut log, 1);
    let partition = Partition::new(topic.clone(), 0);
    let reader = std::thread::spawn(move || {
        let mut log = writer();
        log.read(&partition, 0, 1, 1, PATIENCE).expect("a chunk")
    });
    commit(&mut log, &topic, &["a"]);
    let chunk = reader.join().expect("read");
    assert_eq!(values(&chunk.records), ["a"]);
}

#[test]
fn offsets_outside_of_the_partition_are_told() {
    let mut log = writer();
    let topic = topic(&mut log, 1);
    commit(&mut log, &topic, &["a"]);
    let partition = Partition::new(topic, 0);
    let error = log
        .read(&partition, 50, 60, 1, Duration::ZERO)
        .expect_err("beyond the end");
    assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
}

#[test]
fn times_lead_to_offsets() {
    let mut log = writer();
    let topic = topic_with(&mut log, 1, &[("message.timestamp.type", "LogAppendTime")]);
    commit(&mut log, &topic, &["a"]);
    let partition = Partition::new(topic.clone(), 0);
    let chunk = log.read(&partition, 0, 1, 1, PATIENCE).expect("a chunk");
    let time = chunk.records[0].timestamp_ms;
    assert_eq!(log.offset_at(&partition, time), Ok(0));
    let end = log.extent(&partition).expect("an extent").end;
    assert_eq!(log.offset_at(&partition, time + 3_600_000), Ok(end));
}

#[test]
fn a_missing_topic_is_not_a_records_fault() {
    let mut log = writer();
    let error = log
        .extent(&Partition::new(unique("missing"), 0))
        .expect_err("no such topic");
    assert!(matches!(error, Error::Unknown { .. }), "{error}");
}
