//! What the tests share: conformance suites, one for every implementation of a trait.
//!
//! Absent on purpose: tests of a single crate; those stand beside its code.

pub mod conformance;
