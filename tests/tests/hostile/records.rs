//! Records: events, the inbox, dead letters, what is stored and what is signed.

use schemas::event::{self, Format, NoSchemas};
use schemas::record::{Headers, Outgoing, Received};
use schemas::signature::{self, Keys};
use schemas::topics::Topics;
use schemas::{bundle, dead_letter, inbox, journal, redrive, state};

use crate::corpus::run;

#[test]
fn events() {
    run("event", |entry| {
        let format = entry.fields["format"].as_str();
        let format: Option<Format> = format.map(|text| text.parse().expect("a format"));
        let record = entry.record("orders");
        let read = event::decode(&record, format.as_ref(), &NoSchemas);
        read.map(|_| String::new())
            .map_err(|error| set_aside(&record, &error))
    });
}

#[test]
fn the_inbox() {
    run("inbox", |entry| {
        let record = entry.record("shop.inbox");
        let read = inbox::decode(&record);
        read.map(|_| String::new())
            .map_err(|error| set_aside(&record, &error))
    });
}

/// Whatever it was, it can be set aside, and what was set aside can be read.
fn set_aside(record: &Received, error: &dyn std::fmt::Display) -> String {
    let message = error.to_string();
    let cause = dead_letter::Cause {
        class: "undecodable".to_owned(),
        message: message.clone(),
        ..dead_letter::Cause::default()
    };
    let names = Topics::new("shop").expect("a name");
    let letter = dead_letter::encode(&names, record, &cause);
    assert!(letter.size() <= dead_letter::RECORD_BYTES_MAX);
    let letter = dead_letter::decode(&letter.received(0, 1, 1)).expect("a dead letter");
    assert_eq!(
        (letter.partition, letter.offset),
        (record.partition.clone(), record.offset)
    );
    message
}

#[test]
fn dead_letters() {
    run("dead-letter", |entry| {
        let read = dead_letter::decode(&entry.record("orders.dlq"));
        read.map(|_| String::new())
            .map_err(|error| error.to_string())
    });
}

#[test]
fn redriven_records() {
    run("redrive", |entry| {
        let read = redrive::decode(&entry.record("shop.redrive"));
        read.map(|_| String::new())
            .map_err(|error| error.to_string())
    });
}

#[test]
fn documents() {
    run("state", |entry| {
        let _ = state::Header::parse(&entry.input());
        let read = state::decode(&entry.input());
        read.map(|_| String::new())
            .map_err(|error| error.to_string())
    });
}

#[test]
fn bundles() {
    run("bundle", |entry| {
        let read = bundle::decode(&entry.record("shop.definitions"));
        read.map(|_| String::new())
            .map_err(|error| error.to_string())
    });
}

#[test]
fn the_journal() {
    run("journal", |entry| {
        let read = journal::decode(&entry.record("shop.journal"));
        read.map(|_| String::new())
            .map_err(|error| error.to_string())
    });
}

fn keys(list: &[(&str, &str)]) -> Keys {
    let key = |(id, secret): &(&str, &str)| ((*id).to_owned(), secret.as_bytes().to_vec());
    Keys::new(list.iter().map(key).collect()).expect("usable keys")
}

fn signed(keys: &Keys, app: &str, partition: u32) -> Received {
    let mut record = Outgoing {
        topic: "shop.inbox".to_owned(),
        partition: Some(partition),
        key: Some(b"O-1".to_vec()),
        value: Some(b"{}".to_vec()),
        headers: Headers::default()
            .with("skald-kind", "signal")
            .with("ce_correlationid", "order/O-1"),
    };
    signature::sign(keys, app, partition, &mut record);
    record.received(3, 42, 1)
}

#[test]
fn signatures_hold_for_one_record_only() {
    let ours = keys(&[("k1", "a secret of enough bytes")]);
    let good = signed(&ours, "shop", 3);
    assert_eq!(signature::verify(&ours, "shop", &good), Ok(()));
    let tag = good.headers.text("skald-sig").expect("signed").to_owned();
    let with = |text: &str| {
        let mut record = good.clone();
        record.headers.0.retain(|(name, _)| name != "skald-sig");
        record.headers.push("skald-sig", text);
        record
    };
    let changed = |change: fn(&mut Received)| {
        let mut record = good.clone();
        change(&mut record);
        record
    };
    let forged = [
        with(""),
        with("v1:k1:"),
        with("v2:k1:AAAA"),
        with("v1:k9:AAAA"),
        with(&tag[..tag.len() - 4]),
        with(&format!("{tag}AAAA")),
        with(&tag.replace("v1:k1:", "v1::")),
        with(&"v".repeat(16_000)),
        with(&format!("v1:{}:AAAA", "k".repeat(16_000))),
        signed(&keys(&[("k1", "another secret of bytes")]), "shop", 3),
        signed(&ours, "other", 3),
        signed(&ours, "shop", 4),
        changed(|record| record.key = None),
        changed(|record| record.key = Some(b"O-2".to_vec())),
        changed(|record| record.value = None),
        changed(|record| record.value = Some(Vec::new())),
        changed(|record| record.headers.push("ce_correlationid", "order/O-2")),
        changed(|record| record.headers.push("skald-kind", "timer")),
        changed(|record| record.headers.0.truncate(0)),
    ];
    for (number, record) in forged.iter().enumerate() {
        let error = signature::verify(&ours, "shop", record).expect_err("forged");
        assert!(error.to_string().len() < 256, "{number}: {error}");
    }
    // Headers that are nobody's but the sender's do not count.
    let passing = changed(|record| record.headers.push("h", "1"));
    assert_eq!(signature::verify(&ours, "shop", &passing), Ok(()));
}
