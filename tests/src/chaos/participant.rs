//! The participants of chaos sagas: two services in a process of its own, which can be killed and frozen like any other.
//!
//! Absent on purpose: memory beyond the ledger's file.

use std::path::Path;
use std::time::Duration;

use connectors::kafka::{KafkaCluster, KafkaLog};
use connectors::participant::{Answer, Command, Participant, Stop, Verdict};

use super::ledger::{FileLedger, done};
use crate::world::timeouts;

/// Services by name; each has a ledger of its own.
pub const SERVICES: [&str; 2] = ["alpha", "beta"];

/// Serves until it is killed.
///
/// # Panics
/// If a ledger cannot be opened.
pub fn serve(brokers: &str, app: &str, folder: &Path) {
    // Never asked: whoever wants an end kills the process.
    let stop = Stop::default();
    let start = |service: &&str| {
        let participant = Participant::builder(format!("{app}-{service}"))
            .topic(format!("{app}-{service}.commands"))
            .timeouts(timeouts())
            .stopped_by(&stop)
            .ledger(FileLedger::open(&folder.join(service)))
            .on("hold", forward)
            .on("take", forward)
            .on("tell", forward)
            .on("free", |_| ok());
        participant.run::<KafkaLog>(&KafkaCluster::new(brokers))
    };
    let running: Vec<_> = SERVICES.iter().map(start).collect();
    for one in running {
        one.expect("the participant starts").join();
    }
}

fn ok() -> Answer {
    Verdict::Effect(done()).into()
}

fn forward(command: &Command) -> Answer {
    let word = |name: &str| command.payload[name].as_str().unwrap_or_default();
    let early = command.attempt <= 2;
    match (word("temper"), word("role")) {
        ("refuse_first", "first") | ("refuse_last", "last") => {
            Answer::refused("no", "as the case wants it")
        }
        ("silent_first", "first") | ("silent_last", "last") if early => Answer::nothing(),
        ("late", _) if command.attempt == 1 => ok().later(LATE),
        ("twice", _) => ok().twice(),
        ("lost", _) if command.attempt == 1 => ok().lost(),
        ("failed", _) if command.attempt == 1 => Answer::failed("trouble", "as the case wants it"),
        _ => ok(),
    }
}

/// Later than an attempt lasts.
const LATE: Duration = Duration::from_millis(700);
