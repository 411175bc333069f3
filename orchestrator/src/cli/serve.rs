//! `skald serve`: runs workers and ingress until stopped.
//!
//! Absent on purpose: how they work (see [`crate::entry`]).

use std::path::PathBuf;

use super::Error;
use super::settings::SettingsArgs;
use crate::config::{Assignment, Settings};
use crate::entry;
use crate::output::Console;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Deploy the definitions (`*.yaml`, `*.yml`) of this directory first.
    #[arg(long, value_name = "DIR")]
    pub deploy: Option<PathBuf>,
    /// Name of this process, different for every process of an installation [default: the host name].
    #[arg(long)]
    pub instance: Option<String>,
    /// What this process does: engine, ingress [default: both].
    #[arg(long, value_delimiter = ',')]
    pub roles: Option<Vec<String>>,
    /// Engine threads of this process.
    #[arg(long)]
    pub workers: Option<u32>,
    /// Where metrics and health are served, or `off`.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
}

/// Runs until stopped.
///
/// # Errors
/// A wrong configuration, an unreachable server, or whatever ended the workers.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    let settings = settings(args, console)?;
    tell(&settings);
    entry::serve(settings)
}

/// The settings that the arguments, the file and the environment give together.
///
/// # Errors
/// A wrong configuration.
pub fn settings(args: &Args, console: &mut Console<'_>) -> Result<Settings, Error> {
    let deploy = args.deploy.as_ref().map(|dir| dir.display().to_string());
    let further = vec![
        Assignment::flag("deploy", "--deploy", deploy),
        Assignment::flag("instance", "--instance", args.instance.clone()),
        Assignment::flag("roles", "--roles", args.roles.clone()),
        Assignment::flag("workers", "--workers", args.workers),
        Assignment::flag("http.listen", "--listen", args.listen.clone()),
    ];
    Ok(args.settings.load(further, console)?)
}

/// Messages go to stderr from here on: stdout is for data.
fn tell(settings: &Settings) {
    let filter = tracing_subscriber::EnvFilter::new(&settings.log.filter);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A subscriber that is already there belongs to a test, which then sees the messages.
    let _ = if settings.log.json {
        subscriber.json().flatten_event(true).try_init()
    } else {
        subscriber.try_init()
    };
}
