//! What the tests share: conformance suites, one for every implementation of a trait, and the rules of the source tree.
//!
//! Absent on purpose: tests of a single crate; those stand beside its code.

pub mod conformance;
pub mod tidy;
