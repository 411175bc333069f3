//! Hostile records on real Kafka: each costs itself only. A good record stands behind every hostile one, in its partition and under its
//! key, and all of them become sagas that end.

use std::collections::BTreeMap;
use std::time::Duration;

use connectors::participant::Answer;
use saga_lib::id::SagaId;
use saga_lib::instance::Status;
use schemas::dead_letter::DeadLetter;
use schemas::inbox;
use schemas::record::{Headers, Outgoing};
use serde_json::json;
use tests::world::World;
use tests::world::hands::await_that;

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for an event, so that hostile ones can be sent to it.
const WAITER: &str = "
saga: waiter
version: 1
start: { topic: APP-orders, type: Wait, as: w, key: w.id, from: earliest }
steps:
  - { id: news, await: { topic: APP-news, type: News, key: event.id }, timeout: 10m }
  - { publish: APP-order-events, type: Waited, with: { id: =w.id } }
";

/// A hostile record and what must come of it.
struct Hostile {
    what: String,
    record: Outgoing,
    /// Class of the dead letter and a piece of its message; `None`: an orphan, or nothing.
    dead: Option<(&'static str, &'static str)>,
}

fn hostile(
    world: &World,
    topic: &str,
    what: &str,
    value: &[u8],
    dead: (&'static str, &'static str),
) -> Hostile {
    let headers = Headers::default().with("made-by", what);
    Hostile {
        what: what.to_owned(),
        record: world.record(topic, Some("same"), value, headers),
        dead: Some(dead),
    }
}

impl Hostile {
    fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.record.headers.push(name, value);
        self
    }
}

/// Business events that no saga starts from.
fn events(world: &World) -> Vec<Hostile> {
    let parts = [values(world), keys(world), names(world)];
    parts.into_iter().flatten().collect()
}

fn event(world: &World, what: &str, value: &[u8], dead: (&'static str, &'static str)) -> Hostile {
    hostile(world, "-orders", what, value, dead)
}

