//! Builders of these tests.

use std::time::Duration;

use connectors::kafka::{KafkaCluster, KafkaLog};
use connectors::log::{Bounds, Delivery, Error, Group, Log, Options, Polled, Timeouts, TopicSpec};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use schemas::record::{Headers, Outgoing, Partition, Received};
use tests::harness::{self, Broker, eventually, unique};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// Short limits, as tests of take-over need them.
pub fn timeouts() -> Timeouts {
    Timeouts {
        transaction: Duration::from_millis(1500),
        session: Duration::from_secs(2),
        poll_interval: Duration::from_secs(10),
        request: Duration::from_secs(3),
    }
}

pub fn cluster() -> KafkaCluster {
    KafkaCluster::new(harness::kafka().address())
}

pub fn options(transactional_id: &str) -> Options {
    Options {
        client_id: unique("client"),
        group: None,
        transactional_id: Some(transactional_id.to_owned()),
        timeouts: timeouts(),
    }
}

pub fn member_options(group: &str, topic: &str) -> Options {
    Options {
        group: Some(Group {
            id: group.to_owned(),
            topics: vec![topic.to_owned()],
            auto_start: None,
        }),
        ..options(&unique("tx"))
    }
}

pub fn open(options: &Options) -> KafkaLog {
    KafkaLog::open(&cluster(), options).expect("the log opens")
}

pub fn open_at(broker: &Broker, options: &Options) -> KafkaLog {
    KafkaLog::open(&KafkaCluster::new(broker.address()), options).expect("the log opens")
}

pub fn writer() -> KafkaLog {
    open(&options(&unique("tx")))
}

pub fn topic(log: &mut KafkaLog, partitions: u32) -> String {
    topic_with(log, partitions, &[])
}

pub fn topic_with(log: &mut KafkaLog, partitions: u32, config: &[(&str, &str)]) -> String {
    let name = unique("topic");
    let config = config
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let spec = TopicSpec {
        name: name.clone(),
        partitions,
        config: config.collect(),
    };
    log.create_topics(&[spec]).expect("the topic is created");
    name
}

pub fn record(topic: &str, value: &str) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        partition: Some(0),
        key: Some(b"key".to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers: Headers::default().with("ce_id", value),
    }
}

pub fn write(log: &mut KafkaLog, topic: &str, values: &[&str]) -> Vec<Delivery> {
    for (token, value) in values.iter().enumerate() {
        log.produce(&record(topic, value), token as u64)
            .expect("handed over");
    }
    log.flush().expect("accounted for")
}

/// One committed transaction.
pub fn commit(log: &mut KafkaLog, topic: &str, values: &[&str]) {
    log.begin().expect("begun");
    let deliveries = write(log, topic, values);
    assert!(
        deliveries.iter().all(|d| d.result.is_ok()),
        "{deliveries:?}"
    );
    log.commit().expect("committed");
}

/// One aborted transaction.
pub fn abort(log: &mut KafkaLog, topic: &str, values: &[&str]) {
    log.begin().expect("begun");
    write(log, topic, values);
    log.abort().expect("aborted");
}

pub fn values(records: &[Received]) -> Vec<String> {
    let text =
        |r: &Received| String::from_utf8_lossy(r.value.as_deref().unwrap_or_default()).into_owned();
    records.iter().map(text).collect()
}

pub fn bounds(wait: Duration) -> Bounds {
    Bounds {
        records: 1000,
        bytes: 1 << 20,
        wait,
    }
}

pub fn poll(log: &mut KafkaLog) -> Result<Polled, Error> {
    log.poll(bounds(Duration::from_millis(100)))
}

/// Polls until the assignment has `count` partitions.
pub fn owning(log: &mut KafkaLog, count: usize) -> Vec<Partition> {
    eventually("an assignment", PATIENCE, || {
        let assigned = poll(log).expect("a poll").assigned;
        assigned.filter(|partitions| partitions.len() == count)
    })
}

/// Polls until there are `count` values.
pub fn take(log: &mut KafkaLog, count: usize) -> Vec<String> {
    let mut taken = Vec::new();
    eventually("records", PATIENCE, || {
        taken.extend(values(&poll(log).expect("a poll").records));
        (taken.len() >= count).then_some(())
    });
    taken
}

pub fn nobody(log: &mut KafkaLog) {
    let polled = log
        .poll(bounds(Duration::from_millis(400)))
        .expect("a poll");
    assert_eq!(values(&polled.records), Vec::<String>::new());
}

/// Text that does not compress.
pub fn noise(bytes: usize) -> String {
    let mut state = 1u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((state >> 33) % 90).expect("below 90"))
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// Deletes a topic behind the log's back.
pub fn delete(topic: &str) {
    let mut config = rdkafka::ClientConfig::new();
    let config = config.set("bootstrap.servers", harness::kafka().address());
    let admin: AdminClient<DefaultClientContext> = config.create().expect("a client");
    // It is enough to start the deletion; the probe tells when it is done.
    let deletion = admin.delete_topics(&[topic], &AdminOptions::new());
    let mut log = writer();
    eventually("the topic is gone", PATIENCE, || {
        log.topic(topic).expect("an answer").is_none().then_some(())
    });
    drop(deletion);
}
