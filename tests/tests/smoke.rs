//! Order sagas end to end on the embedded log and store.

use std::time::{Duration, Instant};

use connectors::log::{Bounds, Log, Options, Timeouts, TopicSpec};
use connectors::memory::log::{MemoryCluster, MemoryLog};
use connectors::memory::store::{MemoryStore, MemoryStoreServer};
use connectors::participant::{Answer, Participant};
use connectors::store::Store;
use orchestrator::process::{Plan, start};
use schemas::avro::{Schema, encode_framed};
use schemas::bundle::Bundle;
use schemas::record::{Headers, Outgoing};
use serde_json::json;

const ORDER: &str = r#"{"type":"record","name":"shop.OrderPlaced","fields":[{"name":"id","type":"string"},
    {"name":"order","type":"int"},{"name":"total","type":"long"},{"name":"items","type":{"type":"array","items":"string"}}]}"#;

#[test]
fn order_sagas_complete_or_compensate() {
    let source = include_str!("../../deploy/examples/order.yaml");
    let definition = saga_lib::definition::compile("order.yaml", source).unwrap();
    let cluster = MemoryCluster::new();
    let server = MemoryStoreServer::default();
    let timeouts = Timeouts::default();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("order.avsc"), ORDER).unwrap();
    let schema = Schema::parse(ORDER).unwrap();
    let plan = Plan {
        app: "smoke".into(),
        instance: "one".into(),
        lanes: 4,
        workers: 1,
        ingress: true,
        timeouts,
        batch: Bounds {
            records: 500,
            bytes: 1 << 20,
            wait: Duration::from_millis(20),
        },
        keys: schemas::signature::Keys::default(),
        require_signature: false,
        definitions: vec![Bundle::new(definition, source, "order.yaml")],
        formats: std::collections::BTreeMap::new(),
        schemas: connectors::registry::Sources {
            registry: None,
            folder: Some(folder.path().to_owned()),
        },
        dead_letters: orchestrator::ingress::limit::Bounds::default(),
        resends: orchestrator::engine::Budget::default(),
        create_missing: true,
        listen: None,
        client_library: "memory".into(),
    };
    let process = start::<MemoryLog, MemoryStore>(&plan, &cluster, &server).unwrap();
    let stock = Participant::builder("stock")
        .topic("stock.commands")
        .on("reserve", |_| Answer::ok(json!({})))
        .on("release", |_| Answer::ok(json!({})))
        .run::<MemoryLog>(&cluster)
        .unwrap();
    let payment = Participant::builder("payment")
        .topic("payment.commands")
        .on("charge", |_| Answer::ok(json!({})))
        .on("refund", |_| Answer::ok(json!({})))
        .run::<MemoryLog>(&cluster)
        .unwrap();
    let shipping = Participant::builder("shipping")
        .topic("shipping.commands")
        .on("dispatch", |c| {
            if c.payload["order"].as_str().unwrap().ends_with('3') {
                Answer::refused("no_route", "nobody drives there")
            } else {
                Answer::ok(json!({}))
            }
        })
        .run::<MemoryLog>(&cluster)
        .unwrap();
    let mut log = MemoryLog::open(&cluster, &Options::default()).unwrap();
    log.create_topics(&[TopicSpec {
        name: "orders".into(),
        partitions: 4,
        config: vec![],
    }])
    .unwrap();
    for i in 0..100 {
        let mut value = json!({ "type": "OrderPlaced", "order": 1, "id": format!("O-{i}"), "items": ["a"], "total": 12 });
        let mut bytes = value.to_string().into_bytes();
        let mut headers = Headers::default();
        // Every other one is Avro; the folder knows its schema by the header.
        if i % 2 == 0 {
            value.as_object_mut().unwrap().remove("type");
            bytes = encode_framed(1, &schema, &value).unwrap();
            headers.push("type", "OrderPlaced");
        }
        let record = Outgoing {
            topic: "orders".into(),
            partition: None,
            key: Some(format!("O-{i}").into_bytes()),
            value: Some(bytes),
            headers,
        };
        log.produce_plain(&record, i).unwrap();
    }
    let mut store = MemoryStore::open(&server, "smoke").unwrap();
    let begun = Instant::now();
    loop {
        let (mut completed, mut compensated) = (0, 0);
        for lane in 0..4 {
            let counters = store.counters(lane).unwrap();
            completed += counters.get("order@1/+completed").copied().unwrap_or(0);
            compensated += counters.get("order@1/+compensated").copied().unwrap_or(0);
        }
        if completed == 90 && compensated == 10 {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{completed} completed, {compensated} compensated {:?} {:?}",
            process.health.report(),
            store.counters(0)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("took {:?}", begun.elapsed());
    process.stop().unwrap();
    stock.stop();
    payment.stop();
    shipping.stop();
}
