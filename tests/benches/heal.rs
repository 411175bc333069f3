//! How long an emptied store takes to be whole again: FLUSHALL while many sagas live, before and after the journal was compacted.
//!
//! Ends with 1 if a healing takes longer than the contract's 10 s (of an optimised build, with 100,000 sagas), or if the store then
//! differs from the journal. `cargo bench -p tests --bench heal -- 100000`: living sagas.
//!
//! Absent on purpose: load meanwhile (see `chaos`): what counts is the time until nothing is missing.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use connectors::log::{Log, TopicSpec};
use connectors::participant::Answer;
use connectors::redis::RedisStore;
use connectors::store::Store;
use schemas::record::{Headers, Outgoing, Partition};
use serde_json::json;
use tests::chaos;
use tests::harness::{self, eventually};
use tests::world::{LANES, World};

/// Lives for days after its first step; two images are journalled before that.
const SLEEPER: &str = "
saga: sleeper
version: 1
start: { topic: APP-naps, as: nap, key: nap.id, from: earliest }
steps:
  - id: lie
    command: APP-bed.lie
    with: { id: =nap.id, dream: =nap.dream }
    compensate: APP-bed.rise
    timeout: 10m
  - delay: 2d
  - id: wake
    command: APP-bed.wake
    pivot: true
";

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let sagas: usize = arguments.find_map(|a| a.parse().ok()).unwrap_or(100_000);
    let world = world();
    let skald = world.start("one");
    skald.wait_for_lanes(LANES as usize, PATIENCE);
    let ok = |_: &_| Answer::ok(json!({ "ok": true }));
    let bed = world.participant("bed", "lie", "rise", ok);
    let begun = Instant::now();
    start(&world, sagas);
    eventually("every saga sleeps", PATIENCE, || asleep(&world, sagas));
    println!("{sagas} sagas live after {:.1?}", begun.elapsed());
    let first = heal(&world, sagas, "journal as written");
    compact(&world, sagas);
    let second = heal(&world, sagas, "journal compacted");
    bed.stop();
    skald.stop();
    if first.max(second) <= BOUND {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn start(world: &World, sagas: usize) {
    for from in (0..sagas).step_by(5_000) {
        let numbers = from..sagas.min(from + 5_000);
        world.send(&numbers.map(|n| nap(world, n)).collect::<Vec<_>>());
    }
}

fn nap(world: &World, number: usize) -> Outgoing {
    let id = format!("N-{number}");
    let dream = "sheep ".repeat(50);
    let value = json!({ "type": "Nap", "id": id, "dream": dream }).to_string();
    let headers = Headers::default().with("content-type", "application/json");
    world.record("-naps", Some(&id), value.as_bytes(), headers)
}

/// Every saga has a document and its inputs are applied: the inbox holds a start and a reply of each.
fn asleep(world: &World, sagas: usize) -> Option<()> {
    std::thread::sleep(Duration::from_millis(500));
    let mut log = world.log();
    let mut store = store(world);
    let mut documents = 0;
    for lane in 0..LANES {
        let inbox = log
            .extent(&Partition::new(world.names().inbox(), lane))
            .ok()?;
        let position = store.position(lane).ok()?;
        let applied = position.wm.is_some_and(|wm| wm >= inbox.stable_end);
        documents += applied.then(|| count(&mut store, lane))?;
    }
    (documents == sagas && bed_is_made(world, &mut log, sagas)).then_some(())
}

fn bed_is_made(world: &World, log: &mut impl Log, sagas: usize) -> bool {
    let mut ends = 0;
    for lane in 0..LANES {
        let inbox = Partition::new(world.names().inbox(), lane);
        ends += log.extent(&inbox).map_or(0, |extent| extent.end);
    }
    // Transaction markers take offsets too.
    ends >= 2 * sagas as i64
}

fn count(store: &mut RedisStore, lane: u32) -> usize {
    let due = store.due_ids(lane, None, i64::MAX, usize::MAX >> 1);
    due.map_or(0, |ids| ids.len())
}

/// Empties the store and waits until it holds what it held.
fn heal(world: &World, sagas: usize, what: &str) -> Duration {
    let before = positions(world);
    let client = redis::Client::open(world.redis.as_str()).expect("a URL");
    let mut connection = client.get_connection().expect("a connection");
    let begun = Instant::now();
    redis::cmd("FLUSHALL")
        .exec(&mut connection)
        .expect("flushed");
    let mut healed = [None; LANES as usize];
    eventually("the store is whole again", PATIENCE, || {
        let now = positions(world);
        for (lane, at) in healed.iter_mut().enumerate() {
            let whole = now[lane] >= before[lane];
            *at = at.or(whole.then(|| begun.elapsed()));
        }
        healed.iter().all(Option::is_some).then_some(())
    });
    let took = begun.elapsed();
    println!("{what}: {sagas} sagas healed in {took:.1?}, lanes {healed:.1?}");
    let differing = chaos::differing(world);
    assert!(
        differing.is_empty(),
        "store and journal differ: {differing:?}"
    );
    took
}

/// Watermarks; none while a lane is rebuilt.
fn positions(world: &World) -> Vec<Option<i64>> {
    let mut store = store(world);
    let position = |lane| store.position(lane).ok().and_then(|position| position.wm);
    (0..LANES).map(position).collect()
}

/// Lets the broker compact the journal now, and waits until it has.
fn compact(world: &World, sagas: usize) {
    let topic = world.names().journal();
    let before = images(world);
    world.alter_topic(
        &topic,
        &[
            ("cleanup.policy", "compact"),
            ("message.timestamp.type", "LogAppendTime"),
            ("segment.ms", "1000"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("max.compaction.lag.ms", "1000"),
        ],
    );
    let mut number = sagas;
    eventually("the journal is compacted", PATIENCE, || {
        // A segment ends with the next record after its time.
        world.send(&[0; 40].map(|_| {
            number += 1;
            nap(world, number)
        }));
        std::thread::sleep(Duration::from_secs(2));
        (images(world) * 3 < before * 2).then_some(())
    });
    println!(
        "journal: {before} records, {} after compaction",
        images(world)
    );
}

fn images(world: &World) -> usize {
    world.read(&world.names().journal()).len()
}

fn store(world: &World) -> RedisStore {
    RedisStore::open(&world.store(), &world.app).expect("the store answers")
}

fn world() -> World {
    let broker = harness::Broker::start_with(&["log.cleaner.backoff.ms=1000"]);
    let redis = harness::RedisServer::start();
    let world = World::on(broker.address(), redis.url());
    // Both end with the process.
    std::mem::forget((broker, redis));
    world.define("sleeper.yaml", SLEEPER);
    let spec = |topic: &str| TopicSpec {
        name: format!("{}-{topic}", world.app),
        partitions: LANES,
        config: Vec::new(),
    };
    let created = world
        .log()
        .create_topics(&["naps", "bed.commands"].map(spec));
    created.expect("topics are created");
    world
}

const BOUND: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(600);
