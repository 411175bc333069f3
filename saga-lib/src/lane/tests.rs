//! Dialogues with the worker machine: what is reported, and what it wants next.
//!
//! Absent on purpose: random schedules (see the test `lane_model`).

mod batch;
mod blame;
mod dialogue;
mod ingress;
mod recovery;
mod scheduling;
