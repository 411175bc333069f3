//! How long lanes stand still when a process dies, is replaced, or is asked to stop.
//!
//! Pulses (sagas of one quick step) keep every lane busy; what counts is the longest time between two commits of a lane, by the
//! journal's own times. Ends with 1 if a lane stands still longer than the contract allows: session timeout + 2 s after a kill, 1 s
//! after SIGTERM with a standby. `cargo bench -p tests --bench pause -- 3`: rounds.
//!
//! Absent on purpose: throughput, and any other fault (see `chaos`).

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use connectors::log::{Log, TopicSpec};
use connectors::participant::Answer;
use schemas::journal::{self, JournalRecord};
use schemas::record::Headers;
use serde_json::json;
use tests::harness::eventually;
use tests::world::{LANES, Skald, World, timeouts};

const PULSE: &str = "
saga: pulse
version: 1
start: { topic: APP-pulses, as: pulse, key: pulse.id, from: earliest }
steps:
  - id: beat
    command: APP-echo.beat
    with: { order: =pulse.id }
    pivot: true
    timeout: 30s
";

/// Longest time that each lane stood still, in ms.
struct Pauses {
    what: &'static str,
    bound_ms: i64,
    lanes: Vec<i64>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let rounds: u32 = arguments.find_map(|a| a.parse().ok()).unwrap_or(3);
    let world = world();
    let ok = |_: &_| Answer::ok(json!({ "ok": true }));
    let echo = world.participant("echo", "beat", "unbeat", ok);
    let over = AtomicBool::new(false);
    let pauses: Vec<Pauses> = std::thread::scope(|scope| {
        scope.spawn(|| pulses(&world, &over));
        let measured = (0..rounds).flat_map(|_| round(&world)).collect();
        over.store(true, Ordering::SeqCst);
        measured
    });
    echo.stop();
    pauses.iter().for_each(Pauses::tell);
    if pauses.iter().all(Pauses::is_within_bound) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The only process is killed and starts again; a standby takes over from a killed one, then from one that is asked to stop.
fn round(world: &World) -> [Pauses; 3] {
    let after_kill = i64::try_from(timeouts().session.as_millis()).unwrap_or(0) + 2_000;
    let mut one = world.start("one");
    one.wait_for_lanes(LANES as usize, PATIENCE);
    let restart = measure(world, "kill -9 and restart", after_kill, || {
        one.kill9();
        one = world.start("one");
    });
    let mut two = world.start("two");
    shared(&one, &two);
    let standby = measure(world, "kill -9 with a standby", after_kill, || two.kill9());
    let two = world.start("two");
    shared(&one, &two);
    let stop = measure(world, "SIGTERM with a standby", 1_000, || two.stop());
    one.stop();
    [restart, standby, stop]
}

fn measure(world: &World, what: &'static str, bound_ms: i64, act: impl FnOnce()) -> Pauses {
    quiet_second(world);
    let begun_ms = now_ms();
    act();
    eventually("every lane goes on", PATIENCE, || {
        let going_on = |lane| {
            commits(world, lane)
                .last()
                .is_some_and(|at| *at > now_ms() - 300)
        };
        std::thread::sleep(Duration::from_millis(100));
        ((0..LANES).all(going_on) && now_ms() > begun_ms + 1_500).then_some(())
    });
    let lanes = (0..LANES).map(|lane| longest(&commits(world, lane), begun_ms));
    Pauses {
        what,
        bound_ms,
        lanes: lanes.collect(),
    }
}

/// Lanes went on without a pause for a second: what is measured next begins from a steady state.
fn quiet_second(world: &World) {
    eventually("a steady second", PATIENCE, || {
        std::thread::sleep(Duration::from_millis(1_000));
        let since = now_ms() - 1_000;
        let steady = |lane| longest(&commits(world, lane), since) < 700;
        (0..LANES).all(steady).then_some(())
    });
}

/// Times of the commits of a lane.
fn commits(world: &World, lane: u32) -> Vec<i64> {
    let records = world.follow(&world.names().journal());
    let of_lane = records.iter().filter(|r| r.partition.number == lane);
    let header = |record: &_| matches!(journal::decode(record), Ok(JournalRecord::Header(_)));
    of_lane
        .filter(|record| header(record))
        .map(|record| record.timestamp_ms)
        .collect()
}

fn longest(commits: &[i64], from_ms: i64) -> i64 {
    let first = commits.iter().find(|at| **at >= from_ms);
    let first = first.map_or(i64::MAX, |at| at - from_ms);
    let pairs = commits.windows(2).filter(|two| two[0] >= from_ms);
    pairs
        .map(|two| two[1] - two[0])
        .max()
        .unwrap_or(0)
        .max(first)
}

impl Pauses {
    fn tell(&self) {
        let (what, bound_ms, lanes) = (self.what, self.bound_ms, &self.lanes);
        println!("{what}: lanes stood still for {lanes:?} ms (bound {bound_ms} ms)");
    }

    fn is_within_bound(&self) -> bool {
        self.lanes.iter().all(|ms| *ms <= self.bound_ms)
    }
}

fn shared(one: &Skald, two: &Skald) {
    eventually("two processes share the lanes", PATIENCE, || {
        let (of_one, of_two) = (one.ready_lanes(), two.ready_lanes());
        let all = of_one.len() + of_two.len() == LANES as usize;
        (all && !of_one.is_empty() && !of_two.is_empty()).then_some(())
    });
}

fn pulses(world: &World, over: &AtomicBool) {
    let mut log = world.log();
    let mut number = 0;
    while !over.load(Ordering::SeqCst) {
        number += 1;
        let id = format!("P-{number}");
        let value = json!({ "type": "Pulse", "id": id }).to_string();
        let headers = Headers::default().with("content-type", "application/json");
        let record = world.record("-pulses", Some(&id), value.as_bytes(), headers);
        log.produce_plain(&record, 0).expect("handed over");
        log.deliveries_plain(Duration::ZERO);
        std::thread::sleep(PULSES_EVERY);
    }
}

fn world() -> World {
    let world = World::new();
    world.define("pulse.yaml", PULSE);
    let spec = |topic: &str| TopicSpec {
        name: format!("{}-{topic}", world.app),
        partitions: LANES,
        config: Vec::new(),
    };
    let created = world
        .log()
        .create_topics(&["pulses", "echo.commands"].map(spec));
    created.expect("topics are created");
    world
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.map_or(0, |now| now.as_millis())).unwrap_or(i64::MAX)
}

const PULSES_EVERY: Duration = Duration::from_millis(15);
const PATIENCE: Duration = Duration::from_secs(120);
