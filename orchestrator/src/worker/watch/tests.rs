//! A worker on the memory log that is kept from its records.

use connectors::log::{Bounds, Group, Options, TopicSpec};
use connectors::memory::log::{MemoryCluster, MemoryLog};
use saga_lib::lane::{Config, Event};
use schemas::record::{Headers, Outgoing};
use schemas::topics::{self, Kind, Topics};

use super::*;
use crate::http::Health;
use crate::ingress::{self, Ingress};
use crate::metric::{Build, Metrics};
use crate::worker::{Shell, Stop, turn};

const OWN: &str = "shop.ingress.one.0";

struct Bench {
    cluster: MemoryCluster,
    metrics: Metrics,
    health: Health,
    machine: Worker,
    shell: Shell<MemoryLog, Ingress>,
    begun: Instant,
    event: Option<Event>,
}

fn open(cluster: &MemoryCluster, transactional_id: Option<&str>) -> MemoryLog {
    let options = Options {
        transactional_id: transactional_id.map(str::to_owned),
        ..Options::default()
    };
    MemoryLog::open(cluster, &options).expect("opens")
}

fn create_topics(cluster: &MemoryCluster) {
    let names = Topics::new("shop").expect("names");
    let single = Kind::SINGLE.iter().map(|kind| TopicSpec {
        name: names.name(*kind).expect("single"),
        partitions: kind.partitions(4),
        config: topics::settings(*kind),
    });
    let orders = TopicSpec {
        name: "orders".into(),
        partitions: 1,
        config: Vec::new(),
    };
    let specs: Vec<_> = single.chain([orders]).collect();
    open(cluster, None).create_topics(&specs).expect("created");
}

fn machine() -> Worker {
    Worker::new(Config {
        own_id: OWN.into(),
        store: false,
        installation: "here".into(),
        rebuild_after_ms: 1_000_000,
        poll_ms: 5,
        idle_check_ms: 1_000,
    })
}

fn shell(cluster: &MemoryCluster, observer: &Observer) -> Shell<MemoryLog, Ingress> {
    let options = Options {
        group: Some(Group {
            id: "shop.ingress".into(),
            topics: vec!["orders".into()],
            auto_start: None,
        }),
        transactional_id: Some(OWN.into()),
        ..Options::default()
    };
    let log = MemoryLog::open(cluster, &options).expect("opens");
    let role = Ingress::new(ingress::setup(observer), vec!["orders".into()]);
    let bounds = Bounds {
        wait: Duration::from_millis(5),
        records: 100,
        bytes: 1_000_000,
    };
    let wait = Duration::from_secs(5);
    let mut shell = Shell::new(log, role, observer.clone(), bounds, OWN.into(), wait);
    shell.watch = Watch::with_patience(Duration::from_millis(100));
    shell
}

fn bench() -> Bench {
    let cluster = MemoryCluster::new();
    create_topics(&cluster);
    let metrics = Metrics::new(Build::of("none")).expect("metrics");
    let health = Health::new(Duration::from_secs(60));
    let component = health.component("ingress");
    let observer = Observer::new(&metrics, component, "ingress", false);
    let mut bench = Bench {
        machine: machine(),
        shell: shell(&cluster, &observer),
        cluster,
        metrics,
        health,
        begun: Instant::now(),
        event: Some(Event::Opened),
    };
    bench.until("the lane is ready, and told so", |b| {
        let told = &b.health.report().components["ingress"].lanes;
        b.machine.ready(0).is_some() && told.contains_key(&0) && b.health.report().ready
    });
    bench
}

impl Bench {
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let stop = Stop::default();
        let until = Instant::now() + Duration::from_secs(30);
        while !done(self) {
            assert!(Instant::now() < until, "not in time: {what}");
            let given = (self.begun, self.event.take().expect("an answer"));
            let answer = turn(&mut self.machine, &mut self.shell, &stop, given);
            self.event = answer.expect("goes on");
        }
    }

    fn stalled(&self, cause: StallCause) -> i64 {
        self.metrics.lanes().stalled.at(cause).get()
    }

    fn reasons(&self) -> String {
        self.health.report().reasons.join("\n")
    }
}

fn order() -> Outgoing {
    Outgoing {
        topic: "orders".into(),
        partition: Some(0),
        key: None,
        value: Some(b"{}".to_vec()),
        headers: Headers::default(),
    }
}

#[test]
fn a_lane_whose_delivery_was_lost_is_alarmed_and_delivered_again() {
    let mut bench = bench();
    let orders = Partition::new("orders", 0);
    bench.shell.log.pause(&orders).expect("paused");
    let mut log = open(&bench.cluster, None);
    log.produce_plain(&order(), 0).expect("handed over");
    assert_eq!(log.deliveries_plain(Duration::from_secs(5)).len(), 1);
    bench.until("the stall is told", |b| {
        b.stalled(StallCause::NotDelivered) == 1
    });
    let told = bench.reasons();
    assert!(told.contains("orders/0 stands at offset 0"), "{told}");
    bench.until("the record is taken", |b| b.machine.ready(0) == Some(1));
    bench.until("nothing is stalled", |b| {
        b.stalled(StallCause::NotDelivered) == 0 && b.health.report().ready
    });
}

#[test]
fn an_open_transaction_of_somebody_else_is_alarmed_as_such() {
    let mut bench = bench();
    let mut foreign = open(&bench.cluster, Some("foreign"));
    foreign.begin().expect("begun");
    foreign.produce(&order(), 0).expect("handed over");
    foreign.flush().expect("flushed");
    bench.until("it is told", |b| {
        b.stalled(StallCause::OpenTransaction) == 1
    });
    // Nobody can mend it here, so nobody shall restart this process for it.
    assert_eq!(bench.reasons(), "");
    assert_eq!(bench.machine.ready(0), Some(0), "nothing recovers for it");
    foreign.abort().expect("aborted");
    bench.until("it is over", |b| {
        b.stalled(StallCause::OpenTransaction) == 0
    });
}

#[test]
fn reasons_say_where_and_what_to_do() {
    let stall = |cause| Stall {
        cause,
        at: 5,
        there: 9,
    };
    let orders = Partition::new("orders", 2);
    let told = reason(&orders, stall(StallCause::NotDelivered));
    assert!(
        told.contains("orders/2 stands at offset 5 although the record at 9"),
        "{told}"
    );
    let told = reason(&orders, stall(StallCause::OpenTransaction));
    assert!(
        told.contains("describe-producers --topic orders --partition 2"),
        "{told}"
    );
}
