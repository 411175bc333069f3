//! A participant on the memory log: commands in, replies out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use saga_lib::effect;
use saga_lib::id::{CommandId, SagaId};
use schemas::command::{Context, encode_command};
use schemas::headers;
use schemas::record::{Headers, Outgoing, Partition, Received};
use serde_json::{Value, json};

use super::ledger::Entry;
use super::*;
use crate::log::{Error as LogError, Log, Options, TopicSpec};
use crate::memory::log::{MemoryCluster, MemoryLog};

/// A cluster with a command topic and an inbox, and somebody who sends and reads.
struct World {
    cluster: MemoryCluster,
    log: MemoryLog,
    ledger: MemoryLedger,
    runs: Arc<AtomicUsize>,
}

impl World {
    fn new() -> Self {
        let cluster = MemoryCluster::new();
        let options = Options {
            transactional_id: Some("engine".to_owned()),
            ..Options::default()
        };
        let mut log = MemoryLog::open(&cluster, &options).unwrap();
        log.create_topics(&[topic("credit.commands"), topic("inbox")])
            .unwrap();
        Self {
            cluster,
            log,
            ledger: MemoryLedger::default(),
            runs: Arc::default(),
        }
    }

    /// A service whose `do` answers what its payload asks for.
    fn start(&self) -> Running {
        let runs = Arc::clone(&self.runs);
        let count = move |command: &Command| {
            runs.fetch_add(1, Ordering::SeqCst);
            asked_for(&command.payload)
        };
        Participant::builder("credit")
            .topic("credit.commands")
            .on("do", count.clone())
            .on("undo", count)
            .ledger(self.ledger.clone())
            .run::<MemoryLog>(&self.cluster)
            .unwrap()
    }

    fn send(&mut self, id: &str, attempt: u32, payload: Value) {
        let record = command(id, attempt, payload);
        self.log.produce_plain(&record, 0).unwrap();
    }

    /// The first `count` replies, as (command id, outcome).
    fn replies(&mut self, count: usize) -> Vec<(String, String)> {
        self.records(count).iter().map(outcome).collect()
    }

