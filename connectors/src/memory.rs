//! Everything in memory, shared by threads of one process: for demos, tests and simulation.
//!
//! Not durable. Absent on purpose: files, sockets, and any claim to speed.

pub mod store;
