//! Load: orders that keep coming while a test does something else, and participants that behave as such services do.
//!
//! Absent on purpose: throughput. A few sagas at every stage at once are what a fault must meet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use connectors::kafka::KafkaLog;
use connectors::log::{Log, Options};
use connectors::participant::{Answer, Command};
use serde_json::json;

use super::{World, timeouts};
use crate::harness::eventually;

/// Answers of services with a life of their own: by the order's number some refuse, some answer late, twice, or not at first.
pub fn mixed(command: &Command) -> Answer {
    let order = command.payload["order"].as_str().unwrap_or_default();
    let number: u64 = order.trim_start_matches("O-").parse().unwrap_or_default();
    let ok = || Answer::ok(json!({ "number": number }));
    match (command.r#type.as_str(), number % 12) {
        ("dispatch", 3) => Answer::refused("no_route", "nobody drives there"),
        ("charge", 5) => Answer::refused("declined", "the card was declined"),
        ("reserve", 7) => Answer::refused("sold_out", "nothing is left"),
        ("charge", 1) => ok().twice(),
        ("reserve", 8) => ok().twice(),
        ("dispatch", 2 | 9) => ok().later(Duration::from_millis(400)),
        // Later than the first re-send.
        ("charge", 6) => ok().later(Duration::from_millis(1300)),
        ("charge", 10) if command.attempt == 1 => ok().lost(),
        _ => ok(),
    }
}

impl World {
    /// Publishes an order every `pause` while `act` runs. Each counts as triggered once Kafka acknowledged it, and is published again
    /// until then.
    pub fn under_load<T>(&self, pause: Duration, act: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| self.keep_coming(&over, pause));
            let _ends_with_a_panic_too = Over(&over);
            act()
        })
    }

    fn keep_coming(&self, over: &AtomicBool, pause: Duration) {
        let mut log = None;
        while !over.load(Ordering::SeqCst) {
            let key = self.fresh_key();
            eventually("the order is acknowledged", Duration::from_secs(90), || {
                let published =
                    self.acknowledged(log.get_or_insert_with(|| self.log_in_time()), &key);
                // What is wrong with a producer is not told here; a new one is as good as new.
                log = log.take().filter(|_| published);
                published.then_some(())
            });
            self.remember(&[key]);
            std::thread::sleep(pause);
        }
    }

    fn acknowledged(&self, log: &mut KafkaLog, key: &str) -> bool {
        let value = json!({ "type": "OrderPlaced", "id": key, "items": ["book"], "total": 12 });
        if log.produce_plain(&self.order(key, &value), 0).is_err() {
            return false;
        }
        let deliveries = log.deliveries_plain(Duration::from_secs(5));
        deliveries.len() == 1 && deliveries.iter().all(|delivery| delivery.result.is_ok())
    }

    fn log_in_time(&self) -> KafkaLog {
        let options = Options {
            client_id: "load".into(),
            timeouts: timeouts(),
            ..Options::default()
        };
        eventually("the broker answers", Duration::from_secs(90), || {
            KafkaLog::open(&self.cluster(), &options).ok()
        })
    }
}

/// Ends the load, also when the test panics.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
