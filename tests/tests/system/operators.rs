//! What an operator does by command, on real processes: each act is a signal, its effect is seen in the history, and it is written down.

use connectors::participant::{Answer, Command};
use saga_lib::instance::Status;
use schemas::audit::{self, Action};
use schemas::record::Headers;
use serde_json::{Value, json};
use tests::world::hands::{PATIENCE, await_that};
use tests::world::{Ended, LANES, World, run_to_end};

/// Runs `skald ...` with the world's configuration.
fn skald(world: &World, arguments: &[&str]) -> Ended {
    let config = world.config().display().to_string();
    run_to_end(&[arguments, &["--config", &config]].concat(), PATIENCE)
}

fn does(world: &World, arguments: &[&str], says: &str) {
    let ended = skald(world, arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    assert!(ended.stdout.contains(says), "{arguments:?}: {ended:?}");
}

fn is_refused(world: &World, arguments: &[&str], says: &str) {
    let ended = skald(world, arguments);
    assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
    assert!(ended.stdout.contains(says), "{arguments:?}: {ended:?}");
}

fn show(world: &World, saga: &str) -> Value {
    let ended = skald(world, &["-o", "json", "saga", "show", saga]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).expect("JSON")
}

#[test]
fn c6_a_saga_is_suspended_resumed_and_terminated_and_what_it_owes_stays_visible() {
    let world = World::new();
    let process = world.start("one");
    let key = world.trigger(1).remove(0);
    let saga = format!("order/{key}");
    let reserve = world.await_command("stock", &format!("{saga}/reserve"), 1);
    does(&world, &["saga", "suspend", &saga], "suspended");
    world.reply(&reserve, "ok", &json!({}));
    world.await_fact("the reply is kept", &saga, |f| f.input.kind == "reply");
    assert_eq!(show(&world, &saga)["queued"], 1);
    is_refused(
        &world,
        &["saga", "cancel", &saga, "--yes"],
        "resume it first",
    );
    does(&world, &["saga", "resume", &saga], "running");
    world.await_command("payment", &format!("{saga}/charge"), 1);
    let end = ["saga", "terminate", &saga, "--yes"];
    let ended = skald(&world, &end);
    assert_eq!(ended.code, Some(2), "a reason is asked for: {ended:?}");
    let end = [&end[..], &["--why", "the customer is gone"]].concat();
    does(&world, &end, "terminated");
    let owed = show(&world, &saga);
    assert_eq!(owed["compensation_incomplete"], true);
    assert_eq!(owed["obligations"].as_array().map(Vec::len), Some(2));
    is_refused(&world, &["saga", "retry", &saga], "terminated");
    does(&world, &end, "terminated");
    assert_eq!(show(&world, &saga)["compensation_incomplete"], false);
    is_refused(&world, &end, "terminated");
    assert_audited(&world, &saga);
    process.stop();
    world.check();
}

fn assert_audited(world: &World, saga: &str) {
    let records = world.follow(&world.names().audit());
    let entries = records.iter().map(|r| audit::decode(r).expect("an entry"));
    let ours = entries.filter(|e| e.subject == saga && e.result.is_some());
    let actions: Vec<Action> = ours.map(|e| e.action).collect();
    let expected = [
        Action::SagaSuspend,
        Action::SagaCancel,
        Action::SagaResume,
        Action::SagaTerminate,
        Action::SagaRetry,
        Action::SagaTerminate,
        Action::SagaTerminate,
    ];
    assert_eq!(actions, expected);
}

/// The order saga, whose pivot is asked once.
fn impatient(world: &World) {
    let text = include_str!("../../src/world/order.yaml");
    let (before, pivot) = text.split_once("  - id: ship").expect("a pivot");
    let pivot = pivot.replace("timeout: 1s", "timeout: 300ms");
    let pivot = pivot.replace("retry: { max: 60, first: 100ms, cap: 1s }", "retry: none");
    world.define("order.yaml", &format!("{before}  - id: ship{pivot}"));
}

#[test]
fn c3_an_operator_decides_a_pivot_that_nobody_answers_for() {
    let world = World::new();
    impatient(&world);
    let process = world.start("one");
    let ok = |_: &Command| Answer::ok(json!({ "ok": true }));
    let services = [
        world.participant("stock", "reserve", "release", ok),
        world.participant("payment", "charge", "refund", ok),
    ];
    let keys = world.trigger(2);
    let sagas: Vec<String> = keys.iter().map(|key| format!("order/{key}")).collect();
    for saga in &sagas {
        world.await_status(saga, Status::Parked);
        let unknown = ["saga", "skip", saga, "--yes", "--outcome", "perhaps"];
        is_refused(&world, &unknown, "no outcome of ship");
    }
    let retry = [
        "saga",
        "retry",
        &sagas[0],
        "--input",
        r#"{"to":"elsewhere"}"#,
    ];
    is_refused(&world, &retry, "outcome is unknown");
    does(&world, &["saga", "skip", &sagas[0], "--yes"], "completed");
    let refused = ["saga", "skip", &sagas[1], "--yes", "--outcome", "refused"];
    does(&world, &refused, "compensating");
    world.await_status(&sagas[1], Status::Compensated);
    assert_eq!(
        world.sent(&sagas[1]),
        ["reserve", "charge", "dispatch", "refund!", "release!"]
    );
    process.stop();
    drop(services);
}

const DELIVERY: &str = r#"
saga: delivery
version: 1
start: { topic: APP-orders, type: DeliveryExpected, as: order, key: order.id, from: earliest }
steps:
  - id: delivered
    await: { topic: APP-deliveries, type: Delivered, key: event.order, is: =order.id }
    timeout: 1h
"#;

fn event(world: &World, topic: &str, id: &str, value: &Value) {
    let headers = Headers::default()
        .with("ce_id", id)
        .with("ce_source", "/test");
    let headers = headers.with("ce_specversion", "1.0");
    let value = value.to_string();
    world.send(&[world.record(topic, None, value.as_bytes(), headers)]);
}

#[test]
fn d6_an_event_before_its_saga_is_kept_and_one_after_its_end_is_an_orphan() {
    let world = World::new();
    world.define("delivery.yaml", DELIVERY);
    world.create_topic(&format!("{}-deliveries", world.app), &[]);
    let process = world.start("one");
    process.wait_for_lanes(LANES as usize, PATIENCE);
    let delivered = json!({ "type": "Delivered", "order": "D-1" });
    event(&world, "-deliveries", "e-1", &delivered);
    world.await_status("delivery/D-1", Status::Early);
    event(&world, "-deliveries", "e-1", &delivered);
    world.await_fact("it is one event", "delivery/D-1", |f| {
        f.reason.as_deref() == Some("duplicate")
    });
    let expected = json!({ "type": "DeliveryExpected", "id": "D-1" });
    event(&world, "-orders", "e-2", &expected);
    world.await_status("delivery/D-1", Status::Completed);
    event(&world, "-deliveries", "e-3", &delivered);
    let orphan = await_that("the event is an orphan", PATIENCE, || {
        let orphans = world.follow(&world.names().orphans());
        orphans.into_iter().next()
    });
    let reason = orphan
        .headers
        .text("skald-orphan-reason")
        .expect("a reason");
    assert!(reason.contains("is completed"), "{reason}");
    process.stop();
}
