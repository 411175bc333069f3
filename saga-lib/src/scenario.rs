//! Scenarios: a saga played through in virtual time, without any server.
//!
//! A scenario gives the trigger, what participants answer, events and acts of operators; [`play`] feeds them to the production
//! transition function in the order of their virtual times and reports what was sent and how it ended. Nothing waits: the clock jumps
//! to whatever comes next.
//!
//! Absent on purpose: Kafka. Order across topics, takeover and the commit protocol are other tests' business.

mod file;
mod judge;
mod laws;
mod play;
mod world;

pub use file::{Error, Expect, File, Scenario, parse};
pub use judge::{Difference, judge};
pub use laws::{Broken, check as check_laws};
pub use play::{Play, Script, Sent, name, play};
pub use world::{Answer, Stop, World};

#[cfg(test)]
mod tests;
