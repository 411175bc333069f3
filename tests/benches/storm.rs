//! A retry storm: what sagas of another participant notice of it, and what the silent participant gets.
//!
//! Pulses (sagas of one quick step) are measured before the storm, while the participant of many orders is silent, and while it works
//! off what waited. Ends with 1 if the 99th percentile while it is silent, or while a participant of a given pace works off what waited,
//! is twice the one before, if more was sent again than the budget allows, or if anything was doubled or lost.
//! `cargo bench -p tests --bench storm -- 50000 600 500`: orders, seconds of silence, answers per second of the one that was silent.
//!
//! Absent on purpose: a verdict on the time in which a participant without a pace works everything off; that is a matter of throughput,
//! and only told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use connectors::kafka::KafkaLog;
use connectors::log::{Log, TopicSpec};
use connectors::participant::{Answer, Command};
use schemas::command;
use schemas::record::{Headers, Partition, Received};
use serde_json::{Value, json};
use tests::world::{LANES, World};

const PULSES_EVERY: Duration = Duration::from_millis(50);
const PER_SECOND: usize = 100;
const BURST: usize = 200;

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
finally:
  completed: { publish: APP-beats, type: Beaten, with: { id: =pulse.id } }
";

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let sagas = numbers.first().map_or(5_000, |n| *n as usize);
    let silence = Duration::from_secs(numbers.get(1).copied().unwrap_or(60));
    let pace = numbers
        .get(2)
        .map(|rate| Duration::from_secs(1) / (*rate).max(1) as u32);
    let world = world();
    let skald = world.start("one");
    skald.wait_for_lanes(LANES as usize, Duration::from_secs(60));
    let mut running = vec![
        world.participant("payment", "charge", "refund", ok),
        world.participant("shipping", "dispatch", "recall", ok),
        world.participant("echo", "beat", "unbeat", ok),
    ];
    let mut bench = Bench::new(&world);
    bench.pulses_for(Duration::from_secs(5));
    bench.tell("warm-up (not counted)");
    bench.pulses_for(Duration::from_secs(30).max(silence / 4));
    let before = bench.tell("before");
    trigger(&world, &mut bench, sagas);
    bench.tell("while orders start");
    bench.pulses_for(silence);
    let silent = bench.tell("silent");
    let resent = Resent::of(&world);
    println!("silent for {silence:?}: {}", resent.text());
    running.push(world.participant("stock", "reserve", "release", paced(pace)));
    let begun = Instant::now();
    while bench.ended.len() < sagas && begun.elapsed() < Duration::from_secs(1_200) {
        bench.pulses_for(Duration::from_secs(1));
    }
    let after = bench.tell("while it works everything off");
    println!("worked off after {:?}", begun.elapsed());
    let all = Resent::of(&world);
    println!("in the end: {}", all.text());
    let good = [
        (
            "p99 in the silence below twice that before",
            silent < before * 2,
        ),
        (
            "p99 at its pace below twice that before",
            pace.is_none() || after < before * 2,
        ),
        ("rate within the budget", all.is_within_budget()),
        ("every order ended", bench.ended.len() == sagas),
        ("nothing doubled", bench.doubled + all.doubled == 0),
    ];
    running
        .into_iter()
        .for_each(|participant| participant.stop());
    skald.stop();
    for (what, holds) in good {
        println!("{what}: {holds}");
    }
    if good.iter().all(|(_, holds)| *holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn ok(_: &Command) -> Answer {
    Answer::ok(json!({ "ok": true }))
}

/// Answers no faster than once in `pace`, whatever waits.
fn paced(pace: Option<Duration>) -> impl FnMut(&Command) -> Answer + Send {
    let mut next = Instant::now();
    move |command| {
        if let Some(pace) = pace {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            next = next.max(Instant::now() - pace * 10) + pace;
        }
        ok(command)
    }
}

fn world() -> World {
    let world = World::new();
    let text = include_str!("../src/world/order.yaml");
    let text = text.replace("timeout: 1s", "timeout: 500ms");
    world.define("order.yaml", &text.replace("max: 60", "max: 1000"));
    world.define("pulse.yaml", PULSE);
    world.configure("");
    let topic = |(name, partitions): (&str, u32)| TopicSpec {
        name: format!("{}-{name}", world.app),
        partitions,
        config: Vec::new(),
    };
    let topics = [("pulses", LANES), ("echo.commands", LANES), ("beats", 1)];
    let created = world.log().create_topics(&topics.map(topic));
    created.expect("topics are created");
    world
}

/// Publishes the orders and waits until each has sent its first command, with pulses all the while.
fn trigger(world: &World, bench: &mut Bench<'_>, sagas: usize) {
    let begun = Instant::now();
    for left in (0..sagas).step_by(1_000) {
        world.trigger((sagas - left).min(1_000));
        bench.pulses_for(Duration::from_millis(200));
    }
    while Resent::of(world).first < sagas {
        bench.pulses_for(Duration::from_secs(2));
    }
    println!("{sagas} orders wait after {:?}", begun.elapsed());
}

struct Bench<'a> {
    world: &'a World,
    log: KafkaLog,
    next: Instant,
    number: usize,
    sent: HashMap<String, Instant>,
    latencies: Vec<Duration>,
    read: BTreeMap<Partition, i64>,
    /// Orders that said their end.
    ended: BTreeSet<String>,
    doubled: usize,
}

