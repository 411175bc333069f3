//! Lanes that change hands: a process that is frozen and comes back, one that is asked to stop, and two of one name.

use std::time::{Duration, Instant};

use connectors::kafka::KafkaLog;
use connectors::log::{Log, Options, Timeouts};
use connectors::redis::RedisStore;
use connectors::store::{Lease, Store};
use schemas::record::{Headers, Outgoing};
use tests::world::World;

use crate::faults::*;

/// Moments at which a worker is frozen, each in a process of its own.
const EARLY: [(&str, u32); 4] = [
    ("B2.loaded", 3),
    ("B4.begun", 3),
    ("B4.producing", 8),
    ("B4.flushed", 3),
];
const LATE: [(&str, u32); 4] = [
    ("B5.sent", 3),
    ("B6.before", 3),
    ("B6.committed", 3),
    ("B6.stored", 3),
];

#[test]
fn a_worker_frozen_early_in_a_batch_is_harmless_when_it_wakes() {
    let _took = Took::new("a_worker_frozen_early_in_a_batch_is_harmless_when_it_wakes");
    zombies(&EARLY);
}

#[test]
fn a_worker_frozen_around_its_commit_is_harmless_when_it_wakes() {
    let _took = Took::new("a_worker_frozen_around_its_commit_is_harmless_when_it_wakes");
    zombies(&LATE);
}

/// Each process is frozen at its moment for as long as it takes another to own all lanes, then thawed; the two share the lanes again
/// before the next, and the one that had taken over is killed, so that the zombie must go on alone.
fn zombies(moments: &[(&str, u32)]) {
    let world = World::new();
    let participants = participants(&world);
    world.under_load(PACE, || {
        for (turn, (moment, passage)) in moments.iter().enumerate() {
            let (mut zombie, mut heir) =
                frozen_then_thawed(&world, turn, &format!("{moment}:{passage}"));
            shared(&zombie, &heir);
            heir.kill9();
            ready(&zombie);
            zombie.kill9();
        }
    });
    all_is_well(&world, world.start("last"), participants);
}

fn frozen_then_thawed(
    world: &World,
    turn: usize,
    moment: &str,
) -> (tests::world::Skald, tests::world::Skald) {
    let zombie = world.start_with(&format!("zombie-{turn}"), &[("SKALD_FREEZE", moment)]);
    zombie.wait_for_output("Fault point engine.", PATIENCE);
    tests::harness::eventually("the worker is frozen", PATIENCE, || {
        zombie.is_frozen().then_some(())
    });
    let heir = world.start(&format!("heir-{turn}"));
    ready(&heir);
    zombie.thaw();
    (zombie, heir)
}

#[test]
fn a_frozen_worker_is_replaced_by_one_that_shared_the_lanes() {
    let _took = Took::new("a_frozen_worker_is_replaced_by_one_that_shared_the_lanes");
    let world = World::new();
    let participants = participants(&world);
    let (one, two) = (world.start("one"), world.start("two"));
    world.under_load(PACE, || {
        for _ in 0..2 {
            shared(&one, &two);
            one.freeze();
            ready(&two);
            one.thaw();
        }
        shared(&one, &two);
    });
    one.stop();
    all_is_well(&world, two, participants);
}

#[test]
fn a_planned_stop_hands_over_at_once() {
    let _took = Took::new("a_planned_stop_hands_over_at_once");
    let world = World::new();
    let participants = participants(&world);
    let mut last = world.start("first");
    world.under_load(PACE, || {
        for name in ["second", "third"] {
            let next = world.start(name);
            shared(&last, &next);
            let begun = Instant::now();
            std::mem::replace(&mut last, next).stop();
            let stopped = begun.elapsed();
            ready(&last);
            let taken = begun.elapsed();
            println!("stopped after {stopped:.1?}, {name} had all lanes after {taken:.1?}");
            // Whoever waits for the session of the one that left needs longer than that alone for the take-over.
            assert!(
                taken - stopped < tests::world::timeouts().session,
                "handover took {taken:?}, the stop {stopped:?}"
            );
        }
    });
    all_is_well(&world, last, participants);
}

#[test]
fn a_second_process_of_one_name_is_refused() {
    let _took = Took::new("a_second_process_of_one_name_is_refused");
    let world = World::new();
    let participants = participants(&world);
    let first = world.start("one");
    ready(&first);
    let second = world.start("one");
    second.wait_for_end(Duration::from_secs(20));
    let said = second.output();
    assert!(
        said.contains("instance name `one` is used by another living process"),
        "{said}"
    );
    assert!(said.contains("--instance"), "{said}");
    world.trigger(20);
    all_is_well(&world, first, participants);
}

/// Nobody waits until a lease runs out that its holder gave up.
#[test]
fn a_name_is_free_as_soon_as_its_process_was_stopped() {
    let _took = Took::new("a_name_is_free_as_soon_as_its_process_was_stopped");
    let world = World::new();
    let participants = participants(&world);
    let first = world.start("one");
    ready(&first);
    let mut store = RedisStore::open(&world.store(), &world.app).expect("redis answers");
    let mut taken = || store.lease("one", "somebody", Duration::from_millis(20));
    assert!(matches!(taken(), Ok(Lease::Foreign(_))), "it is held");
    first.stop();
    assert_eq!(taken(), Ok(Lease::Held));
    let again = world.start("one");
    ready(&again);
    world.trigger(20);
    all_is_well(&world, again, participants);
}

/// Idle lanes stand behind markers, which is no stall; an open transaction of somebody else is one, and is told as such.
#[test]
fn an_open_transaction_in_the_inbox_is_told_and_idle_lanes_are_not() {
    let _took = Took::new("an_open_transaction_in_the_inbox_is_told_and_idle_lanes_are_not");
    let world = World::new();
    let participants = participants(&world);
    let skald = world.start("one");
    ready(&skald);
    let keys = world.trigger(20);
    world.wait_for_ends_of(&keys, Duration::from_secs(120), false);
    // Longer than whoever looks has patience.
    std::thread::sleep(Duration::from_secs(25));
    assert!(
        !skald.output().contains("stands still"),
        "{}",
        skald.output()
    );
    let options = Options {
        transactional_id: Some(format!("{}-foreign", world.app)),
        timeouts: Timeouts {
            transaction: Duration::from_secs(120),
            ..tests::world::timeouts()
        },
        ..Options::default()
    };
    let mut foreign = KafkaLog::open(&world.cluster(), &options).expect("opens");
    foreign.begin().expect("begun");
    let record = Outgoing {
        topic: world.names().inbox(),
        partition: Some(0),
        key: None,
        value: Some(b"{}".to_vec()),
        headers: Headers::default(),
    };
    foreign.produce(&record, 0).expect("handed over");
    foreign.flush().expect("written");
    skald.wait_for_output("cause=\"open_transaction\"", Duration::from_secs(60));
    foreign.abort().expect("aborted");
    world.trigger(20);
    all_is_well(&world, skald, participants);
}

#[test]
fn a_zombie_whose_name_was_taken_ends() {
    let _took = Took::new("a_zombie_whose_name_was_taken_ends");
    let world = World::new();
    let participants = participants(&world);
    let zombie = world.start("one");
    let heir = world.under_load(PACE, || {
        ready(&zombie);
        zombie.freeze();
        let heir = world.start("one");
        ready(&heir);
        zombie.thaw();
        zombie.wait_for_end(PATIENCE);
        heir
    });
    let said = zombie.output();
    assert!(
        said.contains("another process took over the instance name"),
        "{said}"
    );
    assert!(said.contains("--instance"), "{said}");
    all_is_well(&world, heir, participants);
}
