//! Opening log and store for a command.
//!
//! Absent on purpose: the embedded log and store. They live in one process, so no other command could reach them.

use std::time::Duration;

use clap::Args;
use connectors::kafka::KafkaLog;
use connectors::log::{Log, Options};
use connectors::redis::RedisStore;
use connectors::store::Store;

use super::Error;
use super::settings::SettingsArgs;
use crate::client::Installation;
use crate::config::Settings;
use crate::config::value::Span;
use crate::output::Console;

/// How long to wait for an effect.
#[derive(Debug, Clone, Args)]
pub struct Wait {
    /// How long to wait for the effect to be seen.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub wait: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    let span = Span::parse(text).ok_or("expected a duration such as `200ms`, `10s` or `5m`")?;
    Ok(span.0)
}

/// A log on the configured cluster; it belongs to no group.
///
/// # Errors
/// [`Error::Unreachable`], naming the brokers.
pub fn log(settings: &Settings, options: &Options) -> Result<KafkaLog, Error> {
    KafkaLog::open(&settings.kafka.cluster(), options).map_err(|error| {
        let brokers = &settings.kafka.brokers;
        Error::Unreachable(format!("Kafka at {brokers} cannot be used: {error}"))
    })
}

/// The configured store.
///
/// # Errors
/// [`Error::Unreachable`] or what is wrong with the server, naming its address.
pub fn store(settings: &Settings) -> Result<RedisStore, Error> {
    Ok(RedisStore::open(
        &settings.redis.server(),
        settings.names.app(),
    )?)
}

/// What most commands need.
pub struct Connected {
    /// The configuration.
    pub settings: Settings,
    /// The log.
    pub log: KafkaLog,
    /// The installation.
    pub installation: Installation,
}

/// Loads the configuration, connects to Kafka and finds the installation.
///
/// # Errors
/// A wrong configuration, an unreachable cluster, no installation.
pub fn connect(
    args: &SettingsArgs,
    wait: Duration,
    console: &mut Console<'_>,
) -> Result<Connected, Error> {
    let settings = args.load(Vec::new(), console)?;
    let options = Options {
        client_id: format!("{}.cli", settings.app),
        ..Options::default()
    };
    let mut log = log(&settings, &options)?;
    let installation = Installation::find(&mut log, &settings, wait)?;
    Ok(Connected {
        settings,
        log,
        installation,
    })
}
