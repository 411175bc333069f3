//! Harness of the tests that need more than one crate.
//!
//! Absent on purpose: tests themselves; they stand in `tests/tests`.

pub mod conformance;

pub mod harness;
