//! The client on the memory log and store, with hand-written facts in the place of an engine.

use std::time::Duration;

use connectors::log::{Log, Options, TopicSpec};
use connectors::memory::log::{MemoryCluster, MemoryLog};
use connectors::memory::store::{MemoryStore, MemoryStoreServer};
use connectors::registry::Sources;
use connectors::store::{Commit, Store};
use saga_lib::definition;
use saga_lib::id::SagaId;
use saga_lib::input::{Act, Event, Input, Kind as InputKind, Signal};
use saga_lib::instance::{Instance, Status};
use saga_lib::transition;
use schemas::bundle::Bundle;
use schemas::dead_letter::{self, Cause, DeadLetter};
use schemas::history::{self, Fact, InputSummary, Verdict};
use schemas::lane::lane_of_saga;
use schemas::record::{Headers, Outgoing, Partition, Received};
use schemas::topics::{self, Kind};
use schemas::{inbox, redrive, state};

use super::audit::{Audit, Operator};
use super::dead_letters::{Filter, at};
use super::deploy::{Deployed, Request, deploy, options};
use super::preview::{Would, preview};
use super::read::Follow;
use super::replay::{Effect, Options as ReplayOptions, Report, replay};
use super::*;

mod auditing;

const LANES: u32 = 4;

fn order(version: u32, amount: &str) -> Bundle {
    let source = format!(
        "saga: order\nversion: {version}\nstart: {{ topic: orders, type: OrderPlaced, as: order, key: order.id }}\n\
         steps:\n  - id: credit\n    command: credit.reserve\n    with: {{ amount: =order.{amount} }}\n    compensate: credit.release\n"
    );
    let ir = definition::compile("order.yaml", &source).expect("compiles");
    Bundle::new(ir, source, "order.yaml")
}

struct Bench {
    cluster: MemoryCluster,
    log: MemoryLog,
    installation: Installation,
}

fn bench() -> Bench {
    let cluster = MemoryCluster::new();
    let names = Topics::new("skald").expect("name");
    let mut log = open(&cluster, &Options::default());
    let spec = |kind: Kind| TopicSpec {
        name: names.name(kind).expect("single"),
        partitions: kind.partitions(LANES),
        config: topics::settings(kind),
    };
    let mut specs: Vec<TopicSpec> = Kind::SINGLE.into_iter().map(spec).collect();
    specs.push(TopicSpec {
        name: names.dead_letter("orders"),
        partitions: 2,
        config: Vec::new(),
    });
    log.create_topics(&specs).expect("created");
    let installation = Installation {
        names,
        lanes: LANES,
        keys: Keys::default(),
        wait: Duration::from_secs(5),
    };
    Bench {
        cluster,
        log,
        installation,
    }
}

fn open(cluster: &MemoryCluster, options: &Options) -> MemoryLog {
    MemoryLog::open(cluster, options).expect("opens")
}

fn write(log: &mut MemoryLog, record: &Outgoing) {
    log.produce_plain(record, 0).expect("handed over");
    for delivery in log.deliveries_plain(Duration::from_secs(5)) {
        delivery.result.expect("written");
    }
}

/// Answers the first record of any lane with `verdict`, as an engine would.
fn engine(bench: &Bench, verdict: Verdict) -> std::thread::JoinHandle<()> {
    let (cluster, installation) = (bench.cluster.clone(), bench.installation.clone());
    let mut log = open(&cluster, &Options::default());
    let inbox = installation.names.inbox();
    let lanes = (0..LANES)
        .map(|lane| Partition::new(&inbox, lane))
        .collect();
    let mut follow = Follow::begin(&mut log, lanes).expect("begins");
    std::thread::spawn(move || {
        let mut seen = Vec::new();
        while seen.is_empty() {
            follow
                .turn(&mut log, |record| seen.push(record))
                .expect("reads");
            std::thread::yield_now();
        }
        let record = fact_about(&installation, &seen[0], verdict);
        write(&mut log, &record);
    })
}

