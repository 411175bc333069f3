//! kill -9 at every stage boundary of a batch and of a recovery, and at random.
//!
//! Each chain is one world under load. A process is started with one point at which it kills itself, must die there, and the next
//! process finds what it left. At the end a process that nothing disturbs brings every saga to its end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use connectors::kafka::KafkaLog;
use connectors::log::{Log, Options};
use orchestrator::crash::POINTS;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use saga_lib::instance::Status;
use schemas::topics::{Kind, settings};
use tests::harness::eventually;
use tests::world::{Skald, World, timeouts};

use crate::faults::*;

/// Points of a batch up to the produced records, with the passage that kills.
const BATCH: [(&str, u32); 7] = [
    ("B1.polled", 3),
    ("B2.loaded", 3),
    ("B3.planned", 3),
    ("B4.begun", 3),
    ("B4.producing", 8),
    ("B4.flushed", 3),
    ("B5.before", 3),
];

/// Points around the commit. A store that is behind is left by the first and found by the second and third.
const COMMIT: [(&str, u32); 8] = [
    ("B6.committed", 4),
    ("R4.journal", 1),
    ("R5.applied", 1),
    ("R5.started", 2),
    ("B5.sent", 3),
    ("B6.before", 3),
    ("B6.stored", 3),
    ("B8.timers", 1),
];

const RECOVERY: [(&str, u32); 2] = [("R1.claimed", 2), ("R2.offset", 3)];

/// After these a fault from outside is needed.
const REPAIR: [&str; 2] = ["B7.replaced", "B7.aborted"];

/// What an ingress passes; it has no store and no timers.
const INGRESS: [(&str, u32); 12] = [
    ("ingress.B1.polled", 2),
    ("ingress.B2.loaded", 2),
    ("ingress.B3.planned", 2),
    ("ingress.B4.begun", 2),
    ("ingress.B4.producing", 2),
    ("ingress.B4.flushed", 2),
    ("ingress.B5.before", 2),
    ("ingress.B5.sent", 2),
    ("ingress.B6.before", 2),
    ("ingress.B6.committed", 2),
    ("ingress.R2.offset", 1),
    ("ingress.R5.started", 1),
];

#[test]
fn every_point_is_in_a_chain() {
    let chains = BATCH.iter().chain(&COMMIT).chain(&RECOVERY);
    let tried: BTreeSet<&str> = chains.map(|(point, _)| *point).chain(REPAIR).collect();
    assert_eq!(tried, POINTS.into_iter().collect());
}

#[test]
fn d7_killed_at_every_boundary_of_a_batch() {
    let _took = Took::new("killed_at_every_boundary_of_a_batch");
    chain(&BATCH);
}

#[test]
fn d7_killed_at_every_boundary_of_a_commit() {
    let _took = Took::new("killed_at_every_boundary_of_a_commit");
    chain(&COMMIT);
}

#[test]
fn the_ingress_killed_at_every_boundary() {
    let _took = Took::new("the_ingress_killed_at_every_boundary");
    chain(&INGRESS);
}

#[test]
fn killed_while_recovering_and_while_repairing() {
    let _took = Took::new("killed_while_recovering_and_while_repairing");
    let world = World::new();
    let participants = participants(&world);
    world.under_load(PACE, || {
        for (point, passage) in RECOVERY {
            let skald = armed(&world, point, passage);
            died_there(skald, point);
        }
        killed_when_fenced(&world, "engine");
        killed_when_fenced(&world, "ingress");
        killed_when_an_output_is_refused(
            &world,
            "B7.aborted",
            &format!("{}-stock.commands", world.app),
        );
        killed_when_an_output_is_refused(&world, "ingress.B7.aborted", &world.names().inbox());
    });
    all_ended_or_parked(&world, world.start("one"), participants);
}

#[test]
fn killed_at_random() {
    let _took = Took::new("killed_at_random");
    let world = World::new();
    let participants = participants(&world);
    world.under_load(PACE, || {
        for round in [1, 4, 2] {
            let mut skald = world.start("one");
            // Some way into its work, each time another one.
            skald.wait_for_lanes(round, PATIENCE);
            skald.kill9();
        }
    });
    all_is_well(&world, world.start("one"), participants);
}

#[test]
fn two_processes_killed_in_turn() {
    let _took = Took::new("two_processes_killed_in_turn");
    let world = World::new();
    let participants = participants(&world);
    let last = world.under_load(PACE, || {
        let mut two = world.start("two");
        ready(&two);
        for _ in 0..2 {
            let mut one = world.start("one");
            shared(&one, &two);
            two.kill9();
            ready(&one);
            two = world.start("two");
            shared(&two, &one);
            one.kill9();
            ready(&two);
        }
        two
    });
    all_is_well(&world, last, participants);
}

