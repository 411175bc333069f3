//! What only the memory log has: its clock, its switches, compaction. The rest is the conformance suite's.

use super::*;
use crate::log::{Begin, Group};
use schemas::record::Headers;

const NOW: i64 = 1_700_000_000_000;

fn cluster() -> (MemoryCluster, ManualClock) {
    let clock = ManualClock::new(NOW);
    let cluster = MemoryCluster::with_clock(clock.clone());
    let mut log = open(&cluster, "setup", None);
    log.create_topics(&[spec("t", "delete"), spec("c", "compact")])
        .unwrap();
    (cluster, clock)
}

fn spec(name: &str, policy: &str) -> TopicSpec {
    TopicSpec {
        name: name.to_owned(),
        partitions: 2,
        config: vec![("cleanup.policy".to_owned(), policy.to_owned())],
    }
}

fn open(cluster: &MemoryCluster, id: &str, group: Option<&str>) -> MemoryLog {
    let options = Options {
        transactional_id: Some(id.to_owned()),
        group: group.map(|id| Group {
            id: id.to_owned(),
            topics: vec!["t".to_owned()],
            auto_start: Some(Begin::Earliest),
        }),
        ..Options::default()
    };
    MemoryLog::open(cluster, &options).unwrap()
}

fn record(topic: &str, key: &str, value: &str) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        partition: Some(0),
        key: Some(key.as_bytes().to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers: Headers::default(),
    }
}

fn now() -> Bounds {
    Bounds {
        records: 100,
        bytes: 1 << 20,
        wait: Duration::ZERO,
    }
}

fn values(log: &mut MemoryLog, topic: &str) -> Vec<String> {
    let chunk = log
        .read(&Partition::new(topic, 0), 0, i64::MAX, 1000, Duration::ZERO)
        .unwrap();
    let text = |r: Received| String::from_utf8(r.value.unwrap_or_default()).unwrap();
    chunk.records.into_iter().map(text).collect()
}

#[test]
fn a_marker_occupies_an_offset() {
    let (cluster, _) = cluster();
    let mut log = open(&cluster, "a", None);
    log.begin().unwrap();
    log.produce(&record("t", "k", "1"), 7).unwrap();
    log.commit().unwrap();
    let extent = log.extent(&Partition::new("t", 0)).unwrap();
    assert_eq!((extent.begin, extent.end, extent.stable_end), (0, 2, 2));
}

#[test]
fn a_transaction_open_for_too_long_is_aborted_and_its_producer_fenced() {
    let (cluster, clock) = cluster();
    let mut log = open(&cluster, "a", None);
    log.begin().unwrap();
    log.produce(&record("t", "k", "late"), 0).unwrap();
    log.produce_plain(&record("t", "k", "plain"), 0).unwrap();
    clock.advance(Duration::from_millis(4_999));
    assert!(values(&mut log, "t").is_empty());
    clock.advance(Duration::from_millis(1));
    assert_eq!(values(&mut log, "t"), ["plain"]);
    assert!(matches!(log.commit(), Err(Error::Fenced { .. })));
}

#[test]
fn a_member_that_does_not_poll_is_removed_when_others_poll() {
    let (cluster, clock) = cluster();
    let (mut a, mut b) = (
        open(&cluster, "a", Some("g")),
        open(&cluster, "b", Some("g")),
    );
    assert_eq!(a.poll(now()).unwrap().assigned.unwrap().len(), 2);
    assert_eq!(b.poll(now()).unwrap().assigned.unwrap().len(), 1);
    b.crash();
    assert_eq!(a.poll(now()).unwrap().assigned.unwrap().len(), 1);
    clock.advance(Duration::from_millis(9_999));
    assert_eq!(a.poll(now()).unwrap().assigned, None);
    clock.advance(Duration::from_millis(1));
    assert_eq!(a.poll(now()).unwrap().assigned.unwrap().len(), 2);
}

#[test]
fn a_removed_member_joins_again_with_its_next_poll() {
    let (cluster, clock) = cluster();
    let (mut a, mut b) = (
        open(&cluster, "a", Some("g")),
        open(&cluster, "b", Some("g")),
    );
    a.poll(now()).unwrap();
    b.poll(now()).unwrap();
    clock.advance(Duration::from_secs(11));
    assert_eq!(b.poll(now()).unwrap().assigned.unwrap().len(), 2);
    let stale = a.commit_offsets(&[(Partition::new("t", 0), 0)]);
    assert!(matches!(stale, Err(Error::Generation { .. })));
    assert_eq!(a.poll(now()).unwrap().assigned.unwrap().len(), 1);
}

#[test]
fn compaction_keeps_the_newest_committed_record_of_each_key() {
    let (cluster, _) = cluster();
    let mut log = open(&cluster, "a", None);
    let mut other = open(&cluster, "b", None);
    for (key, value) in [("x", "1"), ("y", "2"), ("x", "3")] {
        log.produce_plain(&record("c", key, value), 0).unwrap();
    }
    log.begin().unwrap();
    log.produce(&record("c", "y", "aborted"), 0).unwrap();
    log.abort().unwrap();
    other.begin().unwrap();
    other.produce(&record("c", "y", "open"), 0).unwrap();
    cluster.compact("c");
    assert_eq!(values(&mut log, "c"), ["2", "3"]);
    other.commit().unwrap();
    assert_eq!(values(&mut log, "c"), ["2", "3", "open"]);
    cluster.compact("c");
    assert_eq!(values(&mut log, "c"), ["3", "open"]);
}