fn fact_about(installation: &Installation, record: &Received, verdict: Verdict) -> Outgoing {
    let (saga, input) = match inbox::decode(record).expect("an inbox record") {
        inbox::Inbox::Signal { saga, input } | inbox::Inbox::Event { saga, input, .. } => {
            (saga, input)
        }
        inbox::Inbox::Reply { command, input, .. } => (command.saga, input),
        other => panic!("unexpected {other:?}"),
    };
    let fact = Fact {
        saga,
        definition: None,
        input: InputSummary::of(&input.id, &input.kind),
        applied: verdict,
        reason: (verdict != Verdict::Changed).then(|| "past the pivot".into()),
        status_before: Some(Status::Running),
        status_after: Some(Status::Compensating),
        revision_before: Some(3),
        revision_after: Some(4),
        commands: Vec::new(),
        notes: Vec::new(),
        lane: record.partition.number,
        offset: record.offset,
        index: 0,
        time_ms: record.timestamp_ms,
    };
    history::encode(&installation.names, record.partition.number, &fact)
}

fn cancel() -> Signal {
    Signal {
        id: "7d9f4a52-0000-4000-8000-000000000001".into(),
        actor: "ann".into(),
        if_revision: None,
        act: Act::Cancel { reason: None },
    }
}

fn ann() -> Operator {
    Operator {
        actor: "ann@ops-1".into(),
        why: Some("the customer called".into()),
    }
}

fn audit(bench: &mut Bench) -> Audit {
    Audit::open(&mut bench.log, &bench.installation, ann()).expect("opens")
}

fn cancelled(bench: &mut Bench) -> Result<signal::Outcome, Error> {
    let audit = audit(bench);
    let (log, id) = (&mut bench.log, order_id("ORD-1"));
    signal::signal(log, &bench.installation, &audit, &id, &cancel())
}

fn replay_all(bench: &mut Bench, letters: &[DeadLetter]) -> Report {
    let audit = audit(bench);
    let log = &mut bench.log;
    replay(log, &bench.installation, &audit, letters, GENTLY).expect("replays")
}

fn order_id(key: &str) -> SagaId {
    SagaId::new("order", key).expect("id")
}

#[test]
fn a_signal_reports_the_fact_about_it() {
    let mut bench = bench();
    let engine = engine(&bench, Verdict::Rejected);
    let outcome = cancelled(&mut bench).expect("seen");
    engine.join().expect("engine");
    assert_eq!(outcome.applied, Verdict::Rejected);
    assert_eq!(outcome.reason.as_deref(), Some("past the pivot"));
    assert_eq!(outcome.revision, Some(4));
}

#[test]
fn a_signal_without_engine_is_unseen_but_sent() {
    let mut bench = bench();
    bench.installation.wait = Duration::from_millis(50);
    let id = order_id("ORD-1");
    let result = cancelled(&mut bench);
    assert!(matches!(result, Err(Error::Unseen(_))), "{result:?}");
    let lane = Partition::new("skald.inbox", lane_of_saga(&id, LANES));
    assert_eq!(bench.log.extent(&lane).expect("extent").end, 1);
}

#[test]
fn a_signal_is_signed_for_its_lane() {
    let mut bench = bench();
    let keys = vec![("k1".into(), b"0123456789abcdef".to_vec())];
    bench.installation.keys = Keys::new(keys).expect("keys");
    bench.installation.wait = Duration::from_millis(50);
    let id = order_id("ORD-1");
    let _unseen = cancelled(&mut bench);
    let lane = Partition::new("skald.inbox", lane_of_saga(&id, LANES));
    read::all(&mut bench.log, &lane, |record| {
        schemas::signature::verify(&bench.installation.keys, "skald", &record).expect("signed");
    })
    .expect("reads");
}

fn deploy_all(
    bench: &mut Bench,
    bundles: &[Bundle],
    activate: bool,
) -> Result<Vec<Deployed>, Error> {
    let names = bench.installation.names.clone();
    let mut log = open(&bench.cluster, &options(&names));
    let request = Request {
        bundles,
        activate,
        operator: &ann(),
        schemas: &Sources::default(),
    };
    deploy(&mut log, &names, request, 1_000)
}

