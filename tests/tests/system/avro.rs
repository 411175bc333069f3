//! Business events in Avro, with a real registry: they start sagas, an unknown id is set aside, and a registry that is away holds a
//! source but costs nothing.

use std::process::Command;
use std::time::Duration;

use connectors::participant::Answer;
use saga_lib::instance::Status;
use schemas::avro::{Schema, encode_framed};
use schemas::record::{Headers, Outgoing};
use serde_json::json;
use tests::harness::{RegistryServer, provision};
use tests::world::World;
use tests::world::hands::await_that;

const PATIENCE: Duration = Duration::from_secs(60);

const ORDER: &str = r#"{"type":"record","name":"OrderPlaced","namespace":"com.shop","fields":[
    {"name":"id","type":"string"},
    {"name":"items","type":{"type":"array","items":"string"}},
    {"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}}]}"#;

/// The next version: another id.
const ORDER_2: &str = r#"{"type":"record","name":"OrderPlaced","namespace":"com.shop","fields":[
    {"name":"id","type":"string"},
    {"name":"items","type":{"type":"array","items":"string"}},
    {"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
    {"name":"placed","type":{"type":"long","logicalType":"timestamp-millis"},"default":0}]}"#;

/// An order as a service with a registry's serializer publishes it.
fn framed(id: u32, schema: &str, key: &str) -> Vec<u8> {
    let schema = Schema::parse(schema).expect("a schema");
    let order = json!({"id": key, "items": ["book"], "total": "12.30"});
    encode_framed(id, &schema, &order).expect("an order")
}

fn record(world: &World, partition: u32, value: &[u8]) -> Outgoing {
    let mut record = world.record("-orders", None, value, Headers::default());
    record.partition = Some(partition);
    record
}

/// `kcat -P ... FILE`: one record with the file's bytes.
fn kcat(world: &World, value: &[u8]) {
    provision::command("kcat", "kcat");
    let file = world.directory().join("order.avro");
    std::fs::write(&file, value).expect("written");
    let topic = format!("{}-orders", world.app);
    let status = Command::new("kcat")
        .args(["-P", "-b", &world.kafka, "-t", &topic])
        .arg(&file)
        .status();
    assert!(status.is_ok_and(|s| s.success()), "kcat produces");
}

#[test]
fn avro_events_start_sagas_and_wait_for_a_registry_that_is_away() {
    // Kafka and the registry start at the same time.
    let registry = std::thread::spawn(RegistryServer::start);
    let world = World::new();
    let registry = registry.join().expect("a registry");
    let first = registry.register("orders-value", ORDER);
    let second = registry.register("orders-value", ORDER_2);
    assert_eq!(registry.register("orders-value", ORDER), first);
    world.configure(&format!(
        "\n[registry]\nurl = \"{}\"\ntimeout = \"1s\"\n",
        registry.url()
    ));
    let skald = world.start("one");
    let participants = world.participants(|_| Answer::ok(json!({})));

    // JSON and Avro side by side, from this library and from kcat.
    world.trigger(2);
    world.send(&[record(&world, 1, &framed(first, ORDER, "A-1"))]);
    kcat(&world, &framed(first, ORDER, "A-2"));
    world.remember(&["A-1", "A-2"]);
    world.wait_for_ends(PATIENCE, false);
    let command = world.await_command("payment", "order/A-1/charge", 1);
    assert_eq!(command.payload["amount"], json!(12.3));

    // Neither the registry's "no such schema" nor a broken datum stops anything.
    let mut broken = framed(first, ORDER, "A-3");
    broken.pop();
    world.send(&[
        record(&world, 1, &framed(999_999, ORDER, "A-3")),
        record(&world, 1, &broken),
    ]);
    assert_set_aside(&world);

    // The registry is away and its second schema was never asked for: one partition waits, another goes on.
    registry.kill9();
    let send = |keys: [&str; 2]| {
        world.send(&keys.map(|key| record(&world, 0, &framed(second, ORDER_2, key))));
    };
    let waiting = ["W-1", "W-2", "W-3", "W-4"];
    send(["W-1", "W-2"]);
    skald.wait_for_output("Schema registry does not answer", PATIENCE);
    // Behind the records that are held already.
    send(["W-3", "W-4"]);
    world.send(&[record(&world, 1, &framed(first, ORDER, "A-4"))]);
    world.remember(&["A-4"]);
    world.wait_for_ends(PATIENCE, false);
    let instances = world.instances();
    assert!(
        waiting
            .iter()
            .all(|key| !instances.contains_key(&format!("order/{key}")))
    );

    registry.restart();
    world.remember(&waiting);
    world.wait_for_ends(PATIENCE, false);
    let instances = world.instances();
    assert_eq!(instances.len(), 9);
    assert!(instances.values().all(|i| i.status == Status::Completed));
    let orders = format!("{}-orders", world.app);
    assert_eq!(
        world.dead_letters(&orders).len(),
        2,
        "nobody was set aside meanwhile"
    );
    for participant in participants {
        participant.stop();
    }
    skald.stop();
    world.check();
}

fn assert_set_aside(world: &World) {
    let orders = format!("{}-orders", world.app);
    let letters = await_that("both are set aside", PATIENCE, || {
        let letters = world.dead_letters(&orders);
        (letters.len() >= 2).then_some(letters)
    });
    let messages = [
        "schema: the registry has no schema 999999: register it",
        "value: Avro `$.total`, byte ",
    ];
    for (letter, message) in letters.iter().zip(messages) {
        assert_eq!(
            (letter.class.as_str(), letter.stage.as_str()),
            ("undecodable", "decode")
        );
        assert!(letter.message.starts_with(message), "{}", letter.message);
    }
}
