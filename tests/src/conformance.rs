//! One suite per trait of `connectors`; every implementation must pass it.
//!
//! Absent on purpose: what only one implementation has. That is tested beside it.

pub mod log;
pub mod store;