#[test]
fn a_deployed_version_is_active_and_never_changes() {
    let mut bench = bench();
    let first = deploy_all(&mut bench, &[order(1, "total")], false).expect("deployed");
    assert_eq!((first[0].known, first[0].active), (false, 1));
    let again = deploy_all(&mut bench, &[order(1, "total")], false).expect("deployed");
    assert_eq!((again[0].known, again[0].active), (true, 1));
    let changed = deploy_all(&mut bench, &[order(1, "sum")], false).expect_err("refused");
    assert!(
        changed.to_string().contains("a version never changes"),
        "{changed}"
    );
    let log = &mut bench.log;
    let definitions = bench.installation.definitions(log).expect("definitions");
    assert_eq!(definitions.active["order"].hash, first[0].hash);
    assert!(definitions.by_hash(&first[0].hash).is_some());
}

#[test]
fn an_older_version_becomes_active_only_on_request() {
    let mut bench = bench();
    let both = [order(1, "total"), order(2, "sum")];
    let deployed = deploy_all(&mut bench, &both, false).expect("deployed");
    assert_eq!(deployed[1].active, 2);
    let back = deploy_all(&mut bench, &both[..1], false).expect("deployed");
    assert_eq!(back[0].active, 2);
    let back = deploy_all(&mut bench, &both[..1], true).expect("deployed");
    assert_eq!(back[0].active, 1);
}

#[test]
fn one_refused_definition_stops_the_whole_deploy() {
    let mut bench = bench();
    deploy_all(&mut bench, &[order(1, "total")], false).expect("deployed");
    let result = deploy_all(&mut bench, &[order(2, "total"), order(1, "sum")], false);
    assert!(matches!(result, Err(Error::Refused(_))), "{result:?}");
    let definitions = bench
        .installation
        .definitions(&mut bench.log)
        .expect("definitions");
    assert_eq!(definitions.active["order"].version, 1);
}

/// A running instance as the transition makes it.
fn instance(bundle: &Bundle, key: &str) -> Instance {
    let input = Input {
        id: "orders/0/1".into(),
        time_ms: 1_000,
        kind: InputKind::Event(Event {
            bind: "order".into(),
            key: key.into(),
            r#type: Some("OrderPlaced".into()),
            trigger: "orders/0/1".into(),
            payload: serde_json::json!({ "id": key, "total": 5 }),
        }),
    };
    let mut instance = None;
    let applied = transition::apply(&bundle.ir, &mut instance, &input, &mut Vec::new());
    instance.unwrap_or_else(|| panic!("{applied:?}"))
}

fn store_with(bundle: &Bundle, keys: &[&str]) -> MemoryStore {
    let mut store = MemoryStore::open(&MemoryStoreServer::default(), "skald").expect("opens");
    for key in keys {
        let mut instance = instance(bundle, key);
        instance.definition = bundle.reference().to_string();
        let lane = lane_of_saga(&instance.id, LANES);
        let position = store.claim(lane, "test").expect("claims");
        let document = state::encode(&instance, state::Codec::MessagePack).expect("encodes");
        let commit = Commit {
            lane,
            owner: "test".into(),
            ep: position.ep,
            wm: position.wm,
            jpos: position.jpos,
            wm_to: Some(position.wm.unwrap_or(0) + 1),
            jpos_to: Some(position.jpos.unwrap_or(0) + 1),
            documents: vec![(instance.id.to_string(), Some(document))],
            ..Commit::default()
        };
        store.round(&[commit], &[]).expect("commits");
    }
    store
}

