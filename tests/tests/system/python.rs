//! Participants in Python with a stock client (confluent-kafka): nothing of ours but what the README documents.
//!
//! One style uses the documented headers and keeps its client's default partitioner; the other answers like a Spring Kafka listener and
//! sets no header of Skald's.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use connectors::participant::Reply;
use connectors::participant::ledger::{Entry, Ledger};
use saga_lib::id::CommandId;
use saga_lib::instance::Status;
use serde_json::Value;
use tests::harness::python;
use tests::harness::watchdog::Watched;
use tests::world::World;

const SERVICES: [&str; 3] = ["stock", "payment", "shipping"];

/// A contract for services that know nothing of Skald: what an answer means stands in its body.
const CONTRACT: &str = r#"
contract: order
stock.reserve:
  topic: APP-stock.commands
  send: reserve
  success: { ok: Reserved }
  refusal: { refused: SoldOut }
  compensate: stock.release
  timeout: 1s
  outcome: 'reply.status == "SOLD_OUT" ? "refused" : "ok"'
stock.release: { topic: APP-stock.commands, send: release, success: { ok: Released } }
payment.charge:
  topic: APP-payment.commands
  send: charge
  success: { ok: Charged }
  refusal: { refused: Declined }
  compensate: payment.refund
  timeout: 1s
  outcome: 'reply.status == "SOLD_OUT" ? "refused" : "ok"'
payment.refund: { topic: APP-payment.commands, send: refund, success: { ok: Refunded } }
shipping.dispatch:
  topic: APP-shipping.commands
  send: dispatch
  success: { ok: Dispatched }
  refusal: { refused: NoRoute }
  effect: final
  timeout: 1s
  outcome: 'reply.status == "SOLD_OUT" ? "refused" : "ok"'
"#;

const ORDER: &str = r#"
saga: order
version: 1
uses: [contracts/order.yaml]
start: { topic: APP-orders, type: OrderPlaced, as: order, key: order.id, from: earliest }
steps:
  - { id: reserve, command: stock.reserve, with: { order: =order.id, items: =order.items }, retry: { max: 60, first: 100ms, cap: 1s } }
  - { id: charge, command: payment.charge, with: { order: =order.id, amount: =order.total }, retry: { max: 60, first: 100ms, cap: 1s } }
  - { id: ship, command: shipping.dispatch, pivot: true, with: { order: =order.id, items: =order.items }, retry: { max: 60, first: 100ms, cap: 1s } }
finally:
  completed:   { publish: APP-order-events, type: OrderCompleted, with: { id: =order.id } }
  compensated: { publish: APP-order-events, type: OrderCancelled, with: { id: =order.id, reason: =error.outcome } }
"#;

/// Starts the participant for all services.
fn participant(world: &World, style: &str) -> Watched {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/participant.py");
    let folder = world.directory().join("python");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut command = vec![
        python::interpreter().display().to_string(),
        script.display().to_string(),
        "--brokers".to_owned(),
        world.kafka.clone(),
        "--group".to_owned(),
        format!("{}-python", world.app),
        "--ledger".to_owned(),
        ledger(world).display().to_string(),
        "--style".to_owned(),
        style.to_owned(),
    ];
    command.extend(SERVICES.map(|service| format!("{}-{service}.commands", world.app)));
    Watched::start(&folder, &command)
}

fn ledger(world: &World) -> std::path::PathBuf {
    world.directory().join("ledger.jsonl")
}

/// What the service did stands in its own books.
fn book(world: &World) {
    let text = std::fs::read_to_string(ledger(world)).expect("the participant keeps a ledger");
    let mut states: BTreeMap<String, String> = BTreeMap::new();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).expect("an entry");
        let word = |name: &str| entry[name].as_str().expect("text").to_owned();
        states.insert(word("id"), word("state"));
    }
    for (id, state) in states {
        let id = CommandId::parse(&id).expect("a command id");
        let entry = match state.as_str() {
            "effect" => Entry::Effect(Reply::default()),
            "refused" => Entry::Refused(Reply::default()),
            "compensated" => Entry::Compensated(Reply::default()),
            other => panic!("{id} is {other}"),
        };
        let stored = world.ledger.clone().transact(&id, |_| (Some(entry), ()));
        stored.expect("the ledger answers");
    }
}

/// Orders that go forward, and one that is refused at each step.
fn run(world: &World, style: &str) {
    let skald = world.start("one");
    let python = participant(world, style);
    let mut keys: Vec<String> = (0..20).map(|n| format!("P-{n}")).collect();
    let refused = ["reserve", "charge", "dispatch"].map(|kind| format!("refuse-{kind}"));
    keys.extend(refused.clone());
    world.publish(&keys);
    world.remember(&keys);
    world.wait_for_ends(Duration::from_secs(90), false);
    let instances = world.instances();
    for key in &keys {
        let expected = match refused.contains(key) {
            true => Status::Compensated,
            false => Status::Completed,
        };
        assert_eq!(instances[&format!("order/{key}")].status, expected, "{key}");
    }
    drop(python);
    skald.stop();
    book(world);
    world.check();
}

#[test]
fn a_python_participant_with_a_stock_client_serves_orders() {
    let world = World::new();
    run(&world, "headers");
    let inbox = world.read(&world.names().inbox());
    let forwarded = inbox
        .iter()
        .filter(|r| r.headers.bytes("skald-forwarded").is_some());
    assert!(
        forwarded.count() > 0,
        "its default partitioner never chose another lane than Skald's"
    );
}

#[test]
fn a_spring_style_participant_serves_orders_without_a_header_of_ours() {
    let world = World::new();
    let folder = world.directory().join("sagas/contracts");
    std::fs::create_dir_all(folder).expect("a folder");
    world.define("contracts/order.yaml", CONTRACT);
    world.define("order.yaml", ORDER);
    run(&world, "spring");
}
