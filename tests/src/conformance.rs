//! Conformance suites: what every implementation of a trait must do, written once.
//!
//! Absent on purpose: what only one implementation can show; that stands in its own test binary.

pub mod log;
pub mod store;
