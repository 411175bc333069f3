//! How records are judged; what becomes of them, system tests tell.

use connectors::log::{Log, Options};
use connectors::memory::log::{MemoryCluster, MemoryLog};
use schemas::bundle::Bundle;
use schemas::dead_letter::DeadLetter;
use schemas::record::{Headers, Partition};

use schemas::redrive;

use super::*;
use crate::client::audit::Operator;
use crate::client::deploy::{self, Request};
use crate::metric::label::ReplayOutcome;
use crate::registry::Registry;

/// Starts for every order.
const EASY: &str = "start: { topic: orders, as: order, key: order.id }";
/// Starts for a part of them, and refuses those without `amount`.
const PICKY: &str =
    "start: { topic: orders, type: Placed, as: order, key: order.id, where: order.amount > 3 }";

fn bundle(name: &str, start: &str) -> Bundle {
    let source =
        format!("saga: {name}\nversion: 1\n{start}\nsteps:\n  - publish: events\n    type: Seen\n");
    let ir = saga_lib::definition::compile("x.yaml", &source).expect("compiles");
    Bundle::new(ir, source, "x.yaml")
}

fn planned(bundles: &[Bundle], records: &[Received]) -> Outcome {
    let names = Topics::new("skald").expect("a name");
    let cluster = MemoryCluster::new();
    let mut log = MemoryLog::open(&cluster, &deploy::options(&names)).expect("opens");
    let operator = Operator {
        actor: "ann".into(),
        why: None,
    };
    let request = Request {
        bundles,
        activate: false,
        operator: &operator,
    };
    deploy::deploy(&mut log, &names, request, 0).expect("deployed");
    let registry = Registry::new(&names);
    let mut log = MemoryLog::open(&cluster, &Options::default()).expect("opens");
    registry.refresh(&mut log).expect("reads");
    let context = Context {
        names: &names,
        lanes: 4,
        keys: &Keys::default(),
        definitions: &registry.snapshot(),
        group: "skald.ingress",
        bytes_max: 1 << 20,
        reader: &Reader::without_schemas(),
    };
    plan(&context, records, &[])
}

fn order(offset: i64, r#type: &str, value: &str) -> Received {
    Received {
        partition: Partition::new("orders", 1),
        offset,
        timestamp_ms: 1_000,
        key: None,
        value: Some(value.as_bytes().to_vec()),
        headers: Headers::default().with("type", r#type),
    }
}

const GOOD: &str = r#"{"id":"O-1","amount":5}"#;
const BAD: &str = r#"{"id":"O-1"}"#;

#[test]
fn only_records_that_somebody_wants_are_judged() {
    let small = r#"{"id":"O-1","amount":1}"#;
    let records = [
        order(1, "Placed", GOOD),
        order(2, "Moved", GOOD),
        order(3, "Placed", small),
        order(4, "Placed", BAD),
        order(5, "Placed", "{"),
    ];
    let outcome = planned(&[bundle("picky", PICKY)], &records);
    assert_eq!(outcome.dead, [false, true, true]);
}

#[test]
fn one_good_output_makes_a_good_record() {
    let both = [bundle("easy", EASY), bundle("picky", PICKY)];
    let outcome = planned(&both, &[order(1, "Placed", BAD)]);
    assert_eq!(outcome.plan.outputs.len(), 2);
    assert_eq!(outcome.dead, [false]);
}

#[test]
fn dead_letters_that_come_back_are_counted_by_their_original_topic() {
    let letter = |r#type: &str, value: &str| DeadLetter {
        position: "dlq.skald.orders/0/0".into(),
        timestamp_ms: 1_000,
        partition: Partition::new("orders", 1),
        offset: 7,
        class: "filter".into(),
        stage: "filter".into(),
        message: String::new(),
        saga: None,
        definition: None,
        group: "skald.ingress".into(),
        delivery_count: 1,
        key: None,
        value: Some(value.as_bytes().to_vec()),
        headers: Headers::default().with("type", r#type),
    };
    let names = Topics::new("skald").expect("a name");
    let letters = [
        letter("Placed", GOOD),
        letter("Placed", BAD),
        letter("Moved", GOOD),
    ];
    let back = letters
        .iter()
        .map(|l| redrive::encode(&names, l).received(0, 3, 2_000));
    let mut records: Vec<_> = back.collect();
    let mut foreign = order(4, "Placed", GOOD);
    foreign.partition = Partition::new("skald.redrive", 0);
    records.push(foreign);
    let outcome = planned(&[bundle("picky", PICKY)], &records);
    let count = |outcome| (("orders".to_owned(), outcome), 1);
    let expected = [
        count(ReplayOutcome::Accepted),
        count(ReplayOutcome::NoEffect),
        count(ReplayOutcome::DeadAgain),
    ];
    assert_eq!(outcome.stats.redriven, expected.into_iter().collect());
}
