//! Brokers that are away, die or freeze.

use std::time::{Duration, Instant};

use connectors::kafka::{KafkaCluster, KafkaLog};
use connectors::log::{Class, Error, Log, Options, Timeouts};
use schemas::record::Partition;
use tests::harness::{Broker, eventually, unique};

use crate::support::*;

#[test]
fn an_unreachable_broker_is_named() {
    let cluster = KafkaCluster::new("127.0.0.1:9");
    let begin = Instant::now();
    let error = KafkaLog::open(&cluster, &options("tx"))
        .err()
        .expect("nobody is there");
    assert!(
        matches!(&error, Error::Unknown { reason } if reason.contains("127.0.0.1:9")),
        "{error}"
    );
    assert!(begin.elapsed() < Duration::from_secs(6));
}

#[test]
fn a_broker_killed_within_a_transaction_leaves_doubt_and_then_recovers() {
    let broker = Broker::start();
    let mut log = open_at(&broker, &options(&unique("tx")));
    let topic = topic(&mut log, 1);
    commit(&mut log, &topic, &["before"]);
    log.begin().expect("begun");
    write(&mut log, &topic, &["during"]);
    broker.kill9();
    let begin = Instant::now();
    let error = log.commit().expect_err("nobody answers");
    println!(
        "commit without a broker: {error} after {:?}",
        begin.elapsed()
    );
    assert_eq!(error.class(), Class::Doubt, "{error}");
    assert!(begin.elapsed() < Duration::from_secs(8));
    let begin = Instant::now();
    let error = log.replace_producers().expect_err("nobody answers");
    println!(
        "replace_producers without a broker: {error} after {:?}",
        begin.elapsed()
    );
    assert_eq!(error.class(), Class::Doubt, "{error}");
    assert_eq!(log.begin().expect_err("no producer").class(), Class::Doubt);
    broker.restart();
    eventually("producers", PATIENCE, || log.replace_producers().ok());
    commit(&mut log, &topic, &["after"]);
    let partition = Partition::new(topic, 0);
    let end = log.extent(&partition).expect("an extent").end;
    let read = eventually("a read", PATIENCE, || {
        log.read(&partition, 0, end, 100, PATIENCE).ok()
    });
    let read = values(&read.records);
    assert!(
        read == ["before", "after"] || read == ["before", "during", "after"],
        "{read:?}"
    );
}

#[test]
fn a_commit_across_a_restart_is_tainted() {
    let broker = Broker::start();
    let patient = Timeouts {
        transaction: Duration::from_secs(60),
        request: Duration::from_secs(40),
        ..timeouts()
    };
    let mut log = open_at(
        &broker,
        &Options {
            timeouts: patient,
            ..options(&unique("tx"))
        },
    );
    let topic = topic(&mut log, 1);
    log.begin().expect("begun");
    write(&mut log, &topic, &["a"]);
    broker.kill9();
    std::thread::scope(|scope| {
        scope.spawn(|| broker.restart());
        assert_eq!(log.commit(), Ok(true));
    });
    log.replace_producers().expect("replaced");
    log.begin().expect("begun");
    write(&mut log, &topic, &["b"]);
    assert_eq!(log.commit(), Ok(false));
}

#[test]
fn a_frozen_broker_leaves_doubt_within_bounds() {
    let broker = Broker::start();
    let mut log = open_at(&broker, &member_options(&unique("group"), "unused"));
    let topic = topic(&mut log, 1);
    log.subscribe(std::slice::from_ref(&topic))
        .expect("subscribed");
    let partition = owning(&mut log, 1).remove(0);
    commit(&mut log, &topic, &["before"]);
    log.begin().expect("begun");
    broker.freeze();
    for token in 0..3 {
        log.produce(&record(&topic, "during"), token)
            .expect("handed over");
    }
    let bounded = |what: &str, begin: Instant, told: String| {
        println!(
            "{what} with a frozen broker: {told} after {:?}",
            begin.elapsed()
        );
        assert!(begin.elapsed() < Duration::from_secs(12), "{what}");
    };
    let begin = Instant::now();
    let flushed = log.flush();
    let doubt = flushed
        .as_ref()
        .map_or(true, |all| all.iter().all(|d| d.result.is_err()));
    assert!(doubt, "{flushed:?}");
    bounded("flush", begin, format!("{flushed:?}"));
    let begin = Instant::now();
    bounded(
        "send_offsets",
        begin,
        format!("{:?}", log.send_offsets(&[(partition.clone(), 1)], "m")),
    );
    let begin = Instant::now();
    bounded("commit", begin, format!("{:?}", log.commit()));
    let begin = Instant::now();
    bounded("abort", begin, format!("{:?}", log.abort()));
    let begin = Instant::now();
    bounded(
        "committed",
        begin,
        format!(
            "{:?}",
            log.committed(&partition, Duration::from_millis(300))
        ),
    );
    let begin = Instant::now();
    bounded(
        "commit_offsets",
        begin,
        format!("{:?}", log.commit_offsets(&[(partition.clone(), 1)])),
    );
    let begin = Instant::now();
    bounded("extent", begin, format!("{:?}", log.extent(&partition)));
    let begin = Instant::now();
    bounded(
        "topic",
        begin,
        format!("{:?}", log.topic(&topic).map(|t| t.map(|t| t.partitions))),
    );
    let begin = Instant::now();
    bounded(
        "replace_producers",
        begin,
        format!("{:?}", log.replace_producers()),
    );
    let begin = Instant::now();
    drop(log);
    bounded("drop", begin, String::new());
    broker.thaw();
    let cluster = KafkaCluster::new(broker.address());
    let mut log = eventually("a broker that woke up", PATIENCE, || {
        KafkaLog::open(&cluster, &options(&unique("tx"))).ok()
    });
    commit(&mut log, &topic, &["after"]);
    let end = log.extent(&partition).expect("an extent").end;
    let read = log
        .read(&partition, 0, end, 100, PATIENCE)
        .expect("a chunk");
    println!("read after the thaw: {:?}", values(&read.records));
    assert!(!values(&read.records).contains(&"during".to_owned()) || read.next < end);
}
