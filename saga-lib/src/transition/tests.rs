//! Tests of the transition function: dialogues by topic, then a model of participants under random schedules.

mod chaos;
mod compensation;
pub(crate) mod definitions;
mod dialogue;
mod forward;
mod incidents;
mod late;
pub(crate) mod model;
mod operators;
mod oracle;
mod parallel;
pub(crate) mod program;
pub(crate) mod random;
#[cfg(feature = "mutants")]
mod requirement;
mod signals;
mod structures;
mod table;
mod target;
mod waiting;