impl<'a> Bench<'a> {
    fn new(world: &'a World) -> Self {
        Self {
            world,
            log: world.log(),
            next: Instant::now(),
            number: 0,
            sent: HashMap::new(),
            latencies: Vec::new(),
            read: BTreeMap::new(),
            ended: BTreeSet::new(),
            doubled: 0,
        }
    }

    /// Sends pulses at a fixed rate and takes what is published.
    fn pulses_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            // A rate that does not give way to a slow answer, but is not made up for after other work either.
            if Instant::now() >= self.next {
                self.next = Instant::now() + PULSES_EVERY;
                self.pulse();
            }
            self.take_beats();
            std::thread::sleep(Duration::from_millis(5));
        }
        self.take_ends();
    }

    fn pulse(&mut self) {
        self.number += 1;
        let id = format!("P-{}", self.number);
        let value = json!({ "type": "Pulse", "id": id }).to_string();
        let headers = Headers::default().with("content-type", "application/json");
        let record = self
            .world
            .record("-pulses", Some(&id), value.as_bytes(), headers);
        self.log.produce_plain(&record, 0).expect("handed over");
        self.log.deliveries_plain(Duration::ZERO);
        self.sent.insert(id, Instant::now());
    }

    fn take_beats(&mut self) {
        let beats = Partition::new(format!("{}-beats", self.world.app), 0);
        for record in self.new_records(&beats) {
            match self.sent.remove(&id_of(&record)) {
                Some(sent) => self.latencies.push(sent.elapsed()),
                None => self.doubled += 1,
            }
        }
    }

    fn take_ends(&mut self) {
        for lane in 0..LANES {
            let events = Partition::new(format!("{}-order-events", self.world.app), lane);
            for record in self.new_records(&events) {
                self.doubled += usize::from(!self.ended.insert(id_of(&record)));
            }
        }
    }

    fn new_records(&mut self, partition: &Partition) -> Vec<Received> {
        let from = self.read.get(partition).copied().unwrap_or(0);
        let Ok(extent) = self.log.extent(partition) else {
            return Vec::new();
        };
        if extent.stable_end <= from {
            return Vec::new();
        }
        let wait = Duration::from_millis(200);
        let read = self
            .log
            .read(partition, from, extent.stable_end, 5_000, wait);
        let Ok(chunk) = read else { return Vec::new() };
        self.read.insert(partition.clone(), chunk.next);
        chunk.records
    }

    /// The 99th percentile since the last word; unanswered pulses count as long as they are.
    fn tell(&mut self, phase: &str) -> Duration {
        let mut all = std::mem::take(&mut self.latencies);
        let answered = all.len();
        let open = self.sent.values().map(Instant::elapsed);
        all.extend(open.filter(|waited| *waited > Duration::from_secs(2)));
        all.sort_unstable();
        let at = |percent: usize| all.get((all.len() * percent / 100).min(all.len() - 1));
        let at = |percent| at(percent).copied().unwrap_or_default();
        println!(
            "pulses {phase}: {answered} answered, p50 {:?} p99 {:?} max {:?}",
            at(50),
            at(99),
            at(100)
        );
        at(99)
    }
}

fn id_of(record: &Received) -> String {
    let value = record.value.as_deref().unwrap_or_default();
    let value: Value = serde_json::from_slice(value).unwrap_or_default();
    value["id"].as_str().unwrap_or_default().to_owned()
}

/// What the silent participant's topic holds.
struct Resent {
    first: usize,
    doubled: usize,
    attempts: u32,
    times: Vec<i64>,
}

impl Resent {
    fn of(world: &World) -> Self {
        let records = world.follow(&format!("{}-stock.commands", world.app));
        let mut seen = BTreeSet::new();
        let mut resent = Self {
            first: 0,
            doubled: 0,
            attempts: 0,
            times: Vec::new(),
        };
        for record in &records {
            let command = command::decode_command(record).expect("a command");
            resent.attempts = resent.attempts.max(command.attempt);
            match command.attempt {
                1 => resent.first += 1,
                _ => resent.times.push(record.timestamp_ms),
            }
            let new = seen.insert((command.id.to_string(), command.attempt));
            resent.doubled += usize::from(!new);
        }
        resent.times.sort_unstable();
        resent
    }

    fn most_within(&self, ms: i64) -> usize {
        let times = &self.times;
        let within = |(n, t): (usize, &i64)| times[n..].partition_point(|u| *u < t + ms);
        times.iter().enumerate().map(within).max().unwrap_or(0)
    }

    /// What was on its way and what the buckets saved while the engine was held up may come together.
    fn is_within_budget(&self) -> bool {
        let fits = |seconds: usize| {
            self.most_within(seconds as i64 * 1_000) <= PER_SECOND * seconds + 2 * BURST
        };
        [1, 10, 60].into_iter().all(fits)
    }

    fn text(&self) -> String {
        format!(
            "{} first commands, {} re-sends, most within 1 s: {}, 10 s: {}, 60 s: {}; highest attempt {}",
            self.first,
            self.times.len(),
            self.most_within(1_000),
            self.most_within(10_000),
            self.most_within(60_000),
            self.attempts
        )
    }
}
