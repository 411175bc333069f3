//! `skald demo`: order sagas against built-in participants, on the embedded log and store or on real servers.
//!
//! Absent on purpose: configuration. The demo is the same on every machine.

use super::Error;
use crate::entry;
use crate::output::Console;

/// Arguments of `demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How many order sagas.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub sagas: u32,
    /// Run on this Kafka instead of the embedded log, which is not durable; needs --redis.
    #[arg(long, value_name = "HOST:PORT", requires = "redis")]
    pub kafka: Option<String>,
    /// Run on this Redis instead of the embedded store, which is not durable; needs --kafka.
    #[arg(long, value_name = "URL", requires = "kafka")]
    pub redis: Option<String>,
    /// Which sagas are refused, and which participants answer late, twice or never.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Runs the demo.
///
/// # Errors
/// An unreachable server, or a promise that was not kept.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    entry::demo(args, console)
}
