//! Where the command line hands over to what runs for long.
//!
//! Absent on purpose: arguments and exit codes (see [`crate::cli`]).

use connectors::kafka::{KafkaCluster, KafkaLog};
use connectors::memory::log::{MemoryCluster, MemoryLog};
use connectors::memory::store::{MemoryStore, MemoryStoreServer};
use connectors::redis::{RedisAddress, RedisStore};

use crate::cli::{Error, demo};
use crate::config::Settings;
use crate::demo::{self as run, DemoArgs, Summary};
use crate::output::Console;
use crate::process;

/// Runs workers and ingress until the process is asked to stop.
///
/// # Errors
/// What ended them.
pub fn serve(settings: Settings) -> Result<(), Error> {
    let _ = settings;
    Err(Error::Refused("this build has no engine".into()))
}

/// Runs the demo and shows its summary.
///
/// # Errors
/// An unreachable server, or a promise that was not kept.
pub fn demo(args: &demo::Args, console: &mut Console<'_>) -> Result<(), Error> {
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

fn embedded(args: &demo::Args, console: &mut Console<'_>) -> Result<Summary, run::Error> {
    let place = "the embedded log and store".to_owned();
    let args = settings(args, place, false);
    let (cluster, server) = (MemoryCluster::new(), MemoryStoreServer::default());
    run::run::<MemoryLog, MemoryStore>(&cluster, &server, &args, console)
}

fn on_servers(
    args: &demo::Args,
    brokers: &str,
    url: &str,
    console: &mut Console<'_>,
) -> Result<Summary, run::Error> {
    // The URL is not shown: it may hold a password.
    let args = settings(args, format!("Kafka at {brokers} and Redis"), true);
    let (cluster, server) = (KafkaCluster::new(brokers), RedisAddress::new(url));
    run::run::<KafkaLog, RedisStore>(&cluster, &server, &args, console)
}

fn settings(args: &demo::Args, place: String, durable: bool) -> DemoArgs {
    DemoArgs {
        sagas: args.sagas,
        seed: args.seed,
        place,
        durable,
        progress: true,
        client_library: if durable { "librdkafka" } else { "none" }.to_owned(),
    }
}

/// The same error under the exit code it has everywhere.
fn why(error: run::Error) -> Error {
    match error {
        run::Error::Log(error) | run::Error::Process(process::Error::Log(error)) => error.into(),
        run::Error::Process(process::Error::Store(error)) => error.into(),
        run::Error::Output(error) => error.into(),
        error @ run::Error::NotReady { .. } => Error::Unreachable(error.to_string()),
        error => Error::Refused(error.to_string()),
    }
}
