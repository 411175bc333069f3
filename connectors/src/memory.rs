//! Log and store in memory: for `skald demo`, tests and simulation.
//!
//! Nothing here is durable: when the process ends, every record and every document is gone.
//!
//! Absent on purpose: files, networks and threads of its own.

pub mod log;
pub mod store;
