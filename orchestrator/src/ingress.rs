//! Ingress: turns business events into inbox records, in transactions of its own (B1, B3-B7; no store).
//!
//! For every active definition that matches, one inbox record; what cannot be decoded, filtered or keyed becomes a dead letter in the
//! same transaction. A record whose schema cannot be fetched is no dead letter: its partition is held until it can.
//!
//! Absent on purpose: instances. Whether an event is a duplicate is the lane's decision.

mod absent;
pub mod limit;
mod origin;
pub mod plan;
pub mod reader;
mod role;

pub use reader::Reader;
pub use role::{Ingress, Setup};

#[cfg(test)]
pub(crate) use role::tests::setup;
