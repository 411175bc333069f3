//! The participant SDK: a service that answers commands, one handler per command type, on any [`Log`](crate::log::Log).
//!
//! ```no_run
//! use connectors::memory::log::{MemoryCluster, MemoryLog};
//! use connectors::participant::{Answer, Participant};
//!
//! # let cluster = MemoryCluster::new();
//! let running = Participant::builder("credit")
//!     .topic("credit.commands")
//!     .on("reserve", |command| match command.payload["amount"].as_i64() {
//!         Some(amount) if amount <= 100 => Answer::ok(serde_json::json!({ "reserved": amount })),
//!         _ => Answer::refused("limit", "more than this customer may owe"),
//!     })
//!     .on("release", |_| Answer::ok(serde_json::Value::Null))
//!     .run::<MemoryLog>(&cluster)?;
//! running.stop();
//! # Ok::<(), connectors::participant::Error>(())
//! ```
//!
//! A command may come any number of times, and its compensation may overtake it. The [`ledger`] keeps one state per forward command
//! and makes one effect of it. Replies are acknowledged by the log before the offsets of their commands are committed, so a reply can
//! be sent twice but not be forgotten; only one that was asked to be late is lost with the process, and given again when the command
//! is.
//!
//! Absent on purpose: transactions (a reply may come twice, Skald ignores the second) and a store of effects other than in memory: a
//! service keeps [`Ledger`] beside its own data, so that entry and effect are written together.

mod answer;
mod builder;
mod delayed;
mod handlers;
pub mod ledger;
mod outbox;
mod service;
mod stop;

pub use answer::{Answer, Manner, Reply, Verdict};
pub use builder::{Builder, Error, Running};
pub use ledger::{Ledger, MemoryLedger};
pub use schemas::command::Incoming as Command;
pub use stop::Stop;

/// Where a participant begins: see [`Participant::builder`].
#[derive(Debug)]
pub struct Participant;

impl Participant {
    /// A participant of this service; the name is its consumer group, so processes of one service share the work.
    pub fn builder(service: impl Into<String>) -> Builder<MemoryLedger> {
        Builder::new(service.into())
    }
}

#[cfg(test)]
mod tests;
