//! What acts leave in the audit topic, and what a replay makes of it.

use schemas::audit::{self, Action, Entry, Outcome, State};

use super::resume::not_replayed;
use super::*;

/// Entries so far, in order, with the bytes of their values.
fn entries(bench: &mut Bench) -> Vec<(Entry, String)> {
    let mut entries = Vec::new();
    read::all(
        &mut bench.log,
        &Partition::new("skald.audit", 0),
        |record| {
            let entry = audit::decode(&record).expect("an entry");
            let value = record.value.expect("a value");
            entries.push((entry, String::from_utf8(value).expect("text")));
        },
    )
    .expect("reads");
    entries
}

fn results(bench: &mut Bench) -> Vec<Option<Outcome>> {
    let entries = entries(bench);
    entries.iter().map(|(entry, _)| entry.result).collect()
}

fn records_in(bench: &mut Bench, topic: &str) -> i64 {
    let count = bench.log.topic(topic).expect("answers").expect("is there");
    let partitions = (0..count.partitions).map(|number| Partition::new(topic, number));
    partitions
        .map(|p| bench.log.extent(&p).expect("extent").end)
        .sum()
}

fn quick(mut bench: Bench) -> Bench {
    bench.installation.wait = Duration::from_millis(50);
    bench
}

#[test]
fn a_signal_is_written_down_before_and_after() {
    let mut bench = bench();
    let engine = engine(&bench, Verdict::Changed);
    let outcome = cancelled(&mut bench).expect("seen");
    engine.join().expect("engine");
    assert_eq!(outcome.unaudited, None);
    let entries = entries(&mut bench);
    let [(before, _), (after, _)] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert_eq!((before.action, before.result), (Action::SagaCancel, None));
    assert_eq!(
        (before.actor.as_str(), before.subject.as_str()),
        ("ann@ops-1", "order/ORD-1")
    );
    assert_eq!(before.why.as_deref(), Some("the customer called"));
    assert_eq!(before.act, cancel().id, "history names the same id");
    assert_eq!(
        (&after.act, after.result),
        (&before.act, Some(Outcome::Changed))
    );
    let state = |status, revision| State::of_instance(Some(status), Some(revision));
    assert_eq!(after.before, state(Status::Running, 3));
    assert_eq!(after.after, state(Status::Compensating, 4));
}

#[test]
fn a_signal_whose_effect_was_not_seen_says_so() {
    let mut bench = quick(bench());
    cancelled(&mut bench).expect_err("no engine");
    assert_eq!(results(&mut bench), [None, Some(Outcome::Unseen)]);
}

#[test]
fn a_signal_that_cannot_be_written_down_is_not_sent() {
    let mut bench = quick(bench());
    bench.cluster.set_writable("skald.audit", false);
    let result = cancelled(&mut bench);
    let error = result.expect_err("refused").to_string();
    assert!(
        error.starts_with("not done") && error.contains("`skald.audit`"),
        "{error}"
    );
    assert_eq!(records_in(&mut bench, "skald.inbox"), 0);
}

/// Waits until this topic has as many records.
fn await_records(cluster: &MemoryCluster, topic: &str, records: i64) {
    let mut log = open(cluster, &Options::default());
    let partition = Partition::new(topic, 0);
    while log.extent(&partition).expect("extent").end < records {
        std::thread::yield_now();
    }
}

#[test]
fn a_signal_that_cannot_be_written_down_to_its_end_says_both() {
    let mut bench = quick(bench());
    bench.installation.wait = Duration::from_secs(1);
    let cluster = bench.cluster.clone();
    let breaker = std::thread::spawn(move || {
        await_records(&cluster, "skald.audit", 1);
        cluster.set_writable("skald.audit", false);
    });
    let error = cancelled(&mut bench).expect_err("no engine").to_string();
    breaker.join().expect("broke it");
    assert!(
        error.contains("no fact about it was seen in time"),
        "{error}"
    );
    assert!(
        error.contains("may have been done; what came of it could not be written to `skald.audit`"),
        "{error}"
    );
}

#[test]
fn what_was_not_sent_was_not_done() {
    let mut bench = quick(bench());
    let audit = audit(&mut bench);
    bench.cluster.set_writable("skald.audit", false);
    let mut after = |result| {
        let mut entry = ann().entry(Action::DlqReplay, "a".into(), "t/0/1".into());
        entry.result = Some(result);
        audit.after(&mut bench.log, &entry).expect("not writable")
    };
    assert!(after(Outcome::NotSent).starts_with("act a was not done;"));
    assert!(after(Outcome::Changed).starts_with("act a was done;"));
}

#[test]
fn a_replay_whose_effects_cannot_be_read_still_tells_what_was_sent() {
    let mut bench = bench();
    let letter = set_aside(&mut bench, &business_event("{"), "undecodable");
    let cluster = bench.cluster.clone();
    let breaker = std::thread::spawn(move || {
        // Announced, and sent.
        await_records(&cluster, "skald.audit", 2);
        cluster.delete_topic("skald.history");
    });
    let report = replay_all(&mut bench, std::slice::from_ref(&letter));
    breaker.join().expect("broke it");
    assert!(report.unwatched.is_some());
    assert_eq!(report.replayed[0].effect, Effect::Unseen);
    let told = results(&mut bench);
    assert_eq!(told, [None, Some(Outcome::Sent), Some(Outcome::Unseen)]);
}

