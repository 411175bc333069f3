//! The `skald` binary as a library: configuration, command line, metrics and health.
//!
//! Absent on purpose: decisions about instances and lanes (`saga_lib`), and any type of a Kafka or Redis client (`connectors`).

pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod crash;
pub mod demo;
pub mod engine;
pub mod http;
pub mod ingress;
pub mod janitor;
pub mod lease;
pub mod metric;
pub mod observe;
pub mod output;
pub mod process;
pub mod registry;
pub mod stats;
pub mod suggest;
pub mod worker;
