//! What the tests of faults share.

use std::time::{Duration, Instant};

use connectors::participant::Running;
use tests::harness::eventually;
use tests::world::{LANES, Skald, World, mixed};

/// Two busy cores need patience; nothing here waits that long where all is well.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Pause between two orders: some sagas are at every stage at any time.
pub const PACE: Duration = Duration::from_millis(150);

/// Tells how long a test took.
pub struct Took(&'static str, Instant);

impl Took {
    pub fn new(name: &'static str) -> Self {
        Self(name, Instant::now())
    }
}

impl Drop for Took {
    fn drop(&mut self) {
        println!("{} took {:.1?}", self.0, self.1.elapsed());
    }
}

/// Participants of the usual temper.
pub fn participants(world: &World) -> Vec<Running> {
    world.participants(mixed)
}

/// Waits until a process that is alone has all lanes.
pub fn ready(skald: &Skald) {
    skald.wait_for_lanes(LANES as usize, PATIENCE);
}

/// Waits until two processes share the lanes.
pub fn shared(one: &Skald, two: &Skald) {
    eventually("both processes have lanes of their own", PATIENCE, || {
        let (one, two) = (one.ready_lanes(), two.ready_lanes());
        (!one.is_empty()
            && !two.is_empty()
            && one.is_disjoint(&two)
            && one.len() + two.len() == LANES as usize)
            .then_some(())
    });
}

/// What stands at the end of every test: all sagas ended, every promise held, and the process still stops as it is asked to.
pub fn all_is_well(world: &World, skald: Skald, participants: Vec<Running>) {
    world.wait_for_ends(PATIENCE, false);
    let facts = world.check();
    println!(
        "{} sagas, {} commands",
        world.triggered().len(),
        facts.commands.len()
    );
    skald.stop();
    participants.into_iter().for_each(Running::stop);
}