#[test]
fn lists_by_definition_and_status_over_all_lanes() {
    let mut store = store_with(&order(1, "total"), &["A", "B", "C", "D", "E"]);
    let mut ids = |definition: Option<&str>, status, limit| {
        let filter = list::Filter {
            definition: definition.map(str::to_owned),
            status,
            limit,
        };
        let listed = list::list(&mut store, LANES, &filter).expect("lists");
        let ids: Vec<String> = listed.instances.into_iter().map(|r| r.id).collect();
        (ids.len(), listed.more)
    };
    assert_eq!(ids(None, None, 10), (5, false));
    assert_eq!(ids(Some("order"), Some(Status::Running), 10), (5, false));
    assert_eq!(ids(Some("order"), Some(Status::Parked), 10), (0, false));
    assert_eq!(ids(None, Some(Status::Parked), 10), (0, false));
    assert_eq!(ids(Some("other"), None, 10), (0, false));
    assert_eq!(ids(None, None, 3), (3, true));
}

#[test]
fn shows_what_an_instance_waits_for() {
    let mut bench = bench();
    let bundle = order(1, "total");
    deploy_all(&mut bench, std::slice::from_ref(&bundle), false).expect("deployed");
    let mut store = store_with(&bundle, &["A"]);
    let id = order_id("A");
    let shown = show::show(&mut store, &mut bench.log, &bench.installation, &id).expect("shown");
    assert_eq!(shown.status, Status::Running);
    assert!(!shown.compensation_incomplete);
    assert_eq!(shown.pending[0].id, "order/A/credit");
    assert!(!shown.timeline.is_empty());
    let id = order_id("B");
    let missing = show::show(&mut store, &mut bench.log, &bench.installation, &id);
    assert!(matches!(missing, Err(Error::NotFound(_))));
}

/// Sets a record aside as ingress or engine would, and reads the dead letter back.
fn set_aside(bench: &mut Bench, original: &Received, class: &str) -> DeadLetter {
    let cause = Cause {
        class: class.into(),
        stage: "ingress".into(),
        message: "no field `id`".into(),
        definition: Some("order@1#0000000000000000".into()),
        group: "skald.ingress".into(),
        delivery_count: 1,
        ..Cause::default()
    };
    let names = &bench.installation.names;
    let record = dead_letter::encode(names, original, &cause);
    let spec = TopicSpec {
        name: record.topic.clone(),
        partitions: 2,
        config: Vec::new(),
    };
    bench.log.create_topics(&[spec]).expect("created");
    write(&mut bench.log, &record);
    let (letters, foreign) =
        dead_letters::list(&mut bench.log, &bench.installation, &Filter::default()).expect("lists");
    assert_eq!(foreign, 0);
    letters[0].clone()
}

