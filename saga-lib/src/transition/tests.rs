//! Tests of the transition function: dialogues by topic, then a model of participants under random schedules.

mod chaos;
mod compensation;
mod definitions;
mod dialogue;
mod forward;
mod incidents;
mod late;
mod model;
mod operators;
mod oracle;
mod parallel;
mod program;
mod random;
#[cfg(feature = "mutants")]
mod requirement;
mod signals;
mod structures;
mod table;
mod target;
mod waiting;
