//! Command topics that cannot take a record: deleted, not writable, too small. Only the sagas that need them wait.

use std::time::{Duration, Instant};

use connectors::participant::{Answer, Running};
use saga_lib::instance::{IncidentKind, Instance, Status};
use schemas::record::Headers;
use serde_json::json;
use tests::harness::{self, Broker, acl};
use tests::world::World;

const AUTHORIZER: [&str; 2] = [
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found=true",
];

/// Begins with a command to `APP-NAME.commands`, and would tell of its incident there, too: that must not make things worse.
const JOB: &str = "
saga: NAME
version: 1
start: { topic: APP-jobs, type: NAME, as: job, key: job.id, from: earliest }
steps:
  - id: work
    command: APP-NAME.work
    with: { job: =job.id, note: =job.note }
    compensate: none
    because: work leaves nothing behind
    timeout: 1s
    retry: { max: 60, first: 100ms, cap: 1s }
finally:
  parked: { publish: APP-NAME.commands, type: help, with: { id: =job.id } }
";

const NAMES: [&str; 3] = ["gone", "locked", "narrow"];

fn world(broker: &Broker) -> World {
    let world = World::on(broker.address(), harness::redis().url());
    for name in NAMES {
        world.define(&format!("{name}.yaml"), &JOB.replace("NAME", name));
        world.create_topic(&topic(&world, name), &[]);
    }
    world.create_topic(&format!("{}-jobs", world.app), &[]);
    world
}

fn topic(world: &World, name: &str) -> String {
    format!("{}-{name}.commands", world.app)
}

/// Starts jobs of one definition; their commands are about 1 KB.
fn start_jobs(world: &World, name: &str, ids: &[&str]) {
    let event = |id: &&str| {
        let value = json!({ "type": name, "id": id, "note": noise(id) });
        let value = value.to_string();
        world.record("-jobs", Some(id), value.as_bytes(), Headers::default())
    };
    world.send(&ids.iter().map(event).collect::<Vec<_>>());
}

/// Text that does not compress well.
fn noise(seed: &str) -> String {
    let mut state = seed
        .bytes()
        .fold(1_u64, |s, b| s.wrapping_mul(31) + u64::from(b));
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state % 90).unwrap_or_default())
    };
    let text: String = std::iter::repeat_with(next).take(3000).collect();
    text.replace(['"', '\\'], "+")
}

fn workers(world: &World) -> Vec<Running> {
    let start = |name| world.participant(name, "work", "undo", |_| Answer::ok(json!({})));
    NAMES.into_iter().map(start).collect()
}

fn assert_refused(world: &World, saga: &str, expected: &[&str]) -> Instance {
    let parked = world.await_status(saga, Status::Parked);
    let incident = parked.incident.clone().expect("an incident");
    assert_eq!(incident.kind, IncidentKind::OutputRefused, "{incident:?}");
    for part in expected {
        assert!(incident.detail.contains(part), "{}", incident.detail);
    }
    parked
}

/// Sagas of other definitions pass while some are parked, within this time.
fn assert_others_go_on(world: &World) {
    let begun = Instant::now();
    let keys = world.trigger(5);
    for key in keys {
        world.await_status(&format!("order/{key}"), Status::Completed);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}

fn retry(world: &World, sagas: &[&str]) {
    let signals: Vec<_> = sagas.iter().map(|saga| world.retry_signal(saga)).collect();
    world.send(&signals);
    for saga in sagas {
        world.await_status(saga, Status::Completed);
    }
}

#[test]
fn topics_that_take_no_record_park_only_the_sagas_that_need_them() {
    let broker = Broker::start_with(&AUTHORIZER);
    let world = world(&broker);
    let skald = world.start("one");
    let mut participants = world.participants(|_| Answer::ok(json!({ "ok": true })));
    participants.extend(workers(&world));
    // Every topic is known to be good first.
    for name in NAMES {
        start_jobs(&world, name, &["J-0"]);
        world.await_status(&format!("{name}/J-0"), Status::Completed);
    }
    assert_others_go_on(&world);

    world.alter_topic(&topic(&world, "narrow"), &[("max.message.bytes", "1500")]);
    start_jobs(&world, "narrow", &["J-1", "J-2"]);
    acl::deny_write(&world.kafka, &topic(&world, "locked"));
    start_jobs(&world, "locked", &["J-1", "J-2"]);
    world.delete_topic(&topic(&world, "gone"));
    start_jobs(&world, "gone", &["J-1", "J-2"]);
    assert_others_go_on(&world);
    for job in ["J-1", "J-2"] {
        for name in NAMES {
            let way_out = match name {
                "gone" => ["does not exist", "create it"],
                "locked" => ["not authorised", "grant the right"],
                _ => ["max.message.bytes", "raise the limit"],
            };
            let topic = topic(&world, name);
            let expected = [&way_out[..], &[&topic, "skald saga retry"]].concat();
            assert_refused(&world, &format!("{name}/{job}"), &expected);
        }
    }
    assert_others_go_on(&world);
    assert!(skald.is_alive());

    world.alter_topic(
        &topic(&world, "narrow"),
        &[("max.message.bytes", "1048588")],
    );
    acl::allow_write(&world.kafka, &topic(&world, "locked"));
    world.create_topic(&topic(&world, "gone"), &[]);
    retry(
        &world,
        &[
            "narrow/J-1",
            "narrow/J-2",
            "locked/J-1",
            "locked/J-2",
            "gone/J-1",
            "gone/J-2",
        ],
    );
    assert_others_go_on(&world);
    for participant in participants {
        participant.stop();
    }
    skald.stop();
    world.check();
}
