//! Wire formats of Skald: what stands in topics and in the store, as bytes and back.
//!
//! Absent on purpose: I/O, clocks, randomness, `async`; decisions (see `saga-lib`).

pub mod record;