    fn records(&mut self, count: usize) -> Vec<Received> {
        let until = Instant::now() + Duration::from_secs(20);
        let inbox = Partition::new("inbox", 0);
        loop {
            let end = self.log.extent(&inbox).unwrap().end;
            let wait = Duration::from_millis(50);
            let chunk = self.log.read(&inbox, 0, end.max(1), 1000, wait).unwrap();
            if chunk.records.len() >= count {
                return chunk.records;
            }
            assert!(
                Instant::now() < until,
                "{count} replies did not come: {chunk:?}"
            );
        }
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

fn topic(name: &str) -> TopicSpec {
    TopicSpec {
        name: name.to_owned(),
        partitions: 1,
        config: Vec::new(),
    }
}

fn asked_for(payload: &Value) -> Answer {
    match payload.as_str() {
        Some("refuse") => Answer::refused("limit", "too much"),
        Some("fail") => Answer::failed("db", "down"),
        Some("nothing") => Answer::nothing(),
        Some("lost") => Answer::ok(json!("lost")).lost(),
        Some("twice") => Answer::ok(json!("twice")).twice(),
        Some("later") => Answer::ok(json!("later")).later(Duration::from_millis(300)),
        Some("panic") => panic!("as asked for"),
        _ => Answer::ok(payload.clone()),
    }
}

/// A command as the engine sends it: `1/pay` forward, `1/pay!c` its compensation.
fn command(id: &str, attempt: u32, payload: Value) -> Outgoing {
    let id = CommandId::parse(&format!("order/{id}")).unwrap();
    let saga = SagaId::parse("order/1").unwrap();
    let context = Context {
        app: "demo",
        reply_topic: "inbox",
        lane: 0,
        definition: "order@1#0",
        saga: &saga,
        causation: "cause",
        traceparent: None,
        time_ms: 0,
    };
    let compensation = id.compensation.is_some();
    let command = effect::Command {
        attempt,
        topic: "credit.commands".to_owned(),
        r#type: if compensation { "undo" } else { "do" }.to_owned(),
        payload,
        key: id.saga.key().to_string(),
        step: "pay".to_owned(),
        compensates: compensation.then(|| id.forward_id()),
        expires_ms: None,
        id,
    };
    encode_command(&context, &command)
}

fn outcome(reply: &Received) -> (String, String) {
    let text = |name| reply.headers.text(name).unwrap().to_owned();
    (text(headers::CE_CAUSATIONID), text(headers::OUTCOME))
}

fn told(id: &str, outcome: &str) -> (String, String) {
    (format!("order/{id}"), outcome.to_owned())
}

#[test]
fn answers_once_per_command_id_and_the_same_to_every_attempt() {
    let mut world = World::new();
    let running = world.start();
    for attempt in 1..=3 {
        world.send("1/pay", attempt, json!("refuse"));
        world.send("2/pay", attempt, json!({"amount": 5}));
    }
    let replies = world.records(6);
    assert_eq!(world.runs(), 2);
    for pair in replies.chunks(2) {
        assert_eq!(outcome(&pair[0]), told("1/pay", "refused"));
        assert_eq!(pair[0].headers.text(headers::CODE), Some("limit"));
        assert_eq!(pair[0].headers.text(headers::REASON), Some("too much"));
        assert_eq!(outcome(&pair[1]), told("2/pay", "ok"));
        assert_eq!(
            pair[1].value.as_deref(),
            Some(br#"{"amount":5}"#.as_slice())
        );
    }
    running.stop();
}

#[test]
fn a_failure_runs_again() {
    let mut world = World::new();
    let running = world.start();
    world.send("1/pay", 1, json!("fail"));
    world.send("1/pay", 2, json!("panic"));
    world.send("1/pay", 3, json!("nothing"));
    world.send("1/pay", 4, json!(1));
    let expected = ["failed", "failed", "ok"].map(|outcome| told("1/pay", outcome));
    assert_eq!(world.replies(3), expected);
    assert_eq!(world.runs(), 4);
    running.stop();
}

#[test]
fn d2_a_compensation_that_overtakes_its_command_wins() {
    let mut world = World::new();
    let running = world.start();
    world.send("1/pay!c", 1, json!(0));
    world.send("1/pay", 1, json!(0));
    world.send("2/pay", 1, json!(0));
    world.send("2/pay!c", 1, json!(0));
    world.send("2/pay!c#2", 1, json!(0));
    let expected = [
        told("1/pay!c", "ok"),
        told("1/pay", "refused"),
        told("2/pay", "ok"),
        told("2/pay!c", "ok"),
        told("2/pay!c#2", "ok"),
    ];
    assert_eq!(world.replies(5), expected);
    assert_eq!(world.runs(), 2, "one forward and one compensation");
    let states = world.ledger.entries();
    assert!(
        states
            .values()
            .all(|entry| matches!(entry, Entry::Compensated(_)))
    );
    running.stop();
}

#[test]
fn manners_change_the_telling_and_not_the_effect() {
    let mut world = World::new();
    let running = world.start();
    for (id, payload) in [
        ("1/a", "later"),
        ("1/b", "lost"),
        ("1/c", "twice"),
        ("1/d", ""),
    ] {
        world.send(id, 1, json!(payload));
    }
    let expected = [("1/c", "ok"), ("1/c", "ok"), ("1/d", "ok"), ("1/a", "ok")];
    assert_eq!(
        world.replies(4),
        expected.map(|(id, outcome)| told(id, outcome))
    );
    world.send("1/b", 2, json!("lost"));
    assert_eq!(world.replies(5)[4], told("1/b", "ok"));
    assert_eq!(world.runs(), 4);
    running.stop();
}

#[test]
fn what_cannot_be_answered_stops_nobody() {
    let mut world = World::new();
    let running = world.start();
    let garbage = Outgoing {
        headers: Headers::default(),
        ..command("1/a", 1, json!(0))
    };
    let mut nowhere = command("1/b", 1, json!(0));
    nowhere.headers.push(headers::REPLY_TO, "nowhere");
    let mut unknown = command("1/c", 1, json!(0));
    unknown.headers.push(headers::CE_TYPE, "dance");
    for record in [garbage, nowhere, unknown] {
        world.log.produce_plain(&record, 0).unwrap();
    }
    world.send("1/d", 1, json!(0));
    assert_eq!(
        world.replies(2),
        [told("1/c", "refused"), told("1/d", "ok")]
    );
    running.stop();
}

#[test]
fn an_aborted_command_is_never_seen() {
    let mut world = World::new();
    let running = world.start();
    world.log.begin().unwrap();
    world.log.produce(&command("1/a", 1, json!(0)), 0).unwrap();
    world.log.abort().unwrap();
    world.send("1/b", 1, json!(0));
    assert_eq!(world.replies(1), [told("1/b", "ok")]);
    assert_eq!(world.runs(), 1);
    running.stop();
}

#[test]
fn a_restarted_service_goes_on_where_it_committed() {
    let mut world = World::new();
    let running = world.start();
    world.send("1/a", 1, json!(0));
    world.replies(1);
    running.stop();
    world.send("1/b", 1, json!(0));
    let running = world.start();
    assert_eq!(world.replies(2), [told("1/a", "ok"), told("1/b", "ok")]);
    assert_eq!(world.runs(), 2);
    running.stop();
}

#[test]
fn a_ledger_that_does_not_answer_is_a_technical_failure() {
    struct Gone;
    impl Ledger for Gone {
        fn transact<T>(
            &mut self,
            _: &CommandId,
            _: impl FnOnce(&Entry) -> (Option<Entry>, T),
        ) -> Result<T, ledger::Error> {
            let reason = "gone".to_owned();
            Err(ledger::Error::Unavailable { reason })
        }
    }
    let mut world = World::new();
    let running = Participant::builder("credit")
        .topic("credit.commands")
        .ledger(Gone)
        .run::<MemoryLog>(&world.cluster)
        .unwrap();
    world.send("1/a", 1, json!(0));
    assert_eq!(world.replies(1), [told("1/a", "failed")]);
    running.stop();
}

#[test]
fn a_participant_without_topic_does_not_start() {
    let cluster = MemoryCluster::new();
    let refused = Participant::builder("credit").run::<MemoryLog>(&cluster);
    assert!(matches!(refused, Err(Error::Topic { .. })));
}

#[test]
fn a_closed_reply_topic_is_no_reason_to_wait_for_ever() -> Result<(), LogError> {
    let mut world = World::new();
    world.cluster.set_writable("inbox", false);
    let running = world.start();
    world.send("1/a", 1, json!(0));
    let until = Instant::now() + Duration::from_secs(20);
    while world.runs() == 0 {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
    running.stop();
    world
        .log
        .extent(&Partition::new("inbox", 0))
        .map(|extent| assert_eq!(extent.end, 0))
}
