//! The pure core of Skald.
//!
//! Two machines decide everything: [`transition::apply`] changes one saga instance for one input, and [`lane::Worker`] drives the
//! commit protocol of the lanes a worker owns. Both are deterministic: time arrives inside the input, ids derive from ids.
//!
//! Absent on purpose: I/O, clocks, randomness, environment, `async`, and every wire format (see the `schemas` crate).

pub mod check;
pub mod definition;
pub mod effect;
pub mod expr;
pub mod id;
pub mod input;
pub mod instance;
pub mod ir;
pub mod lane;
pub mod mutant;
pub mod scenario;
pub mod transition;
