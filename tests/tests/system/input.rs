//! Bad input: what cannot be decoded, keyed, trusted or evaluated is set aside or parked, and nobody else notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use connectors::participant::{Answer, Running};
use saga_lib::id::SagaId;
use saga_lib::input::{Act, Event, Signal};
use saga_lib::instance::{IncidentKind, Status};
use schemas::dead_letter::DeadLetter;
use schemas::inbox;
use schemas::record::{Headers, Outgoing};
use schemas::signature::{self, Keys};
use serde_json::{Value, json};
use tests::world::hands::{PATIENCE, await_that};
use tests::world::{LANES, World};

const ENDS: Duration = Duration::from_secs(60);

/// Its filter needs `amount`.
pub(crate) const PICKY: &str = "
saga: picky
version: 1
start: { topic: APP-orders, type: Picky, as: pick, key: pick.id, where: pick.amount > 3, from: earliest }
steps:
  - publish: APP-order-events
    type: Picked
    with: { id: =pick.id }
";

/// Its first step divides.
const SHARE: &str = "
saga: share
version: 1
start: { topic: APP-orders, type: Share, as: order, key: order.id, from: earliest }
steps:
  - id: split
    publish: APP-order-events
    type: Split
    with: { each: =order.total / order.parts }
";

fn stop(participants: Vec<Running>) {
    for participant in participants {
        participant.stop();
    }
}

/// A record that must be set aside, and as what.
struct Poison {
    what: &'static str,
    value: Vec<u8>,
    headers: Headers,
    class: &'static str,
    message: &'static [&'static str],
}

fn poison(
    what: &'static str,
    value: &[u8],
    class: &'static str,
    message: &'static [&'static str],
) -> Poison {
    let headers = Headers::default().with("made-by", what);
    Poison {
        what,
        value: value.to_vec(),
        headers,
        class,
        message,
    }
}

fn poisons() -> Vec<Poison> {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let long = json!({ "type": "OrderPlaced", "id": "x".repeat(300) }).to_string();
    let huge =
        json!({ "type": "OrderPlaced", "id": "H-1", "note": "n".repeat(1_200_000) }).to_string();
    let event = br#"{"specversion":"1.0","type":"OrderPlaced","id":"1","data":{}}"#;
    let mut broken = poison(
        "cloudevent",
        event,
        "undecodable",
        &["CloudEvent attribute `source`", "is missing"],
    );
    broken
        .headers
        .push("content-type", "application/cloudevents+json");
    vec![
        poison("text", b"{not json", "undecodable", &["byte 1", "RFC 8259"]),
        poison(
            "twice",
            br#"{"id":"a","id":"b"}"#,
            "undecodable",
            &["key `id` occurs twice"],
        ),
        poison(
            "deep",
            deep.as_bytes(),
            "undecodable",
            &["deeper than 64 levels"],
        ),
        poison(
            "avro",
            b"\0\0\0\0\x07abc",
            "undecodable",
            &["no schemas are configured", "set `registry.url`"],
        ),
        poison(
            "huge",
            huge.as_bytes(),
            "undecodable",
            &["larger than 1048576", "send a reference"],
        ),
        broken,
        poison(
            "keyless",
            br#"{"type":"OrderPlaced","items":[]}"#,
            "key",
            &["`key` of order@1", "order.id"],
        ),
        poison(
            "odd key",
            br#"{"type":"OrderPlaced","id":{"a":1}}"#,
            "key",
            &["no text or whole number"],
        ),
        poison(
            "long key",
            long.as_bytes(),
            "key",
            &["`key` of order@1", "256"],
        ),
        poison(
            "filter",
            br#"{"type":"Picky","id":"P-1"}"#,
            "filter",
            &["`where` of picky@1", "pick.amount"],
        ),
    ]
}

