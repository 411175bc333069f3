//! Topics and the records in them: bytes, partitions, settings.
//!
//! Absent on purpose: deletion, which no code of Skald does.

use connectors::log::{Class, Log};
use schemas::record::{Headers, Outgoing, Partition, Received};

use super::world::{PATIENCE, World, eventually, read_all, record, records, spec, write_committed};

/// Keys, values and headers come back byte for byte, missing ones missing and empty ones empty.
pub fn a_record_comes_back_as_it_was_sent<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let mut log = world.producer("p");
    let headers = Headers::default()
        .with("a", "1")
        .with("b", [0, 255])
        .with("a", "")
        .with("Ä", "ö");
    let samples = [
        (None, None, Headers::default()),
        (Some(Vec::new()), Some(Vec::new()), headers.clone()),
        (Some(vec![0, 159]), None, headers),
        (None, Some(vec![255, 0]), Headers::default()),
    ];
    let sent = samples.map(|(key, value, headers)| Outgoing {
        key,
        value,
        headers,
        ..record(&topic, "")
    });
    write_committed(&mut log, &sent);
    let received = records(&mut log, &Partition::new(&topic, 0));
    let bytes = |r: Received| (r.key, r.value, r.headers);
    let expected: Vec<_> = sent
        .into_iter()
        .map(|r| (r.key, r.value, r.headers))
        .collect();
    assert_eq!(
        received.into_iter().map(bytes).collect::<Vec<_>>(),
        expected
    );
}

/// A record goes to the partition it names, whatever its key.
pub fn an_explicit_partition_is_honoured<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 3);
    let mut log = world.producer("p");
    for number in [2, 0, 1] {
        let record = super::world::record_at(&topic, number, &number.to_string());
        write_committed(&mut log, &[record]);
    }
    for number in 0..3 {
        let values = read_all(&mut log, &Partition::new(&topic, number));
        assert_eq!(values, [number.to_string()]);
    }
}

/// Without a partition the key decides as in Kafka's Java client.
pub fn keys_are_spread_as_java_does<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 7);
    let mut log = world.producer("p");
    // Keys and hashes of Kafka's own test.
    let hashes = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("abc", 479_470_107),
    ];
    for (key, hash) in hashes {
        let number = u32::try_from((hash & 0x7fff_ffff) % 7).expect("a partition");
        let keyed = Outgoing {
            key: Some(key.into()),
            partition: None,
            ..record(&topic, key)
        };
        write_committed(&mut log, &[keyed]);
        let values = read_all(&mut log, &Partition::new(&topic, number));
        assert!(values.contains(&key.to_owned()), "{key} is not in {number}");
    }
}

/// Creating a topic again changes nothing.
pub fn topics_are_created_once<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 2);
    let mut log = world.producer("p");
    write_committed(&mut log, &[record(&topic, "kept")]);
    let other = world.named("u");
    let again = [spec(&topic, 5), spec(&other, 1)];
    log.create_topics(&again)
        .expect("one is created, one is left alone");
    let count = eventually("both topics", || {
        log.topic(&other).expect("topic")?;
        Some(log.topic(&topic).expect("topic")?.partitions)
    });
    assert_eq!(count, 2);
    assert_eq!(read_all(&mut log, &Partition::new(&topic, 0)), ["kept"]);
    let names = log.topic_names(&world.name).expect("names");
    assert_eq!(names, [topic, other]);
}

/// A topic tells partitions, size limit and settings; a missing one is told as missing.
pub fn topics_tell_their_settings<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let name = world.named("t");
    let mut log = world.plain();
    assert!(log.topic(&name).expect("topic").is_none());
    let mut compacted = spec(&name, 3);
    for (key, value) in [
        ("cleanup.policy", "compact"),
        ("max.message.bytes", "70000"),
    ] {
        compacted.config.push((key.to_owned(), value.to_owned()));
    }
    log.create_topics(&[compacted]).expect("created");
    let info = eventually("the topic", || log.topic(&name).expect("topic"));
    assert_eq!((info.partitions, info.message_bytes_max), (3, Some(70_000)));
    let told = |key: &str, value: &str| info.config.contains(&(key.to_owned(), value.to_owned()));
    assert!(told("cleanup.policy", "compact"));
    assert!(told("message.timestamp.type", "LogAppendTime"));
}

/// Plain records are acknowledged one by one, refused ones named, and readable without a transaction.
pub fn plain_records_are_told_and_read<L: Log>(cluster: &L::Cluster) {
    let world = World::<L>::new(cluster);
    let topic = world.topic("t", 1);
    let mut log = world.plain();
    log.produce_plain(&record(&topic, "a"), 4).expect("produce");
    log.produce_plain(&record(&topic, "b"), 5).expect("produce");
    let refused = log.produce_plain(&record(&world.named("nowhere"), "x"), 6);
    let mut known = Vec::new();
    known.extend(refused.err().map(|error| (6, Err(error.class()))));
    eventually("deliveries", || {
        let told = log.deliveries_plain(PATIENCE).into_iter();
        known.extend(told.map(|d| (d.token, d.result.map_err(|error| error.class()))));
        (known.len() >= 3).then_some(())
    });
    known.sort_by_key(|(token, _)| *token);
    let expected = [(4, Ok((0, 0))), (5, Ok((0, 1))), (6, Err(Class::Record))];
    assert_eq!(known, expected);
    assert_eq!(read_all(&mut log, &Partition::new(&topic, 0)), ["a", "b"]);
}