fn business_event(value: &str) -> Received {
    Received {
        partition: Partition::new("orders", 1),
        offset: 17,
        timestamp_ms: 1_000,
        key: Some(b"ORD-1".to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers: Headers::default().with("ce_type", "OrderPlaced"),
    }
}

const SOME_ORDER: &str = r#"{"id":"ORD-1","total":5}"#;

#[test]
fn dead_letters_are_found_by_filter_and_position() {
    let mut bench = bench();
    let letter = set_aside(&mut bench, &business_event("{"), "undecodable");
    let found = at(&mut bench.log, &bench.installation, &letter.position).expect("found");
    assert_eq!(found, letter);
    let none = Filter {
        class: Some("unsigned".into()),
        ..Filter::default()
    };
    assert!(
        dead_letters::list(&mut bench.log, &bench.installation, &none)
            .expect("lists")
            .0
            .is_empty()
    );
    let past = letter
        .position
        .rsplit_once('/')
        .expect("position")
        .0
        .to_owned()
        + "/99";
    let missing = at(&mut bench.log, &bench.installation, &past);
    assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
    let foreign = at(&mut bench.log, &bench.installation, "orders/0/0");
    assert!(matches!(foreign, Err(Error::Refused(_))), "{foreign:?}");
}

const GENTLY: ReplayOptions = ReplayOptions {
    to_origin: false,
    trust_unsigned: false,
    rate: 10_000,
};

#[test]
fn a_replay_goes_to_redrive_and_is_dead_again_if_it_was_set_aside_again() {
    let mut bench = bench();
    let letter = set_aside(&mut bench, &business_event("{"), "undecodable");
    let (cluster, names) = (bench.cluster.clone(), bench.installation.names.clone());
    let ingress = std::thread::spawn(move || {
        let mut log = open(&cluster, &Options::default());
        let partition = Partition::new(names.redrive(), 0);
        let mut seen = Vec::new();
        while seen.is_empty() {
            read::all(&mut log, &partition, |record| seen.push(record)).expect("reads");
            std::thread::yield_now();
        }
        let redriven = redrive::decode(&seen[0]).expect("redriven");
        let cause = Cause {
            class: "undecodable".into(),
            ..Cause::default()
        };
        write(
            &mut log,
            &dead_letter::encode(&names, &redriven.record, &cause),
        );
    });
    let replayed = replay_all(&mut bench, &[letter]).replayed;
    ingress.join().expect("ingress");
    assert!(
        matches!(&replayed[0].effect, Effect::DeadAgain { class, .. } if class == "undecodable"),
        "{replayed:?}"
    );
    assert_eq!(replayed[0].origin, "orders/1/17");
}

/// An inbox record that was set aside from lane `lane` of `id`.
fn dead_signal(bench: &mut Bench, class: &str) -> DeadLetter {
    let record = inbox::encode_signal(
        &bench.installation.names,
        LANES,
        &order_id("ORD-1"),
        &cancel(),
    );
    let original = Received {
        partition: Partition::new(record.topic, record.partition.expect("lane")),
        offset: 40,
        timestamp_ms: 1_000,
        key: record.key,
        value: record.value,
        headers: record.headers,
    };
    set_aside(bench, &original, class)
}

#[test]
fn a_dead_inbox_record_goes_to_its_lane_and_is_followed_there() {
    let mut bench = bench();
    let letter = dead_signal(&mut bench, "queue_full");
    let engine = engine(&bench, Verdict::Changed);
    let replayed = replay_all(&mut bench, &[letter]).replayed;
    engine.join().expect("engine");
    let Effect::Fact { saga, applied, .. } = &replayed[0].effect else {
        panic!("{replayed:?}");
    };
    assert_eq!((saga.as_str(), *applied), ("order/ORD-1", Verdict::Changed));
}

#[test]
fn an_unsigned_record_is_not_signed_by_a_replay() {
    let mut bench = bench();
    let letter = dead_signal(&mut bench, "unsigned");
    let replayed = replay_all(&mut bench, &[letter]).replayed;
    assert!(
        matches!(replayed[0].effect, Effect::NotSent { .. }),
        "{replayed:?}"
    );
}

#[test]
fn a_preview_asks_ingress_and_transition_without_writing() {
    let mut bench = bench();
    let bundle = order(1, "total");
    deploy_all(&mut bench, std::slice::from_ref(&bundle), false).expect("deployed");
    let definitions = bench
        .installation
        .definitions(&mut bench.log)
        .expect("definitions");
    let mut store = store_with(&bundle, &[]);
    let mut letter = set_aside(&mut bench, &business_event(SOME_ORDER), "expression");
    letter.definition = Some(bundle.reference().to_string());
    let reader = crate::ingress::Reader::without_schemas();
    let told = preview(
        &mut store,
        &bench.installation,
        &definitions,
        (&letter, &reader),
        2_000,
    )
    .expect("told");
    let Would::Apply {
        saga,
        applied,
        commands,
        status_before,
        ..
    } = &told.would[0]
    else {
        panic!("{told:?}");
    };
    assert_eq!((saga.as_str(), *applied), ("order/ORD-1", Verdict::Changed));
    assert_eq!(*status_before, None);
    assert_eq!(commands, &["order/ORD-1/credit to credit.commands"]);
    let mut broken = letter.clone();
    broken.value = Some(b"{".to_vec());
    let told = preview(
        &mut store,
        &bench.installation,
        &definitions,
        (&broken, &reader),
        2_000,
    )
    .expect("told");
    assert!(
        matches!(&told.would[0], Would::DieAgain { class, .. } if class == "undecodable"),
        "{told:?}"
    );
    let redrive = Partition::new("skald.redrive", 0);
    assert_eq!(bench.log.extent(&redrive).expect("extent").end, 0);
}
