//! `skald demo`: order sagas against built-in participants, on the embedded log and store or on real servers.
//!
//! Absent on purpose: configuration. The demo is the same on every machine.

use connectors::kafka::{KafkaCluster, KafkaLog};
use connectors::memory::log::{MemoryCluster, MemoryLog};
use connectors::memory::store::{MemoryStore, MemoryStoreServer};
use connectors::redis::{RedisAddress, RedisStore};

use super::Error;
use crate::demo::{self, DemoArgs, Summary};
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

/// Runs the demo and shows its summary.
///
/// # Errors
/// An unreachable server, or a promise that was not kept.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    let summary = match (&args.kafka, &args.redis) {
        (Some(brokers), Some(url)) => on_servers(args, brokers, url, console),
        _ => embedded(args, console),
    };
    let broken = summary.map_err(why)?.broken_promises();
    if broken.is_empty() {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "the demo broke a promise: {}",
        broken.join(", ")
    )))
}

fn embedded(args: &Args, console: &mut Console<'_>) -> Result<Summary, demo::Error> {
    let place = "the embedded log and store".to_owned();
    let args = settings(args, place, false);
    let (cluster, server) = (MemoryCluster::new(), MemoryStoreServer::default());
    demo::run::<MemoryLog, MemoryStore>(&cluster, &server, &args, console)
}

fn on_servers(
    args: &Args,
    brokers: &str,
    url: &str,
    console: &mut Console<'_>,
) -> Result<Summary, demo::Error> {
    // The URL is not shown: it may hold a password.
    let args = settings(args, format!("Kafka at {brokers} and Redis"), true);
    let (cluster, server) = (KafkaCluster::new(brokers), RedisAddress::new(url));
    demo::run::<KafkaLog, RedisStore>(&cluster, &server, &args, console)
}

fn settings(args: &Args, place: String, durable: bool) -> DemoArgs {
    DemoArgs {
        sagas: args.sagas,
        seed: args.seed,
        place,
        durable,
        progress: true,
        client_library: connectors::kafka::library_version(),
    }
}

/// The same error under the exit code it has everywhere.
fn why(error: demo::Error) -> Error {
    match error {
        demo::Error::Log(error) => error.into(),
        demo::Error::Process(error) => error.into(),
        demo::Error::Output(error) => error.into(),
        error @ demo::Error::NotReady { .. } => Error::Unreachable(error.to_string()),
        error @ demo::Error::Participant(_) => Error::Refused(error.to_string()),
    }
}
