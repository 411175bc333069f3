//! A deterministic simulation of Skald: production machine, shell and engine over a simulated log and store, in one thread.
//!
//! One seed decides everything: the schedule, the faults and their rates. A run has two phases, with faults and healed; then an oracle
//! compares what a stranger can read with what was promised (`orchestrator/docs/decisions/0015-*`).
//!
//! Absent on purpose: sockets, threads and real time.

mod broker;
mod campaign;
mod chance;
mod client;
mod definitions;
mod fault;
mod follower;
mod group;
mod log;
mod node;
mod oracle;
mod run;
mod services;
mod shrink;
mod store;
mod world;

pub use campaign::{Campaign, Report};
pub use chance::Limits;
pub use fault::{Fault, KINDS};
pub use run::{Outcome, run};
pub use shrink::{shrink, story};
