//! What the tests of faults share.

use std::time::{Duration, Instant};

use connectors::participant::Running;
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
    let begun = Instant::now();
    loop {
        let (of_one, of_two) = (one.ready_lanes(), two.ready_lanes());
        let both = !of_one.is_empty() && !of_two.is_empty() && of_one.is_disjoint(&of_two);
        if both && of_one.len() + of_two.len() == LANES as usize {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{of_one:?} and {of_two:?} are not shared:\n{}\n---\n{}",
            one.output(),
            two.output()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What stands at the end of every test: all sagas ended, every promise held, and the process still stops as it is asked to.
pub fn all_is_well(world: &World, skald: Skald, participants: Vec<Running>) {
    well(world, skald, participants, false);
}

/// The same where some may rightly be parked.
pub fn all_ended_or_parked(world: &World, skald: Skald, participants: Vec<Running>) {
    well(world, skald, participants, true);
}

fn well(world: &World, skald: Skald, participants: Vec<Running>, parked_counts: bool) {
    world.wait_for_ends(PATIENCE, parked_counts);
    let facts = world.check();
    println!(
        "{} sagas, {} commands",
        world.triggered().len(),
        facts.commands.len()
    );
    skald.stop();
    participants.into_iter().for_each(Running::stop);
}
