//! The demo on the memory log and store.

use connectors::memory::log::{MemoryCluster, MemoryLog};
use connectors::memory::store::{MemoryStore, MemoryStoreServer};
use serde_json::Value;

use super::*;

/// Runs `sagas` orders; the summary and what stood on stdout.
fn run_on_memory(sagas: u32, format: Format) -> (Summary, String) {
    let args = DemoArgs {
        sagas,
        seed: 1,
        place: "memory".to_owned(),
        durable: false,
        progress: false,
        client_library: "none".to_owned(),
    };
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let mut console = Console {
        out: &mut out,
        talk: &mut talk,
        format,
        color: false,
        answers: None,
    };
    let (cluster, server) = (MemoryCluster::new(), MemoryStoreServer::default());
    let summary = run::<MemoryLog, MemoryStore>(&cluster, &server, &args, &mut console).unwrap();
    assert_eq!(String::from_utf8(talk).unwrap(), "");
    (summary, String::from_utf8(out).unwrap())
}

#[test]
fn every_order_ends_once_and_the_numbers_add_up() {
    let (summary, out) = run_on_memory(60, Format::Json);
    let json: Value = serde_json::from_str(&out).unwrap();
    let number = |name: &str| {
        json[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name}: {out}"))
    };
    assert_eq!(number("started"), 60.0);
    assert_eq!(
        number("completed") + number("compensated") + number("parked"),
        60.0
    );
    assert!(
        number("compensated") > 0.0 && number("commands") > 120.0,
        "{out}"
    );
    for zero in [
        "duplicate_commands",
        "duplicate_events",
        "lost",
        "ledger_conflicts",
    ] {
        assert_eq!(number(zero), 0.0, "{out}");
    }
    assert!(
        number("p50_ms") > 0.0 && number("p50_ms") <= number("p99_ms"),
        "{out}"
    );
    assert_eq!(summary.broken_promises(), Vec::<String>::new());
    let broken = Summary { lost: 2, ..summary };
    assert_eq!(broken.broken_promises(), ["2 lost sagas"]);
}

#[test]
fn people_get_a_table_and_the_timeline_of_a_compensated_saga() {
    let (_, out) = run_on_memory(40, Format::Table);
    for part in [
        "completed",
        "lost",
        "Timeline of order/ORD-",
        "compensated",
        "not durable",
    ] {
        assert!(out.contains(part), "{part} is missing:\n{out}");
    }
    assert!(!out.contains('\u{1b}'), "no colours were asked for");
}

#[test]
fn late_is_later_than_the_time_limit_of_an_attempt() {
    let definition = run::Run::fresh().definition().ir;
    let mut sends = 0;
    for node in &definition.nodes {
        if let saga_lib::ir::Kind::Send(send) = &node.kind {
            sends += 1;
            assert!(u128::from(send.timeout_ms.unsigned_abs()) < temper::LATE_AFTER.as_millis());
        }
    }
    assert_eq!(sends, 3);
}
