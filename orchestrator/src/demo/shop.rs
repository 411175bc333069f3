//! The shop: places orders as an open loop, at a fixed rate whatever becomes of the earlier ones.
//!
//! A plain producer without any code of Skald's, as services have it. Even orders are CloudEvents, odd ones plain JSON.
//!
//! Absent on purpose: slowing down. A generator that waits for the system under test hides its latency.

use std::time::{Duration, Instant};

use connectors::log::{Error, Log, Options};
use saga_lib::id::SagaId;
use schemas::envelope::Envelope;
use schemas::record::{Headers, Outgoing};
use serde_json::json;

use super::run::Run;

/// Orders per second.
const RATE: u32 = 1_000;

/// Business key of an order.
pub(super) fn key(number: u32) -> String {
    format!("ORD-{number:04}")
}

/// The saga of an order.
///
/// # Panics
/// Never: the key is short and not empty.
pub(super) fn saga(number: u32) -> SagaId {
    SagaId::new("order", &key(number)).expect("a short key")
}

/// The number of a saga's order.
pub(super) fn number(saga: &SagaId) -> Option<usize> {
    saga.as_str().strip_prefix("order/ORD-")?.parse().ok()
}

/// Places orders.
pub(super) struct Shop<L: Log> {
    log: L,
    topic: String,
    placed: u32,
    total: u32,
    open: Instant,
}

impl<L: Log> Shop<L> {
    /// Opens the shop.
    ///
    /// # Errors
    /// The log's.
    pub(super) fn open(cluster: &L::Cluster, run: &Run, total: u32) -> Result<Self, Error> {
        let options = Options {
            client_id: run.service("shop"),
            ..Options::default()
        };
        Ok(Self {
            log: L::open(cluster, &options)?,
            topic: run.orders(),
            placed: 0,
            total,
            open: Instant::now(),
        })
    }

    /// Lets the time of the open loop begin now.
    pub(super) fn begin(&mut self) {
        self.open = Instant::now();
    }

    /// Were all placed?
    pub(super) fn is_done(&self) -> bool {
        self.placed == self.total
    }

    /// Places what is due by now; `each` is told every number before its record is handed over.
    ///
    /// # Errors
    /// The log's, also of an earlier order.
    pub(super) fn place_due(&mut self, mut each: impl FnMut(u32)) -> Result<(), Error> {
        let due = self.open.elapsed().as_secs_f64() * f64::from(RATE);
        while !self.is_done() && f64::from(self.placed) <= due {
            let order = order(&self.topic, self.placed);
            each(self.placed);
            self.log.produce_plain(&order, u64::from(self.placed))?;
            self.placed += 1;
        }
        self.check(Duration::ZERO)
    }

    /// Waits until every order is acknowledged.
    ///
    /// # Errors
    /// The log's.
    pub(super) fn close(mut self) -> Result<(), Error> {
        self.check(Duration::from_secs(5))
    }

    fn check(&mut self, wait: Duration) -> Result<(), Error> {
        let deliveries = self.log.deliveries_plain(wait);
        deliveries
            .into_iter()
            .try_for_each(|delivery| delivery.result.map(|_| ()))
    }
}

fn order(topic: &str, number: u32) -> Outgoing {
    let id = key(number);
    let (headers, kind) = if number.is_multiple_of(2) {
        let envelope = Envelope {
            id: &id,
            r#type: "OrderPlaced",
            source: "/demo/shop",
            ..Envelope::default()
        };
        (envelope.headers(), None)
    } else {
        (Headers::default(), Some("OrderPlaced"))
    };
    let total = 10 + u64::from(number) * 7 % 490;
    let mut value = json!({ "id": id, "items": ["book", "pen"], "total": total });
    if let Some(kind) = kind {
        value["type"] = json!(kind);
    }
    Outgoing {
        topic: topic.to_owned(),
        partition: None,
        key: Some(id.into_bytes()),
        value: Some(value.to_string().into_bytes()),
        headers,
    }
}