#[test]
fn a_compacted_topic_takes_no_record_without_key() {
    let (cluster, _) = cluster();
    let mut log = open(&cluster, "a", None);
    let keyless = Outgoing {
        key: None,
        ..record("c", "", "v")
    };
    assert!(matches!(
        log.produce_plain(&keyless, 0),
        Err(Error::Record { .. })
    ));
}

#[test]
fn times_come_from_the_clock_and_never_go_back() {
    let (cluster, clock) = cluster();
    let mut log = open(&cluster, "a", None);
    for ms in [NOW + 5, NOW - 100, NOW + 9] {
        clock.set(ms);
        log.produce_plain(&record("t", "k", "v"), 0).unwrap();
    }
    let chunk = log
        .read(&Partition::new("t", 0), 0, 3, 9, Duration::ZERO)
        .unwrap();
    let times: Vec<i64> = chunk.records.iter().map(|r| r.timestamp_ms - NOW).collect();
    assert_eq!(times, [5, 5, 9]);
    assert_eq!(log.offset_at(&Partition::new("t", 0), NOW + 6).unwrap(), 2);
}

#[test]
fn a_closed_or_deleted_topic_takes_nothing() {
    let (cluster, _) = cluster();
    let mut log = open(&cluster, "a", None);
    cluster.set_writable("t", false);
    assert!(matches!(
        log.produce_plain(&record("t", "k", "v"), 0),
        Err(Error::Record { .. })
    ));
    cluster.set_writable("t", true);
    log.begin().unwrap();
    log.produce(&record("t", "k", "v"), 0).unwrap();
    cluster.delete_topic("t");
    assert!(matches!(
        log.produce(&record("t", "k", "v"), 0),
        Err(Error::Record { .. })
    ));
    assert!(matches!(log.commit(), Ok(false)));
    assert!(log.topic("t").unwrap().is_none());
}

#[test]
fn partitions_come_and_go_with_their_topic() {
    let (cluster, _) = cluster();
    let mut log = open(&cluster, "a", Some("g"));
    assert_eq!(log.poll(now()).unwrap().assigned.unwrap().len(), 2);
    cluster.delete_topic("t");
    assert_eq!(log.poll(now()).unwrap().assigned, Some(Vec::new()));
    log.create_topics(&[spec("t", "delete")]).unwrap();
    assert_eq!(log.poll(now()).unwrap().assigned.unwrap().len(), 2);
    log.create_topics(&[spec("unrelated", "delete")]).unwrap();
    assert_eq!(log.poll(now()).unwrap().assigned, None);
}

#[test]
fn what_retention_removed_is_out_of_range() {
    let (cluster, _) = cluster();
    let zero = Partition::new("t", 0);
    let mut log = open(&cluster, "a", Some("g"));
    log.poll(now()).unwrap();
    for value in ["1", "2"] {
        log.produce_plain(&record("t", "k", value), 0).unwrap();
    }
    cluster.truncate(&zero, 1);
    log.start(&zero, 0).unwrap();
    assert!(matches!(log.poll(now()), Err(Error::OutOfRange { .. })));
    log.start(&zero, 1).unwrap();
    assert_eq!(log.poll(now()).unwrap().records.len(), 1);
}

#[test]
fn a_producer_out_of_order_is_told_so() {
    let (cluster, _) = cluster();
    let mut log = open(&cluster, "a", None);
    assert!(matches!(log.commit(), Err(Error::Fatal { .. })));
    log.begin().unwrap();
    assert!(matches!(log.begin(), Err(Error::Fatal { .. })));
    assert!(matches!(log.poll(now()), Err(Error::Fatal { .. })));
}

#[test]
fn a_sleeper_is_woken_by_the_commit() {
    let (cluster, _) = cluster();
    let mut reader = open(&cluster, "r", Some("g"));
    reader.poll(now()).unwrap();
    let mut writer = open(&cluster, "w", None);
    writer.begin().unwrap();
    writer.produce(&record("t", "k", "v"), 0).unwrap();
    let thread = std::thread::spawn(move || {
        let wait = Duration::from_secs(20);
        reader.poll(Bounds { wait, ..now() }).unwrap().records.len()
    });
    writer.commit().unwrap();
    assert_eq!(thread.join().unwrap(), 1);
}

#[test]
fn a_member_that_missed_a_rebalance_commits_nothing_until_it_polls() {
    let (cluster, _) = cluster();
    let (mut a, mut b) = (
        open(&cluster, "a", Some("g")),
        open(&cluster, "b", Some("g")),
    );
    let offset = [(Partition::new("t", 0), 0)];
    a.poll(now()).unwrap();
    a.commit_offsets(&offset).unwrap();
    b.poll(now()).unwrap();
    a.begin().unwrap();
    let stale = a.send_offsets(&offset, "");
    assert!(matches!(stale, Err(Error::Generation { .. })));
    assert!(matches!(a.commit(), Err(Error::Abortable { .. })));
    a.abort().unwrap();
    a.poll(now()).unwrap();
    a.commit_offsets(&offset).unwrap();
}
