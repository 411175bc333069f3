//! The role alone, on the memory log; what becomes of whole sagas, system tests tell.

use connectors::log::{Group, Options};
use connectors::memory::log::{MemoryCluster, MemoryLog};
use connectors::memory::store::{MemoryStore, MemoryStoreServer};
use connectors::store::Store;
use schemas::record::Headers;

use super::*;
use crate::http::Health;
use crate::metric::{Build, Metrics};

/// An ingress that reads JSON only, of the app `shop`.
pub(crate) fn setup(observer: &Observer) -> Setup {
    let names = Names::new("shop").expect("names");
    let store = MemoryStore::open(&MemoryStoreServer::default(), "shop").expect("a store");
    let lease = Lease::of(store, "one", "me");
    Setup {
        registry: Registry::new(&names),
        names,
        lanes: 4,
        own_id: "shop.ingress.one.0".into(),
        group: "shop.ingress".into(),
        keys: Keys::default(),
        lease,
        janitor: Janitor::default(),
        reader: Reader::without_schemas(),
        bounds: Bounds::default(),
        observer: observer.clone(),
    }
}

fn ingress(health: &Health) -> Ingress {
    let metrics = Metrics::new(Build::of("none")).expect("metrics");
    let component = health.component("ingress");
    let observer = Observer::new(&metrics, component, "ingress", false);
    Ingress::new(setup(&observer), Vec::new())
}

fn log() -> MemoryLog {
    let options = Options {
        group: Some(Group {
            id: "shop.ingress".into(),
            topics: vec!["orders".into()],
            auto_start: None,
        }),
        ..Options::default()
    };
    MemoryLog::open(&MemoryCluster::new(), &options).expect("opens")
}

fn event(offset: i64) -> Received {
    Received {
        partition: Partition::new("orders", 1),
        offset,
        timestamp_ms: 1_000,
        key: None,
        value: Some(b"{}".to_vec()),
        headers: Headers::default(),
    }
}

#[test]
fn what_a_plan_left_is_offered_again_without_a_further_record() {
    let mut ingress = ingress(&Health::new(Duration::from_secs(5)));
    let mut log = log();
    let lanes = ingress.assigned(&mut log, &[event(0).partition]);
    Role::<MemoryLog>::keep(&mut ingress, lanes[0], vec![event(7), event(8), event(9)]);
    // The first one is committed; the plan ended before the others.
    ingress.take(lanes[0], 7, 3);
    ingress.source(lanes[0]).outcome = Some(Outcome {
        end: 8,
        ..Outcome::default()
    });
    Role::<MemoryLog>::committed(&mut ingress, &lanes);
    let offered = ingress.waiting(&mut log, Vec::new());
    let expected = Waiting {
        lane: lanes[0],
        records: 2,
        end: 10,
    };
    assert_eq!(offered, [expected]);
    Role::<MemoryLog>::rewind(&mut ingress, lanes[0]);
    assert!(ingress.waiting(&mut log, Vec::new()).is_empty());
}
