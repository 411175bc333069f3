//! Harness of the tests that need more than one crate, and the rules of the source tree.
//!
//! Absent on purpose: tests themselves; they stand in `tests/tests`.

pub mod conformance;
pub mod harness;
pub mod tidy;
