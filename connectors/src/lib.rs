//! Everything of Skald that does I/O, behind exactly two traits: [`log::Log`] and [`store::Store`]; and schemas from a [`registry`].
//!
//! Absent on purpose: decisions. A connector reports what happened; `saga_lib::lane` says what follows.

pub mod kafka;
pub mod log;
pub mod memory;
pub mod participant;
pub mod redis;
pub mod registry;
pub mod store;