fn chain(points: &[(&str, u32)]) {
    let world = World::new();
    let participants = participants(&world);
    world.under_load(PACE, || {
        for (point, passage) in points {
            died_there(armed(&world, point, *passage), point);
        }
    });
    all_is_well(&world, world.start("one"), participants);
}

fn armed(world: &World, point: &str, passage: u32) -> Skald {
    world.start_with("one", &[("SKALD_CRASH", &format!("{point}:{passage}"))])
}

/// A process that ends anywhere else, or not at all, fails the test.
fn died_there(mut skald: Skald, point: &str) {
    let said = format!("Fault point {} reached.", role_and(point));
    skald.wait_for_output(&said, PATIENCE);
    skald.wait_for_end(PATIENCE);
    skald.kill9();
}

fn role_and(point: &str) -> String {
    let with_role = point.starts_with("ingress.") || point.starts_with("engine.");
    if with_role {
        point.to_owned()
    } else {
        format!("engine.{point}")
    }
}

/// Somebody else begins transactions under the name of a worker, so that its own is refused and its producers are replaced.
fn killed_when_fenced(world: &World, role: &str) {
    let point = format!("{role}.B7.replaced");
    let skald = world.start_with("one", &[("SKALD_CRASH", &point)]);
    ready(&skald);
    let options = Options {
        timeouts: timeouts(),
        ..Options::default()
    };
    let mut log = KafkaLog::open(&world.cluster(), &options).expect("the broker answers");
    let id = format!("{}.{role}.one.0", world.app);
    eventually("a fenced worker replaces its producers", PATIENCE, || {
        // Held up while a transaction of the worker is being ended: then it is asked again.
        let _ = log.fence(&id);
        (!skald.is_alive()).then_some(())
    });
    died_there(skald, &point);
}

/// A topic takes only records that are smaller than any, so the broker refuses what the worker has checked. If it looks at the topic
/// again in between, it parks what it would have sent, and the topic is changed again.
fn killed_when_an_output_is_refused(world: &World, point: &str, topic: &str) {
    let before = bytes_max(world, topic);
    let skald = armed(world, point, 1);
    ready(&skald);
    eventually("the broker refuses an output", PATIENCE, || {
        one_saga_ends(world);
        set_bytes_max(world, topic, 100);
        let died = dies_soon(&skald);
        set_bytes_max(world, topic, before);
        died.then_some(())
    });
    died_there(skald, point);
}

/// The worker sees topics as they are: a saga that begins now is not parked.
fn one_saga_ends(world: &World) {
    eventually("a saga that is not parked", PATIENCE, || {
        let keys = world.trigger(1);
        world.wait_for_ends_of(&keys, PATIENCE, true);
        let status = world
            .instances()
            .get(&format!("order/{}", keys[0]))
            .map(|instance| instance.status);
        status.is_some_and(Status::is_final).then_some(())
    });
}

/// Dead within the time in which some commands are sent.
fn dies_soon(skald: &Skald) -> bool {
    let begun = Instant::now();
    while skald.is_alive() && begun.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(20));
    }
    !skald.is_alive()
}

fn bytes_max(world: &World, topic: &str) -> usize {
    let told = world
        .log()
        .topic(topic)
        .expect("an answer")
        .expect("the topic exists");
    told.message_bytes_max.expect("its limit is told")
}

fn set_bytes_max(world: &World, topic: &str, bytes: usize) {
    let mut config = rdkafka::ClientConfig::new();
    let admin: AdminClient<DefaultClientContext> = config
        .set("bootstrap.servers", &world.kafka)
        .create()
        .expect("a client");
    let text = bytes.to_string();
    // What is not named goes back to the broker's default.
    let others = if topic == world.names().inbox() {
        settings(Kind::Inbox)
    } else {
        Vec::new()
    };
    let wanted = AlterConfig::new(ResourceSpecifier::Topic(topic));
    let wanted = others
        .iter()
        .fold(wanted, |wanted, (name, value)| wanted.set(name, value));
    let wanted = wanted.set("max.message.bytes", &text);
    // It is enough to ask; the description tells when it is done.
    let asked = admin.alter_configs([&wanted], &AdminOptions::new());
    eventually(
        "the topic's limit is changed",
        Duration::from_secs(20),
        || (bytes_max(world, topic) == bytes).then_some(()),
    );
    drop(asked);
}
