//! The store suite on every implementation, and what only Redis can show.
//!
//! Absent on purpose: kill -9 under load and failover; those are chaos tests.

mod memory;
mod redis;
