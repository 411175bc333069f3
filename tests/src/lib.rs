//! What the tests share: the harness of real servers, conformance suites, one for every implementation of a trait, and the tidy rules.
//!
//! Absent on purpose: tests themselves; they stand in `tests/tests`, and those of a single crate beside its code.

pub mod chaos;
pub mod conformance;
pub mod harness;
pub mod sim;
pub mod tidy;
pub mod world;
