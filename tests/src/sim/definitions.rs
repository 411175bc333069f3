//! The sagas of the simulation, compiled once.
//!
//! Absent on purpose: random programs, which the transition's own tests run without a log.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use saga_lib::definition;
use saga_lib::ir::{Definition, Kind};
use schemas::bundle::{self, Active, Bundle, Installation};
use schemas::record::Outgoing;
use schemas::topics::Topics;

use super::world::INSTALLATION;

/// A definition, and the event that starts it.
pub struct Saga {
    /// Compiled.
    pub bundle: Bundle,
    /// The name its trigger is bound to.
    pub bind: &'static str,
    /// Is it deployed from the beginning?
    pub early: bool,
}

impl Saga {
    fn new(source: &str, bind: &'static str, early: bool) -> Self {
        let ir = definition::compile("saga.yaml", source).expect("compiles");
        Self {
            bundle: Bundle::new(ir, source, "saga.yaml"),
            bind,
            early,
        }
    }

    /// `name@version#hash`.
    pub fn reference(&self) -> String {
        let Bundle { hash, ir, .. } = &self.bundle;
        format!("{}@{}#{hash}", ir.name, ir.version)
    }

    /// What deploying it writes.
    pub fn records(&self, names: &Topics, now_ms: i64) -> [Outgoing; 3] {
        let Bundle { hash, ir, .. } = &self.bundle;
        let active = Active {
            version: ir.version,
            hash: hash.clone(),
            activated_ms: now_ms,
        };
        [
            bundle::encode_bundle(names, &self.bundle),
            bundle::encode_version(names, &ir.name, ir.version, hash),
            bundle::encode_active(names, &ir.name, &active),
        ]
    }
}

/// Every definition; the second version of the order comes while sagas of the first one are under way.
pub static SAGAS: LazyLock<[Saga; 4]> = LazyLock::new(|| {
    let order = include_str!("order.yaml");
    let packed = order.replace("version: 1", "version: 2").replace(
        "  - id: ship\n",
        "  - id: pack\n    command: stock.reserve\n    with: { order: =order.id }\n    compensate: stock.release\n    timeout: 300ms\n  - id: ship\n",
    );
    [
        Saga::new(order, "order", true),
        Saga::new(include_str!("trip.yaml"), "trip", true),
        Saga::new(include_str!("visit.yaml"), "visit", true),
        Saga::new(&packed, "order", false),
    ]
});

/// The definition with this reference.
pub fn by_reference(reference: &str) -> Option<&'static Definition> {
    let saga = SAGAS.iter().find(|saga| saga.reference() == reference)?;
    Some(&saga.bundle.ir)
}

/// Steps that command participants, and whether each leaves something to compensate.
pub fn steps(definition: &Definition) -> BTreeSet<&str> {
    let sends = definition.nodes.iter();
    let sends = sends.filter(|node| matches!(node.kind, Kind::Send(_)));
    sends.map(|node| node.step.as_str()).collect()
}

/// What every installation begins with.
pub fn installation(names: &Topics, lanes: u32) -> Outgoing {
    let installation = Installation {
        uuid: INSTALLATION.to_owned(),
        lanes,
    };
    bundle::encode_installation(names, &installation)
}