#[test]
fn a_replay_is_written_down_before_it_is_sent_after_and_at_its_end() {
    let mut bench = bench();
    let letter = dead_signal(&mut bench, "queue_full");
    let engine = engine(&bench, Verdict::Ignored);
    let report = replay_all(&mut bench, std::slice::from_ref(&letter));
    engine.join().expect("engine");
    assert_eq!(report.unaudited, None);
    let entries = entries(&mut bench);
    let told: Vec<_> = entries.iter().map(|(entry, _)| entry.result).collect();
    assert_eq!(told, [None, Some(Outcome::Sent), Some(Outcome::Ignored)]);
    for (entry, _) in &entries {
        assert_eq!(
            (entry.action, &entry.subject),
            (Action::DlqReplay, &letter.position)
        );
        assert_eq!(entry.act, entries[0].0.act);
    }
    let last = &entries[2].0;
    assert_eq!(last.saga, Some(order_id("ORD-1")));
    assert_eq!(
        last.after.and_then(|state| state.status),
        Some(Status::Compensating)
    );
}

#[test]
fn payloads_and_messages_stay_out_of_the_audit() {
    let mut bench = quick(bench());
    let event = business_event(r#"{"iban":"secret"}"#);
    let mut letter = set_aside(&mut bench, &event, "key");
    letter.message = "`secret` is no key".into();
    replay_all(&mut bench, &[letter]);
    for (_, text) in entries(&mut bench) {
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn what_cannot_be_written_down_is_not_replayed() {
    let mut bench = quick(bench());
    let letter = set_aside(&mut bench, &business_event("{"), "undecodable");
    bench.cluster.set_writable("skald.audit", false);
    let report = replay_all(&mut bench, &[letter.clone(), letter]);
    assert!(report.unaudited.is_some());
    for replayed in report.replayed {
        assert!(
            matches!(&replayed.effect, Effect::NotSent { reason } if reason.contains("not done")),
            "{replayed:?}"
        );
    }
    assert_eq!(records_in(&mut bench, "skald.redrive"), 0);
}

#[test]
fn a_replay_that_was_interrupted_goes_on_where_it_stood() {
    let mut bench = quick(bench());
    let refused = dead_signal(&mut bench, "unsigned");
    let sent = set_aside(&mut bench, &business_event("{"), "undecodable");
    let begun = DeadLetter {
        position: "dlq.skald.orders/1/7".into(),
        ..sent.clone()
    };
    replay_all(&mut bench, &[sent.clone(), refused.clone()]);
    // Interrupted between the entry and the sending.
    let audit = audit(&mut bench);
    let entry = ann().entry(Action::DlqReplay, "a".into(), begun.position.clone());
    audit.before(&mut bench.log, &entry).expect("written");
    let letters = vec![sent.clone(), begun.clone(), refused.clone()];
    let left = not_replayed(&mut bench.log, &bench.installation, letters);
    assert_eq!(left.expect("reads"), (vec![begun, refused], 1));
}

#[test]
fn a_dead_letter_is_not_taken_for_an_older_one_in_its_place() {
    let mut bench = quick(bench());
    let mut letter = set_aside(&mut bench, &business_event("{"), "undecodable");
    replay_all(&mut bench, std::slice::from_ref(&letter));
    letter.timestamp_ms += 3_600_000;
    let left = not_replayed(&mut bench.log, &bench.installation, vec![letter.clone()]);
    assert_eq!(left.expect("reads"), (vec![letter], 0));
}

#[test]
fn other_acts_and_foreign_records_say_nothing_about_dead_letters() {
    let mut bench = quick(bench());
    let letter = set_aside(&mut bench, &business_event("{"), "undecodable");
    let mut entry = ann().entry(Action::SagaRetry, "a".into(), letter.position.clone());
    entry.result = Some(Outcome::Changed);
    write(
        &mut bench.log,
        &audit::encode(&bench.installation.names, &entry),
    );
    let mut foreign = audit::encode(&bench.installation.names, &entry);
    foreign.value = Some(b"hello".to_vec());
    write(&mut bench.log, &foreign);
    let left = not_replayed(&mut bench.log, &bench.installation, vec![letter.clone()]);
    assert_eq!(left.expect("reads"), (vec![letter], 0));
}

#[test]
fn a_deploy_tells_what_it_changed_and_nothing_else() {
    let mut bench = bench();
    deploy_all(&mut bench, &[order(1, "total")], false).expect("deployed");
    deploy_all(&mut bench, &[order(1, "total"), order(2, "sum")], false).expect("deployed");
    deploy_all(&mut bench, &[order(1, "other")], false).expect_err("refused");
    let version = |version| Some(State::of_definition(version));
    let entries = entries(&mut bench);
    let told: Vec<_> = entries
        .iter()
        .map(|(e, _)| (e.subject.as_str(), e.before, e.after))
        .collect();
    assert_eq!(
        told,
        [
            ("order@1", None, version(1)),
            ("order@2", version(1), version(2))
        ]
    );
    assert!(
        entries
            .iter()
            .all(|(e, _)| e.result == Some(Outcome::Deployed) && e.actor == "ann@ops-1")
    );
}
