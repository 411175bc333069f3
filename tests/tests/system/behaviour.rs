//! What sagas do when participants refuse, fall silent, answer late or twice, and when triggers come twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use connectors::participant::ledger::{Entry, Ledger};
use connectors::participant::{Answer, Command, Reply, Running};
use saga_lib::id::CommandId;
use saga_lib::instance::{IncidentKind, Status};
use schemas::command::Incoming;
use schemas::history::{Fact, Verdict};
use serde_json::json;
use tests::world::World;

const ENDS: Duration = Duration::from_secs(60);

fn ok() -> Answer {
    Answer::ok(json!({ "ok": true }))
}

fn stop(participants: Vec<Running>) {
    for participant in participants {
        participant.stop();
    }
}

fn ignored(fact: &Fact, kind: &str, reason: &str) -> bool {
    let word = fact.reason.as_deref() == Some(reason);
    fact.applied == Verdict::Ignored && fact.input.kind == kind && word
}

/// The effect happened in the participant's own store, whatever became of its reply.
fn effect_of(world: &World, command: &Incoming) {
    let effect = Entry::Effect(Reply::new("ok", json!({})));
    let mut ledger = world.ledger.clone();
    let stored = ledger.transact(&command.id.forward_id(), |_| (Some(effect), ()));
    stored.expect("the ledger answers");
}

fn compensated_by(world: &World, command: &Incoming) {
    let done = Entry::Compensated(Reply::new("ok", json!({})));
    let mut ledger = world.ledger.clone();
    let stored = ledger.transact(&command.id.forward_id(), |_| (Some(done), ()));
    stored.expect("the ledger answers");
}

#[test]
fn a_refusal_compensates_in_reverse_order() {
    let world = World::new();
    let skald = world.start("one");
    let refused_at = |command: &Command| match command.id.saga.as_str() {
        "order/O-1" => "reserve",
        "order/O-2" => "charge",
        "order/O-3" => "dispatch",
        _ => "nowhere",
    };
    let participants = world.participants(move |command| {
        if refused_at(command) == command.r#type {
            Answer::refused("sold_out", "nothing left")
        } else {
            ok()
        }
    });
    world.trigger(4);
    world.wait_for_ends(ENDS, false);
    assert_eq!(world.sent("order/O-1"), ["reserve"]);
    assert_eq!(world.sent("order/O-2"), ["reserve", "charge", "release!"]);
    assert_eq!(
        world.sent("order/O-3"),
        ["reserve", "charge", "dispatch", "refund!", "release!"]
    );
    assert_eq!(world.sent("order/O-4"), ["reserve", "charge", "dispatch"]);
    let instances = world.instances();
    for key in ["O-1", "O-2", "O-3"] {
        assert_eq!(
            instances[&format!("order/{key}")].status,
            Status::Compensated
        );
        let cancelled = json!({ "id": key, "reason": "sold_out" });
        assert_eq!(
            world.published(key),
            [("OrderCancelled".to_owned(), cancelled)]
        );
    }
    assert_eq!(instances["order/O-4"].status, Status::Completed);
    assert_eq!(
        world.published("O-4"),
        [("OrderCompleted".to_owned(), json!({ "id": "O-4" }))]
    );
    stop(participants);
    skald.stop();
    world.check();
}