/// Values that are no documents, or too much of one.
fn values(world: &World) -> Vec<Hostile> {
    let event = |what: &str, value: &[u8], dead| event(world, what, value, dead);
    let objects = format!("[{}0]", r#"{"":0},"#.repeat(140_000));
    vec![
        event(
            "nan",
            b"{\"id\":NaN}",
            ("undecodable", "where a value should be"),
        ),
        event(
            "nul",
            b"{\"id\":\"a\\u0000\"}",
            ("undecodable", "NUL character"),
        ),
        event(
            "surrogate",
            br#"{"id":"\ud800"}"#,
            ("undecodable", "lone surrogate"),
        ),
        event(
            "twice",
            br#"{"id":1,"id":2}"#,
            ("undecodable", "occurs twice"),
        ),
        event(
            "deep",
            "[".repeat(500_000).as_bytes(),
            ("undecodable", "nested deeper"),
        ),
        event(
            "objects",
            objects.as_bytes(),
            ("undecodable", "bytes of memory"),
        ),
        event("not text", b"\xff\xfe", ("undecodable", "not UTF-8")),
        event("empty", b"", ("undecodable", "where a value should be")),
        event(
            "avro",
            b"\0\0\0\0\x07\xfe\xff\xff\xff\x0f",
            ("undecodable", "no schemas are configured"),
        ),
        event(
            "large",
            "x".repeat(1_100_000).as_bytes(),
            ("undecodable", "larger than 1048576"),
        ),
        event(
            "larger than any dead letter",
            "x".repeat(4 << 20).as_bytes(),
            ("undecodable", "larger than 1048576"),
        ),
    ]
}

/// Business keys that cannot be ids.
fn keys(world: &World) -> Vec<Hostile> {
    let order =
        |id: &str| json!({ "type": "OrderPlaced", "id": id, "items": [], "total": 1 }).to_string();
    let event = |what: &str, value: &[u8], dead| event(world, what, value, dead);
    vec![
        event(
            "key control",
            order("a\nb").as_bytes(),
            ("key", "control character U+000A"),
        ),
        event(
            "key direction",
            order("a\u{202e}b").as_bytes(),
            ("key", "control character U+202E"),
        ),
        event(
            "key long",
            order(&"k".repeat(300)).as_bytes(),
            ("key", "longer than 256"),
        ),
        event(
            "key encoded long",
            order(&"ü".repeat(100)).as_bytes(),
            ("key", "longer than 256"),
        ),
        event(
            "key beyond 2^53",
            br#"{"type":"OrderPlaced","id":1e400}"#,
            ("key", ""),
        )
        .accepted(),
    ]
}

/// Types, ids, headers and formats; and events that are awaited.
fn names(world: &World) -> Vec<Hostile> {
    let event = |what: &str, value: &[u8], dead| event(world, what, value, dead);
    let cloud = "application/cloudevents+json";
    vec![
        event(
            "type long",
            br#"{"id":1}"#,
            ("undecodable", "event type has 300 bytes"),
        )
        .with("ce_type", "t".repeat(300)),
        event("id escape", br#"{"id":1}"#, ("undecodable", "U+001B"))
            .with("ce_source", "/s")
            .with("ce_id", "\u{1b}[31m"),
        event("headers", br#"{"id":1}"#, ("undecodable", "headers of"))
            .with("h", "h".repeat(20_000)),
        event("structured", b"[]", ("undecodable", "not a JSON object"))
            .with("content-type", cloud),
        event("batch", b"[]", ("undecodable", "cloudevents-batch"))
            .with("content-type", "application/cloudevents-batch+json"),
        hostile(
            world,
            "-news",
            "awaited nonsense",
            b"{",
            ("undecodable", ""),
        ),
        hostile(
            world,
            "-news",
            "awaited without key",
            br#"{"type":"News"}"#,
            ("key", ""),
        ),
        hostile(
            world,
            "-news",
            "awaited key control",
            br#"{"type":"News","id":"\u0007"}"#,
            ("key", "control character"),
        ),
    ]
}

impl Hostile {
    /// It is odd, but good: `1e400` is a text, and a text can be a key.
    fn accepted(mut self) -> Self {
        self.dead = None;
        self
    }
}

/// Records in the inbox that nobody who keeps the protocol writes. They stand in the lane of the good sagas' key.
fn forged(world: &World, lane: u32) -> Vec<Hostile> {
    let into = |what: &str, value: &[u8], dead| {
        let mut hostile = hostile(world, ".inbox", what, value, dead);
        hostile.record.partition = Some(lane);
        hostile
    };
    let large = "r".repeat((2 << 20) - 2_000);
    vec![
        into("kind", b"{}", ("undecodable", "unknown kind")).with("skald-kind", "nonsense"),
        into(
            "no command",
            b"{}",
            ("undecodable", "reply without command id"),
        ),
        into("command", b"{}", ("undecodable", "is not a command id"))
            .with("ce_causationid", "c".repeat(9_000)),
        into("outcome", b"{}", ("undecodable", "U+0000"))
            .with("ce_causationid", "order/A/s")
            .with("skald-outcome", "o\0k"),
        into("body", b"[[", ("undecodable", "")).with("ce_causationid", "order/A/s"),
        into(
            "reply too large to be set aside",
            large.as_bytes(),
            ("undecodable", "larger than 1048576"),
        )
        .with("ce_causationid", "order/A/s"),
        into("timer", b"", ("undecodable", "is not an arm sequence"))
            .with("skald-kind", "timer")
            .with("ce_correlationid", "order/A")
            .with("skald-arm", "-1"),
        into("signal", b"[]", ("undecodable", "not a signal"))
            .with("skald-kind", "signal")
            .with("ce_correlationid", "order/A"),
        into("event", b"{}", ("undecodable", "is not a saga id"))
            .with("skald-kind", "event")
            .with("ce_correlationid", "order/%00"),
        into(
            "expire",
            b"[[\"x\",1]]",
            ("undecodable", "is not a saga id"),
        )
        .with("skald-kind", "expire"),
        into("lane", b"", ("misplaced", "belongs into partition"))
            .with("skald-kind", "timer")
            .with("ce_correlationid", elsewhere(lane))
            .with("skald-arm", "1"),
        into("definition", b"{}", ("", ""))
            .accepted()
            .with("skald-kind", "event")
            .with("ce_correlationid", here(lane))
            .with("skald-bind", "o")
            .with("skald-trigger", "t")
            .with("skald-definition", "nobody@1#0123456789abcdef"),
        into("stranger", b"{}", ("", ""))
            .accepted()
            .with(
                "ce_causationid",
                format!("{}/s[99999999999999999999]", elsewhere(lane)),
            )
            .with("skald-outcome", "ok"),
    ]
}

fn here(lane: u32) -> String {
    forged_id(|found| found == lane)
}

fn elsewhere(lane: u32) -> String {
    forged_id(|found| found != lane)
}

fn forged_id(wanted: impl Fn(u32) -> bool) -> String {
    let mut ids = (0..).map(|n| SagaId::new("order", &format!("F-{n}")).expect("an id"));
    let id = ids.find(|id| wanted(schemas::lane::lane_of_saga(id, tests::world::LANES)));
    id.expect("one of them").to_string()
}

/// Every hostile record is followed by a good one in the same partition with the same key.
fn mixed(world: &World, hostile: &[Hostile], keys: &mut Vec<String>) -> Vec<Outgoing> {
    let mut records = Vec::new();
    for (number, hostile) in hostile.iter().enumerate() {
        let key = format!("G-{number}");
        let order =
            json!({ "type": "OrderPlaced", "id": key, "items": ["book"], "total": 12 }).to_string();
        records.push(hostile.record.clone());
        records.push(world.record(
            "-orders",
            Some("same"),
            order.as_bytes(),
            Headers::default(),
        ));
        keys.push(key);
    }
    records
}

fn assert_dead(world: &World, hostile: &[Hostile]) {
    let topics = ["-orders", "-news", ".inbox"].map(|t| format!("{}{t}", world.app));
    let expected = hostile.iter().filter(|h| h.dead.is_some()).count();
    let letters: BTreeMap<String, DeadLetter> = await_that("all are set aside", PATIENCE, || {
        let all = topics.iter().flat_map(|topic| world.dead_letters(topic));
        let named = all.map(|l| (l.headers.text("made-by").unwrap_or_default().to_owned(), l));
        let all: BTreeMap<_, _> = named.collect();
        (all.len() >= expected).then_some(all)
    });
    for Hostile { what, record, dead } in hostile {
        let letter = letters.get(what);
        let Some((class, message)) = dead else {
            assert!(letter.is_none(), "{what}: {letter:?}");
            continue;
        };
        let letter = letter.unwrap_or_else(|| panic!("{what} was not set aside"));
        assert_eq!(letter.class, *class, "{what}");
        assert!(
            letter.message.contains(message),
            "{what}: {}",
            letter.message
        );
        assert_eq!(letter.partition.topic, record.topic, "{what}");
        // Whole, or cut and said so.
        let whole = letter.value == record.value;
        assert_eq!(
            whole,
            letter.left_out.is_none(),
            "{what}: {:?}",
            letter.left_out
        );
    }
}

#[test]
fn hostile_records_cost_themselves_only() {
    let world = World::new();
    world.define("waiter.yaml", WAITER);
    for (topic, max) in [("-orders", "8000000"), ("-news", "8000000")] {
        let name = format!("{}{topic}", world.app);
        match topic {
            "-orders" => world.alter_topic(&name, &[("max.message.bytes", max)]),
            _ => world.create_topic(&name, &[("max.message.bytes", max)]),
        }
    }
    let skald = world.start("one");
    let participants = world.participants(|_| Answer::ok(json!({ "ok": true })));
    world.trigger(1);
    world.wait_for_ends(PATIENCE, false);
    let good = SagaId::new("order", "G-0").expect("an id");
    let lane = schemas::lane::lane_of_saga(&good, tests::world::LANES);
    let mut hostile = events(&world);
    hostile.extend(forged(&world, lane));
    let wait = json!({ "type": "Wait", "id": "W-1" }).to_string();
    world.send(&[world.record("-orders", Some("same"), wait.as_bytes(), Headers::default())]);
    let mut keys = Vec::new();
    world.send(&mixed(&world, &hostile, &mut keys));
    world.remember(&keys);
    world.wait_for_ends_of(&keys, PATIENCE, false);
    assert_dead(&world, &hostile);
    assert_still_well(&world, &here(lane));
    for participant in participants {
        participant.stop();
    }
    skald.stop();
}

/// What awaits an event gets the good one behind the hostile ones; a forged start of an unknown definition is parked with its reason;
/// signals are heard: no lane and no source stands still.
fn assert_still_well(world: &World, forged: &str) {
    let news = json!({ "type": "News", "id": "W-1" }).to_string();
    world.send(&[world.record("-news", Some("same"), news.as_bytes(), Headers::default())]);
    world.await_status("waiter/W-1", Status::Completed);
    let parked = world.await_status(forged, Status::Parked);
    let detail = parked.incident.expect("an incident").detail;
    assert!(detail.contains("is not deployed"), "{detail}");
    let orphans = world.follow(&world.names().orphans());
    assert!(
        orphans
            .iter()
            .any(|o| o.headers.text("made-by") == Some("stranger"))
    );
    let states = world.instances();
    let orders = states.iter().filter(|(id, _)| id.starts_with("order/G-"));
    assert!(orders.clone().count() > 30);
    orders.for_each(|(id, instance)| assert_eq!(instance.status, Status::Completed, "{id}"));
    let signal = saga_lib::input::Signal {
        id: tests::harness::unique("terminate"),
        actor: "ann".to_owned(),
        if_revision: None,
        act: saga_lib::input::Act::Cancel { reason: None },
    };
    let saga = SagaId::parse(forged).expect("an id");
    world.send(&[inbox::encode_signal(
        &world.names(),
        tests::world::LANES,
        &saga,
        &signal,
    )]);
    world.await_fact("a signal", forged, |fact| fact.input.kind == "signal");
}
