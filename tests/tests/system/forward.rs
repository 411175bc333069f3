//! Sagas that nothing disturbs.

use std::time::Duration;

use connectors::participant::Answer;
use saga_lib::instance::Status;
use serde_json::json;
use tests::world::World;

#[test]
fn the_order_saga_runs_forward() {
    let world = World::new();
    let skald = world.start("one");
    let participants = world.participants(|_| Answer::ok(json!({ "ok": true })));
    world.trigger(50);
    world.wait_for_ends(Duration::from_secs(60), false);
    world.check();
    assert!(
        world
            .instances()
            .values()
            .all(|i| i.status == Status::Completed)
    );
    skald.stop();
    drop(participants);
}
