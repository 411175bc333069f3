//! Harness of the tests that need more than one crate.

pub mod harness;
