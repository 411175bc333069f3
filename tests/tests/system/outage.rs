//! Servers that lose everything, go back in time, die, or stand still.

use std::time::{Duration, Instant};

use tests::harness::{self, Broker, RedisServer, eventually};
use tests::world::World;

use crate::faults::*;

#[test]
fn an_emptied_store_is_rebuilt_under_load() {
    let _took = Took::new("an_emptied_store_is_rebuilt_under_load");
    let redis = RedisServer::start();
    let (world, participants, skald) = begin(harness::kafka().address(), redis.url());
    world.under_load(PACE, || {
        for _ in 0..3 {
            let sagas = some_more(&world, 10);
            redis::cmd("FLUSHALL")
                .exec(&mut connection(&redis))
                .expect("flushed");
            stored_again(&world, &redis, sagas);
        }
    });
    all_is_well(&world, skald, participants);
}

#[test]
fn a_store_that_went_back_in_time_catches_up() {
    let _took = Took::new("a_store_that_went_back_in_time_catches_up");
    let redis = RedisServer::start();
    let (world, participants, skald) = begin(harness::kafka().address(), redis.url());
    world.under_load(PACE, || {
        some_more(&world, 10);
        // The dump stays where the server looks for one when it starts.
        redis::cmd("SAVE")
            .exec(&mut connection(&redis))
            .expect("saved");
        let sagas = some_more(&world, 15);
        redis.restart();
        stored_again(&world, &redis, sagas);
        some_more(&world, 10);
    });
    all_is_well(&world, skald, participants);
}

#[test]
fn a_store_that_restarts_empty_or_full_is_used_again() {
    let _took = Took::new("a_store_that_restarts_empty_or_full_is_used_again");
    for redis in [RedisServer::start(), RedisServer::start_durable()] {
        let (world, participants, skald) = begin(harness::kafka().address(), redis.url());
        world.under_load(PACE, || {
            for _ in 0..2 {
                let sagas = some_more(&world, 10);
                redis.restart();
                stored_again(&world, &redis, sagas);
            }
        });
        all_is_well(&world, skald, participants);
    }
}

#[test]
fn a_frozen_store_holds_up_but_loses_nothing() {
    let _took = Took::new("a_frozen_store_holds_up_but_loses_nothing");
    let redis = RedisServer::start();
    let (world, participants, skald) = begin(harness::kafka().address(), redis.url());
    world.under_load(PACE, || {
        // Shorter and longer than a call of the store may take.
        for fault in [Duration::from_secs(2), Duration::from_secs(7)] {
            some_more(&world, 10);
            redis.freeze();
            lasting(fault);
            redis.thaw();
            some_more(&world, 10);
        }
    });
    all_is_well(&world, skald, participants);
}

/// Kafka 4.3 loses the end markers of transactions that its coordinator aborts for their age while the only broker starts again and is
/// not registered yet: their records then become part of the producer's next transaction. So it looks for old ones late here (the
/// default is 10 s), when the broker is up; what a dead or doubtful owner left open is ended by ourselves anyway.
const NO_HASTE: &str = "transaction.abort.timed.out.transaction.cleanup.interval.ms=60000";

/// One broker for all of it: starting one is dear.
#[test]
fn a_broker_that_dies_or_freezes_loses_nothing() {
    let _took = Took::new("a_broker_that_dies_or_freezes_loses_nothing");
    let broker = Broker::start_with(&[NO_HASTE]);
    let (world, participants, skald) = begin(broker.address(), harness::redis().url());
    world.under_load(PACE, || {
        for _ in 0..2 {
            some_more(&world, 10);
            broker.kill9();
            broker.restart();
        }
        // Longer than a transaction may be open, then longer than a session may be silent and a request unanswered.
        for fault in [Duration::from_millis(2500), Duration::from_secs(8)] {
            some_more(&world, 10);
            broker.freeze();
            lasting(fault);
            broker.thaw();
        }
        some_more(&world, 10);
    });
    all_is_well(&world, skald, participants);
}

fn begin(
    kafka: &str,
    redis: &str,
) -> (
    World,
    Vec<connectors::participant::Running>,
    tests::world::Skald,
) {
    let world = World::on(kafka, redis);
    let participants = participants(&world);
    let skald = world.start("one");
    ready(&skald);
    (world, participants, skald)
}

/// Waits until so many more sagas ended; answers how many are known then.
fn some_more(world: &World, count: usize) -> usize {
    let sagas = world.triggered().len() + count;
    eventually("further orders", PATIENCE, || {
        (world.triggered().len() >= sagas).then_some(())
    });
    world.wait_for_ends_of(&world.triggered()[..sagas], PATIENCE, false);
    sagas
}

/// The fault itself takes this long.
fn lasting(fault: Duration) {
    std::thread::sleep(fault);
}

fn connection(redis: &RedisServer) -> redis::Connection {
    let client = redis::Client::open(redis.url()).expect("a URL");
    client.get_connection().expect("a connection")
}

/// Waits until the store has documents of all these sagas again.
fn stored_again(world: &World, redis: &RedisServer, sagas: usize) {
    let begun = Instant::now();
    let mut connection = connection(redis);
    eventually("the store is rebuilt", PATIENCE, || {
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg(format!("{{{}:*s:order/*", world.app))
            .query(&mut connection)
            .expect("keys");
        (keys.len() >= sagas).then_some(())
    });
    println!(
        "{sagas} sagas stood in the store again after {:.1?}",
        begun.elapsed()
    );
}