fn assert_set_aside(world: &World, poison: &Poison, letters: &[DeadLetter]) {
    let what = poison.what;
    let mine = |letter: &&DeadLetter| letter.headers.text("made-by") == Some(what);
    let found: Vec<_> = letters.iter().filter(mine).collect();
    let [letter] = found[..] else {
        panic!("{what}: {} dead letters", found.len())
    };
    assert_eq!(
        (letter.class.as_str(), letter.delivery_count),
        (poison.class, 1),
        "{what}"
    );
    let stage = if poison.class == "undecodable" {
        "decode"
    } else {
        poison.class
    };
    assert_eq!(letter.stage, stage, "{what}");
    for part in poison.message {
        assert!(letter.message.contains(part), "{what}: {}", letter.message);
    }
    assert_eq!(letter.group, format!("{}.ingress", world.app));
    assert_eq!(
        letter.value.as_ref(),
        Some(&poison.value),
        "{what}: original bytes"
    );
    assert_eq!(
        letter.key.as_deref(),
        Some(b"poison".as_slice()),
        "{what}: original key"
    );
    assert_eq!(letter.headers, poison.headers, "{what}: original headers");
    let originals = world.follow(&letter.partition.topic);
    let origin = |r: &&schemas::record::Received| {
        r.partition == letter.partition && r.offset == letter.offset
    };
    let original = originals.iter().find(origin).expect("the place it names");
    assert_eq!(
        original.value, letter.value,
        "{what}: {} names another record",
        letter.position
    );
}

#[test]
fn bad_events_become_dead_letters_and_nobody_else_notices() {
    let world = World::new();
    world.define("picky.yaml", PICKY);
    let orders = format!("{}-orders", world.app);
    world.alter_topic(&orders, &[("max.message.bytes", "2000000")]);
    let skald = world.start("one");
    let participants = world.participants(|_| Answer::ok(json!({ "ok": true })));
    world.trigger(3);
    let poisons = poisons();
    let record = |p: &Poison| world.record("-orders", Some("poison"), &p.value, p.headers.clone());
    world.send(&poisons.iter().map(record).collect::<Vec<_>>());
    let mut nothing = world.record("-orders", Some("poison"), b"", Headers::default());
    nothing.value = None;
    world.send(&[nothing]);
    world.trigger(3);
    world.wait_for_ends(ENDS, false);
    let letters = await_that("every bad event is set aside", PATIENCE, || {
        let letters = world.dead_letters(&orders);
        (letters.len() >= poisons.len()).then_some(letters)
    });
    assert_eq!(
        letters.len(),
        poisons.len(),
        "a record without value is skipped"
    );
    for poison in &poisons {
        assert_set_aside(&world, poison, &letters);
    }
    assert_eq!(world.instances().len(), 6);
    assert!(
        world
            .instances()
            .values()
            .all(|i| i.status == Status::Completed)
    );
    stop(participants);
    skald.stop();
    world.check();
}

fn cloud_events(world: &World) -> [Outgoing; 2] {
    let payload = |id: &str| json!({ "id": id, "items": ["book"], "total": 12 });
    let attributes = [
        ("ce_specversion", "1.0"),
        ("ce_type", "OrderPlaced"),
        ("ce_source", "/shop"),
        ("ce_id", "1"),
    ];
    let binary = attributes
        .into_iter()
        .fold(Headers::default(), |h, (n, v)| h.with(n, v));
    let structured = Headers::default().with(
        "content-type",
        "application/cloudevents+json; charset=utf-8",
    );
    let event = json!({
        "specversion": "1.0", "type": "OrderPlaced", "source": "/shop", "id": "2", "data": payload("CE-2"),
    });
    [
        world.record(
            "-orders",
            None,
            payload("CE-1").to_string().as_bytes(),
            binary,
        ),
        world.record("-orders", None, event.to_string().as_bytes(), structured),
    ]
}

