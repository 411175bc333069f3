//! Ingress: turns business events into inbox records, in transactions of its own (B1, B3-B7; no store).
//!
//! For every active definition that matches, one inbox record; what cannot be decoded, filtered or keyed becomes a dead letter in the
//! same transaction.
//!
//! Absent on purpose: instances. Whether an event is a duplicate is the lane's decision.

pub mod limit;
mod origin;
pub mod plan;
mod role;

pub use role::{Ingress, Setup};
