//! Tests of the transition function: dialogues by topic, then a model of participants under random schedules.

mod compensation;
mod definitions;
mod dialogue;
mod forward;
mod incidents;
mod late;
mod model;
mod parallel;
mod program;
mod signals;
mod table;