#[test]
fn strange_records_in_the_inbox_change_nothing() {
    let world = World::new();
    world.define("share.yaml", SHARE);
    let skald = world.start("one");
    let participants = world.participants(|_| Answer::ok(json!({ "ok": true })));
    world.send(&cloud_events(&world));
    world.remember(&["CE-1", "CE-2"]);
    world.wait_for_ends(ENDS, false);
    let before = world.instances();
    assert_eq!(before["order/CE-1"].trigger, "/shop 1");
    assert_eq!(before["order/CE-2"].trigger, "/shop 2");
    let reply = |id: &str| {
        Headers::default()
            .with("ce_causationid", id)
            .with("skald-outcome", "ok")
    };
    let cases = [
        Headers::default().with("skald-kind", "nonsense"),
        Headers::default().with("skald-outcome", "ok"),
        reply("no command id"),
        reply("order/NOBODY/reserve"),
        reply("order/CE-1/ship#7"),
    ];
    let record = |headers: &Headers| world.record(".inbox", None, b"{}", headers.clone());
    world.send(&cases.iter().map(record).collect::<Vec<_>>());
    assert_inbox_letters(&world);
    assert_orphans(&world);
    assert_fault_parks(&world);
    world.trigger(2);
    world.wait_for_ends(ENDS, false);
    let after = world.instances();
    assert!(before.iter().all(|(id, instance)| after[id] == *instance));
    stop(participants);
    skald.stop();
    world.check();
}

fn assert_inbox_letters(world: &World) {
    let letters = await_that("undecodable inbox records are set aside", PATIENCE, || {
        let letters = world.dead_letters(&world.names().inbox());
        (letters.len() >= 3).then_some(letters)
    });
    let mut messages: Vec<_> = letters.iter().map(|l| l.message.as_str()).collect();
    messages.sort_unstable();
    assert!(
        letters
            .iter()
            .all(|l| l.class == "undecodable" && l.stage == "decode"),
        "{letters:?}"
    );
    assert!(letters.iter().all(|l| l.value.as_deref() == Some(b"{}")));
    for part in ["nonsense", "ce_causationid", "no command id"] {
        assert!(
            messages.iter().any(|m| m.contains(part)),
            "{part}: {messages:?}"
        );
    }
}

fn assert_orphans(world: &World) {
    let orphans = await_that(
        "replies that nothing waits for are orphans",
        PATIENCE,
        || {
            let orphans = world.follow(&world.names().orphans());
            (orphans.len() >= 2).then_some(orphans)
        },
    );
    let mut told: Vec<_> = orphans
        .iter()
        .map(|o| {
            (
                o.headers.text("ce_causationid").expect("an id"),
                o.headers.text("skald-orphan-reason").expect("a reason"),
            )
        })
        .collect();
    told.sort_unstable();
    assert_eq!(
        told[0],
        (
            "order/CE-1/ship#7",
            "command order/CE-1/ship#7 was never sent"
        )
    );
    assert_eq!(told[1].0, "order/NOBODY/reserve");
    assert!(
        told[1].1.starts_with("no saga waits for it"),
        "{}",
        told[1].1
    );
    assert!(
        orphans
            .iter()
            .all(|o| o.headers.bytes("skald-origin").is_some())
    );
}

/// The incident names step, expression and value; a good event of the same definition goes through.
fn assert_fault_parks(world: &World) {
    let share = |id: &str, parts: Value| {
        let event = json!({ "type": "Share", "id": id, "total": 12, "parts": parts }).to_string();
        world.record("-orders", None, event.as_bytes(), Headers::default())
    };
    world.send(&[
        share("S-1", json!(0)),
        share("S-2", json!("four")),
        share("S-3", json!(4)),
    ]);
    for (saga, value) in [
        ("share/S-1", "12 (int) divided by zero"),
        ("share/S-2", "four"),
    ] {
        let incident = world
            .await_status(saga, Status::Parked)
            .incident
            .expect("an incident");
        assert_eq!(incident.kind, IncidentKind::ExpressionFault);
        assert_eq!(incident.step.as_deref(), Some("split"));
        for part in ["split", "order.total / order.parts", value] {
            assert!(
                incident.detail.contains(part),
                "{part}: {}",
                incident.detail
            );
        }
    }
    world.await_status("share/S-3", Status::Completed);
}

const SECRET: &str = "correct horse battery staple";

fn keys(id: &str, secret: &str) -> Keys {
    Keys::new(vec![(id.to_owned(), secret.as_bytes().to_vec())]).expect("usable keys")
}

fn signed(world: &World, keys: &Keys, mut record: Outgoing) -> Outgoing {
    let lane = record.partition.expect("internal records name their lane");
    signature::sign(keys, &world.app, lane, &mut record);
    record
}

