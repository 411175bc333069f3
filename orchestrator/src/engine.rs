//! The engine: applies inbox records to instances and commits what follows (rules R1-R5, B1-B8).
//!
//! `plan` is pure and covers the whole batch of a lane; `lanes` keeps what belongs to a lane between the steps of the machine; `role`
//! executes store effects; `timers` writes due timers back into the inbox.
//!
//! Absent on purpose: the order of steps (see `saga_lib::lane`) and the meaning of inputs (see `saga_lib::transition`).

mod clock;
mod counters;
mod instances;
mod journal;
mod lanes;
mod outputs;
mod plan;
mod role;
mod timers;
mod topics;

pub use counters::Counters;
pub use role::{Engine, Setup};
pub use timers::bucket::Budget;