/// The compensation of a later step is confirmed before that of an earlier one is sent.
#[test]
fn a_slow_compensation_holds_up_the_next() {
    let world = World::new();
    let skald = world.start("one");
    let participants = vec![
        world.participant("stock", "reserve", "release", |_| ok()),
        world.participant("shipping", "dispatch", "recall", |_| {
            Answer::refused("no_route", "")
        }),
    ];
    world.trigger(1);
    let charge = world.await_command("payment", "order/O-1/charge", 1);
    effect_of(&world, &charge);
    world.reply(&charge, "ok", &json!({}));
    let refund = world.await_command("payment", "order/O-1/charge!c", 1);
    assert_eq!(refund.compensates.as_ref(), Some(&charge.id));
    assert_eq!(
        world.sent("order/O-1"),
        ["reserve", "charge", "dispatch", "refund!"]
    );
    compensated_by(&world, &refund);
    world.reply(&refund, "ok", &json!({}));
    world.wait_for_ends(ENDS, false);
    assert_eq!(
        world.sent("order/O-1"),
        ["reserve", "charge", "dispatch", "refund!", "release!"]
    );
    let released = world.await_fact("the release", "order/O-1", |fact| {
        fact.commands.iter().any(|c| c.r#type == "release")
    });
    assert_eq!(
        released.input.command,
        Some(refund.id),
        "nothing else releases"
    );
    stop(participants);
    skald.stop();
    world.check();
}

#[test]
fn duplicates_and_silence_change_nothing() {
    let world = World::new();
    let skald = world.start("one");
    let open = Arc::new(AtomicBool::new(false));
    let gate = open.clone();
    let participants = world.participants(move |command| {
        if command.id.saga.as_str() == "order/O-1" && !gate.load(Ordering::SeqCst) {
            return Answer::nothing();
        }
        ok().twice()
    });
    let keys = world.trigger(3);
    world.await_command("stock", "order/O-1/reserve", 3);
    world.publish(&keys[..1]);
    world.await_fact("a duplicate before the end", "order/O-1", |fact| {
        ignored(fact, "event", "duplicate") && fact.status_before == Some(Status::Running)
    });
    open.store(true, Ordering::SeqCst);
    world.wait_for_ends(ENDS, false);
    world.publish(&keys);
    for key in &keys {
        let saga = format!("order/{key}");
        world.await_fact("a duplicate after the end", &saga, |fact| {
            ignored(fact, "event", "duplicate") && fact.status_before == Some(Status::Completed)
        });
        world.await_fact("a duplicate reply", &saga, |f| {
            ignored(f, "reply", "duplicate")
        });
        assert_eq!(world.sent(&saga), ["reserve", "charge", "dispatch"]);
    }
    let attempts: Vec<u32> = world
        .commands("stock", "order/O-1")
        .iter()
        .map(|c| c.attempt)
        .collect();
    assert!(
        attempts.iter().copied().eq(1..=attempts.len() as u32),
        "{attempts:?}"
    );
    stop(participants);
    skald.stop();
    world.check();
    assert!(
        world
            .instances()
            .values()
            .all(|i| i.status == Status::Completed)
    );
}

/// `reserve` is given up after two attempts.
fn impatient(step: &str) -> String {
    let patient = "timeout: 1s\n    retry: { max: 60, first: 100ms, cap: 1s }";
    let hasty = "timeout: 400ms\n    retry: { max: 2, first: 50ms, cap: 100ms }";
    let text = include_str!("../../src/world/order.yaml");
    let (before, after) = text.split_once(&format!("id: {step}\n")).expect("the step");
    format!("{before}id: {step}\n{}", after.replacen(patient, hasty, 1))
}

#[test]
fn a_late_success_is_compensated() {
    let world = World::new();
    world.define("order.yaml", &impatient("reserve"));
    let skald = world.start("one");
    world.trigger(2);
    let mut reserved = Vec::new();
    let mut releases = Vec::new();
    for saga in ["order/O-1", "order/O-2"] {
        let id = format!("{saga}/reserve");
        reserved.push(world.await_command("stock", &id, 1));
        let second = world.await_command("stock", &id, 2);
        assert_eq!((second.attempt, second.id.to_string()), (2, id.clone()));
        releases.push(world.await_command("stock", &format!("{id}!c"), 1));
    }
    // The first answers after its compensation was confirmed, the second while it is pending.
    late_after_confirmation(&world, &reserved[0], &releases[0]);
    late_while_pending(&world, &reserved[1], &releases[1]);
    assert_eq!(world.sent("order/O-1"), ["reserve", "release!", "release!"]);
    assert_eq!(world.sent("order/O-2"), ["reserve", "release!"]);
    for key in ["O-1", "O-2"] {
        let published = world.published(key);
        assert_eq!(published.len(), 1, "said once: {published:?}");
        assert_eq!(published[0].0, "OrderCancelled");
    }
    skald.stop();
    world.check();
}

fn late_after_confirmation(world: &World, reserve: &Incoming, release: &Incoming) {
    // None of the attempts had an effect when the compensation came; a transport of theirs delivers one later all the same.
    world.reply(release, "ok", &json!({}));
    world.await_status("order/O-1", Status::Compensated);
    effect_of(world, reserve);
    world.reply(reserve, "ok", &json!({}));
    let again = world.await_command("stock", "order/O-1/reserve!c#2", 1);
    assert_eq!(again.compensates.as_ref(), Some(&reserve.id));
    assert_eq!(world.instances()["order/O-1"].status, Status::Compensating);
    compensated_by(world, &again);
    world.reply(&again, "ok", &json!({}));
    world.await_status("order/O-1", Status::Compensated);
}

fn late_while_pending(world: &World, reserve: &Incoming, release: &Incoming) {
    effect_of(world, reserve);
    world.reply(reserve, "ok", &json!({}));
    world.await_fact("the late reply", "order/O-2", |fact| {
        fact.input.kind == "reply" && fact.status_after == Some(Status::Compensating)
    });
    compensated_by(world, release);
    world.reply(release, "ok", &json!({}));
    world.await_status("order/O-2", Status::Compensated);
}

#[test]
fn an_unknown_pivot_parks_until_its_late_reply() {
    let world = World::new();
    world.define("order.yaml", &impatient("ship"));
    let skald = world.start("one");
    let participants = vec![
        world.participant("stock", "reserve", "release", |_| ok()),
        world.participant("payment", "charge", "refund", |_| ok()),
    ];
    world.trigger(2);
    for (saga, outcome) in [("order/O-1", "ok"), ("order/O-2", "refused")] {
        let dispatch = world.await_command("shipping", &format!("{saga}/ship"), 1);
        let parked = world.await_status(saga, Status::Parked);
        let incident = parked.incident.expect("an incident");
        assert_eq!(incident.kind, IncidentKind::UnknownPivot);
        assert_eq!(incident.detail, "step ship: timeout after 2 attempt(s)");
        assert!(
            world
                .published(saga.trim_start_matches("order/"))
                .is_empty()
        );
        if outcome == "ok" {
            effect_of(&world, &dispatch);
        }
        world.reply(&dispatch, outcome, &json!({}));
    }
    world.wait_for_ends(ENDS, false);
    let instances = world.instances();
    assert_eq!(instances["order/O-1"].status, Status::Completed);
    assert_eq!(instances["order/O-2"].status, Status::Compensated);
    assert_eq!(world.sent("order/O-1"), ["reserve", "charge", "dispatch"]);
    assert_eq!(
        world.sent("order/O-2"),
        ["reserve", "charge", "dispatch", "refund!", "release!"]
    );
    let pivot = CommandId::parse("order/O-1/ship").expect("an id");
    assert!(matches!(world.ledger.entry(&pivot), Entry::Effect(_)));
    stop(participants);
    skald.stop();
    world.check();
}