fn cancel(world: &World, saga: &str) -> Outgoing {
    let signal = Signal {
        id: tests::harness::unique("cancel"),
        actor: "mallory".to_owned(),
        if_revision: None,
        act: Act::Cancel { reason: None },
    };
    inbox::encode_signal(
        &world.names(),
        LANES,
        &SagaId::parse(saga).expect("an id"),
        &signal,
    )
}

/// Records of every kind that only Skald may write, not signed or signed by somebody else.
fn forgeries(world: &World, definition: &str) -> Vec<Outgoing> {
    let names = world.names();
    let (live, new) = (
        SagaId::parse("order/O-1").expect("an id"),
        SagaId::parse("order/FORGED").expect("an id"),
    );
    let event = Event {
        bind: "order".to_owned(),
        key: "FORGED".to_owned(),
        r#type: Some("OrderPlaced".to_owned()),
        trigger: "forged".to_owned(),
        payload: json!({ "id": "FORGED", "items": [], "total": 1 }),
    };
    let origin = inbox::Origin {
        id: "forged",
        traceparent: None,
    };
    let mut moved = signed(world, &keys("k1", SECRET), cancel(world, "order/O-1"));
    moved.headers.push("ce_subject", "changed after signing");
    vec![
        inbox::encode_event(&names, LANES, &new, definition, &event, &origin),
        inbox::encode_timer(&names, LANES, &live, 1),
        inbox::encode_expire(&names, 0, &[(live, 1)]),
        cancel(world, "order/O-1"),
        signed(
            world,
            &keys("k1", "another secret of enough bytes"),
            cancel(world, "order/O-1"),
        ),
        signed(world, &keys("k9", SECRET), cancel(world, "order/O-1")),
        moved,
    ]
}

#[test]
fn where_signatures_are_required_forgeries_change_nothing() {
    let world = World::new();
    world.configure(&format!("\n[inbox]\nrequire_signature = true\n\n[[inbox.secrets]]\nid = \"k1\"\nsecret = \"{SECRET}\"\n"));
    let skald = world.start("one");
    let open = Arc::new(AtomicBool::new(false));
    let gate = open.clone();
    let participants = world.participants(move |command| match command.id.saga.as_str() {
        "order/O-1" if command.r#type == "charge" && !gate.load(Ordering::SeqCst) => {
            Answer::nothing()
        }
        "order/O-2" if command.r#type == "dispatch" => Answer::refused("no_route", ""),
        _ => Answer::ok(json!({})),
    });
    world.trigger(4);
    // Re-sent twice: timers are signed, too.
    world.await_command("payment", "order/O-1/charge", 3);
    let definition = world.instances()["order/O-1"].definition.clone();
    let forgeries = forgeries(&world, &definition);
    world.send(&forgeries);
    let letters = await_that("forgeries are set aside", PATIENCE, || {
        let letters = world.dead_letters(&world.names().inbox());
        (letters.len() >= forgeries.len()).then_some(letters)
    });
    assert_eq!(letters.len(), forgeries.len());
    assert!(
        letters
            .iter()
            .all(|l| l.class == "unsigned" && l.stage == "decode"),
        "{letters:?}"
    );
    assert!(
        letters
            .iter()
            .all(|l| l.message.starts_with("header `skald-sig`"))
    );
    let waiting = &world.instances()["order/O-1"];
    assert_eq!((waiting.status, &waiting.cancel), (Status::Running, &None));
    open.store(true, Ordering::SeqCst);
    world.wait_for_ends(ENDS, false);
    let instances = world.instances();
    assert_eq!(instances["order/O-1"].status, Status::Completed);
    assert_eq!(instances["order/O-2"].status, Status::Compensated);
    assert!(!instances.contains_key("order/FORGED"));
    // A signal with the right secret counts.
    let genuine = signed(&world, &keys("k1", SECRET), cancel(&world, "order/O-1"));
    world.send(&[genuine]);
    world.await_fact("a signal", "order/O-1", |fact| fact.input.kind == "signal");
    stop(participants);
    skald.stop();
    world.check();
}
