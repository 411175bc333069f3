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
        schemas: &connectors::registry::Sources::default(),
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
        left_out: None,
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

/// A version of a saga that awaits a delivery by its own key, and whose service answers in a topic of its own.
fn waiting(version: u32) -> Bundle {
    waiting_by("event.order", version)
}

/// The same with another key.
fn waiting_by(key: &str, version: u32) -> Bundle {
    let contract = "contract: c\nstock.reserve: { topic: stock.commands, send: Reserve, success: { ok: Done }, effect: none, \
                    replies: { topic: stock.events, command: event.commandId } }\n";
    let source = format!(
        "saga: delivery\nversion: {version}\nuses: [c.yaml]\nstart: {{ topic: orders, type: Placed, as: order, key: order.id }}\n\
         steps:\n  - id: reserve\n    command: stock.reserve\n  - id: delivered\n    \
         await: {{ topic: trucks, type: Delivered, key: {key}, is: =order.id }}\n    timeout: {version}h\n"
    );
    let files = |_: &str| Ok(contract.to_owned());
    let compiled = saga_lib::definition::compile_with("x.yaml", &source, &files);
    let ir = compiled.definition.expect("compiles");
    Bundle::new(ir, source, "x.yaml")
}

fn on(topic: &str, r#type: &str, value: &str) -> Received {
    Received {
        partition: Partition::new(topic, 0),
        ..order(7, r#type, value)
    }
}

/// Inbox records of a plan, decoded.
fn inputs(outcome: &Outcome) -> Vec<schemas::inbox::Inbox> {
    let outputs = outcome.plan.outputs.iter();
    let inbox = outputs.filter(|o| o.class == OutputClass::Inbox);
    let records = inbox.map(|o| o.record.clone().received(0, 0, 0));
    let decode = |record| schemas::inbox::decode(&record).expect("an inbox record");
    records.map(decode).collect()
}

#[test]
fn d6_an_awaited_event_reaches_its_saga_once_however_many_versions_await_it() {
    let both = [waiting(1), waiting(2)];
    let event = on("trucks", "Delivered", r#"{"order":"D-1","parcels":2}"#);
    let outcome = planned(&both, &[event]);
    let [
        schemas::inbox::Inbox::Awaited {
            saga, definition, ..
        },
    ] = &inputs(&outcome)[..]
    else {
        panic!("{:?}", outcome.plan.outputs);
    };
    assert_eq!(saga.as_str(), "delivery/D-1");
    assert_eq!(
        *definition,
        both[1].reference().to_string(),
        "the active version"
    );
    let other = on("trucks", "Left", r#"{"order":"D-1"}"#);
    assert!(inputs(&planned(&both, &[other])).is_empty());
}

/// Dead letters of a plan, decoded.
fn letters(outcome: &Outcome) -> Vec<DeadLetter> {
    let outputs = outcome.plan.outputs.iter();
    let dead = outputs.filter(|o| o.class == OutputClass::DeadLetter);
    let records = dead.map(|o| o.record.clone().received(0, 0, 0));
    let decode = |record| dead_letter::decode(&record).expect("a dead letter");
    records.map(decode).collect()
}

#[test]
fn an_awaited_event_without_its_key_is_set_aside_once_for_all_versions_of_its_definition() {
    let versions = [waiting(1), waiting(2), waiting(3)];
    let outcome = planned(&versions, &[on("trucks", "Delivered", r#"{"parcels":2}"#)]);
    let [letter] = &letters(&outcome)[..] else {
        panic!("{:?}", outcome.plan.outputs);
    };
    assert_eq!(letter.class, "key");
    assert!(
        letter.message.contains("`await` of trucks"),
        "{}",
        letter.message
    );
    assert_eq!(outcome.stats.dead_letters["key"], 1);
}

#[test]
fn a_version_whose_key_is_mended_answers_for_its_definition() {
    let event = on("trucks", "Delivered", r#"{"id":"D-1"}"#);
    let outcome = planned(
        &[waiting(1), waiting_by("event.id", 2)],
        std::slice::from_ref(&event),
    );
    assert_eq!((inputs(&outcome).len(), letters(&outcome).len()), (1, 0));
    let outcome = planned(&[waiting(1)], &[event]);
    assert_eq!((inputs(&outcome).len(), letters(&outcome).len()), (0, 1));
}

#[test]
fn a_reply_in_a_topic_of_the_service_goes_to_the_command_it_names() {
    let answer = r#"{"commandId":"delivery/D-1/reserve","code":7}"#;
    let outcome = planned(&[waiting(1)], &[on("stock.events", "Done", answer)]);
    let [schemas::inbox::Inbox::Reply { command, input, .. }] = &inputs(&outcome)[..] else {
        panic!("{:?}", outcome.plan.outputs);
    };
    assert_eq!(command.to_string(), "delivery/D-1/reserve");
    let saga_lib::input::Kind::Reply(reply) = &input.kind else {
        panic!("{input:?}");
    };
    // Its contract says by the type what it means.
    assert_eq!(
        (reply.outcome.as_str(), reply.r#type.as_deref()),
        ("", Some("Done"))
    );
    assert_eq!(reply.code.as_deref(), Some("7"));
}

#[test]
fn a_reply_in_a_topic_of_the_service_may_say_its_cause_in_headers() {
    let mut answer = on(
        "stock.events",
        "Done",
        r#"{"commandId":"delivery/D-1/reserve","code":7}"#,
    );
    answer.headers = answer
        .headers
        .with("skald-code", "SOLD_OUT")
        .with("skald-outcome", "refused");
    let outcome = planned(&[waiting(1)], &[answer]);
    let [schemas::inbox::Inbox::Reply { input, .. }] = &inputs(&outcome)[..] else {
        panic!("{:?}", outcome.plan.outputs);
    };
    let saga_lib::input::Kind::Reply(reply) = &input.kind else {
        panic!("{input:?}");
    };
    assert_eq!(
        (reply.outcome.as_str(), reply.code.as_deref()),
        ("refused", Some("SOLD_OUT"))
    );
}

#[test]
fn events_in_a_reply_topic_that_answer_nothing_of_ours_are_no_mistakes() {
    let strangers = [
        r#"{"stock":3}"#,
        r#"{"commandId":"no command"}"#,
        r#"{"commandId":"order/O-1/reserve"}"#,
    ];
    for value in strangers {
        let outcome = planned(&[waiting(1)], &[on("stock.events", "Done", value)]);
        assert!(outcome.plan.outputs.is_empty(), "{value}");
    }
}
