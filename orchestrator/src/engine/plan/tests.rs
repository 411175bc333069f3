//! What a plan counts; what it does, system tests tell.

use schemas::dead_letter::DeadLetter;
use schemas::record::{Headers, Partition};
use schemas::redrive;

use super::*;
use crate::metric::label::ReplayOutcome;

fn planned(records: &[Received]) -> Outcome {
    let names = schemas::topics::Topics::new("shop").expect("names");
    let cx = Context {
        names: &names,
        lanes: 1,
        lane: 0,
        keys: &signature::Keys::default(),
        require_signature: false,
        definitions: &Definitions::default(),
        topics: &Topics::default(),
        unknown: &BTreeSet::new(),
        group: "shop.engine",
        owner: "shop.engine.one.0",
    };
    let entries: Vec<_> = records.iter().cloned().map(Entry::new).collect();
    let (loaded, counters) = (BTreeMap::new(), Counters::default());
    plan(&cx, &entries, &loaded, &counters, &Verdicts::new()).expect("a plan")
}

/// A dead record of the inbox, sent back.
fn back(headers: Headers) -> Received {
    let letter = DeadLetter {
        left_out: None,
        position: "dlq.shop.inbox/0/0".into(),
        timestamp_ms: 1_000,
        partition: Partition::new("shop.inbox", 0),
        offset: 7,
        class: "undecodable".into(),
        stage: "decode".into(),
        message: String::new(),
        saga: None,
        definition: None,
        group: "shop.engine".into(),
        delivery_count: 1,
        key: None,
        value: Some(b"{}".to_vec()),
        headers,
    };
    let names = schemas::topics::Topics::new("shop").expect("names");
    redrive::encode(&names, &letter).received(0, 9, 2_000)
}

#[test]
fn dead_letters_that_come_back_into_a_lane_are_counted() {
    let answer = Headers::default()
        .with("ce_causationid", "order/O-1/pay")
        .with("skald-outcome", "ok");
    let bad = back(Headers::default());
    let orphan = back(answer);
    let mut foreign = orphan.clone();
    foreign.headers = Headers::default().with(schemas::headers::REDRIVE_TOPIC, "another");
    let stats = planned(&[bad, orphan, foreign]).stats;
    let count = |outcome| (("shop.inbox".to_owned(), outcome), 1);
    let expected = [
        count(ReplayOutcome::NoEffect),
        count(ReplayOutcome::DeadAgain),
    ];
    assert_eq!(stats.redriven, expected.into_iter().collect(), "{stats:?}");
}
