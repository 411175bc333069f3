//! Deploying on the memory log.

use connectors::log::TopicSpec;
use connectors::memory::log::{MemoryCluster, MemoryLog};
use saga_lib::definition;
use schemas::topics::{self, Kind};

use super::*;

fn order(version: u32, amount: &str) -> Compiled {
    let source = format!(
        "saga: order\nversion: {version}\nstart: {{ topic: orders, type: OrderPlaced, as: order, key: order.id }}\n\
         steps:\n  - id: credit\n    command: credit.reserve\n    with: {{ amount: =order.{amount} }}\n    compensate: credit.release\n"
    );
    Compiled {
        definition: definition::compile("order.yaml", &source).expect("compiles"),
        source,
        file: "order.yaml".into(),
    }
}

fn cluster() -> (MemoryCluster, Topics) {
    let cluster = MemoryCluster::new();
    let names = Topics::new("skald").expect("name");
    let mut log = MemoryLog::open(&cluster, &Options::default()).expect("opens");
    let spec = TopicSpec {
        name: names.definitions(),
        partitions: 1,
        config: topics::settings(Kind::Definitions),
    };
    log.create_topics(&[spec]).expect("created");
    (cluster, names)
}

fn deployer() -> Deployer<MemoryLog> {
    let (cluster, names) = cluster();
    Deployer::open(&cluster, &names, &Timeouts::default()).expect("opens")
}

#[test]
fn a_version_never_changes() {
    let mut deployer = deployer();
    let effects = deployer.deploy(&[order(1, "total")], 1).expect("deployed");
    assert_eq!(effects, [Effect::Deployed]);
    let effects = deployer.deploy(&[order(1, "total")], 2).expect("deployed");
    assert_eq!(effects, [Effect::Unchanged]);
    let changed = deployer.deploy(&[order(1, "sum")], 3);
    assert!(matches!(changed, Err(Error::Changed { .. })));
}

#[test]
fn an_older_version_becomes_active_only_on_request() {
    let mut deployer = deployer();
    let both = [order(1, "total"), order(2, "sum")];
    deployer.deploy(&both, 1).expect("deployed");
    assert_eq!(deployer.active("order"), Some(2));
    let again = deployer.deploy(&both, 2).expect("deployed");
    assert_eq!(again, [Effect::Unchanged, Effect::Unchanged]);
    let activated = deployer.registry.snapshot().active["order"].activated_ms;
    assert_eq!(
        activated, 1,
        "a restart must not move the time from which events count"
    );
    let back = deployer
        .deploy_as(&both[..1], Activation::These, 3)
        .expect("deployed");
    assert_eq!(
        (back[0], deployer.active("order")),
        (Effect::Activated, Some(1))
    );
}

#[test]
fn one_refused_definition_stops_the_whole_deploy() {
    let mut deployer = deployer();
    deployer.deploy(&[order(1, "total")], 1).expect("deployed");
    let result = deployer.deploy(&[order(2, "total"), order(1, "sum")], 2);
    assert!(result.is_err());
    assert_eq!(deployer.active("order"), Some(1));
}

#[test]
fn a_second_deployer_ends_the_first() {
    let (cluster, names) = cluster();
    let open = || Deployer::<MemoryLog>::open(&cluster, &names, &Timeouts::default());
    let mut first = open().expect("opens");
    let mut second = open().expect("opens");
    second.deploy(&[order(1, "total")], 1).expect("deployed");
    assert!(first.deploy(&[order(1, "sum")], 2).is_err());
    let third = open().expect("opens");
    assert_eq!(third.active("order"), Some(1));
}
