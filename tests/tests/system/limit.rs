//! A topic that turns into dead letters is stopped, and only that one.

use saga_lib::instance::Status;
use schemas::record::{Headers, Outgoing};
use tests::world::World;
use tests::world::hands::{PATIENCE, await_that};

use crate::input::PICKY;

/// Reads another topic.
const CALM: &str = "
saga: calm
version: 1
start: { topic: APP-calm, as: calm, key: calm.id, from: earliest }
steps:
  - publish: APP-order-events
    type: Calmed
    with: { id: =calm.id }
";

const IN_A_ROW: usize = 20;

fn event(world: &World, topic: &str, partition: u32, text: &str) -> Outgoing {
    let mut record = world.record(topic, None, text.as_bytes(), Headers::default());
    record.partition = Some(partition);
    record
}

/// Events of three partitions, each of which stays below the limit: only together they exceed it.
fn bad_events(world: &World) -> Vec<Outgoing> {
    let bad = |n: usize| {
        let text = format!(r#"{{"type":"Picky","id":"P-{n}"}}"#);
        event(world, "-orders", n as u32 % 3, &text)
    };
    (0..3 * (IN_A_ROW / 2)).map(bad).collect()
}

#[test]
fn a_topic_beyond_its_limit_stops_with_all_its_partitions_and_others_go_on() {
    let world = World::new();
    world.define("picky.yaml", PICKY);
    world.define("calm.yaml", CALM);
    world.create_topic(&format!("{}-calm", world.app), &[]);
    world.configure(&format!(
        "\n[ingress]\ndead_letters_in_a_row = {IN_A_ROW}\n"
    ));
    let bad = bad_events(&world);
    let one = world.start("one");
    world.send(&bad);
    one.wait_for_output("dead letters in a row", PATIENCE);
    let orders = format!("{}-orders", world.app);
    let committed = world.dead_letters(&orders).len();
    assert!(committed <= IN_A_ROW, "{committed} dead letters");

    let good = r#"{"type":"Picky","id":"P-good","amount":5}"#;
    world.send(&[event(&world, "-orders", 3, good)]);
    for (n, saga) in ["calm/C-1", "calm/C-2"].iter().enumerate() {
        let text = format!(r#"{{"id":"C-{}"}}"#, n + 1);
        world.send(&[event(&world, "-calm", n as u32, &text)]);
        world.await_status(saga, Status::Completed);
    }
    assert!(!world.instances().contains_key("picky/P-good"));
    assert_eq!(world.dead_letters(&orders).len(), committed);
    one.stop();

    // The operator has looked: the events are bad, not the definition.
    world.configure("");
    let two = world.start("two");
    await_that("the rest is set aside", PATIENCE, || {
        (world.dead_letters(&orders).len() == bad.len()).then_some(())
    });
    world.await_status("picky/P-good", Status::Completed);
    two.stop();
}
