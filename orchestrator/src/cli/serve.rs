//! `skald serve`: runs workers and ingress until stopped.
//!
//! Absent on purpose: how they work (see [`crate::process`]).

use std::path::PathBuf;
use std::time::Duration;

use connectors::kafka::KafkaLog;
use connectors::redis::RedisStore;
use schemas::bundle::Bundle;

use super::asked::Asked;
use super::settings::SettingsArgs;
use super::{Error, deploy};
use crate::config::{Assignment, Settings};
use crate::output::Console;
use crate::process::{self, Plan, Process};

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
    let definitions = match &settings.deploy {
        Some(directory) => compile(directory, console)?,
        None => Vec::new(),
    };
    serve(&settings, definitions)
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

/// Nothing is started before every definition is good.
fn compile(directory: &PathBuf, console: &mut Console<'_>) -> Result<Vec<Bundle>, Error> {
    deploy::compile(std::slice::from_ref(directory), console).map_err(|error| match error {
        Error::Shown => Error::Refused(format!(
            "definitions are not deployed: mend the mistakes in `{}` that are shown above",
            directory.display()
        )),
        other => other,
    })
}

/// Runs workers and ingress until the process is asked to stop.
///
/// # Errors
/// What ended them.
fn serve(settings: &Settings, definitions: Vec<Bundle>) -> Result<(), Error> {
    let plan = Plan {
        app: settings.app.clone(),
        instance: settings.instance.clone(),
        lanes: settings.lanes,
        workers: if settings.roles.engine {
            settings.workers
        } else {
            0
        },
        ingress: settings.roles.ingress,
        timeouts: settings.timeouts.clone(),
        batch: settings.batch,
        keys: settings.inbox.keys.clone(),
        require_signature: settings.inbox.require_signature,
        definitions,
        formats: settings.topics.formats.clone(),
        schemas: settings.schemas.clone(),
        dead_letters: settings.ingress,
        resends: settings.resend,
        create_missing: settings.topics.create_missing,
        listen: settings.listen,
        client_library: connectors::kafka::library_version(),
    };
    let asked = Asked::listen()?;
    let process = process::start::<KafkaLog, RedisStore>(
        &plan,
        &settings.kafka.cluster(),
        &settings.redis.server(),
    )?;
    tracing::info!(
        app = plan.app,
        instance = plan.instance,
        lanes = plan.lanes,
        "Process started."
    );
    wait_for_end(&process, &asked);
    tracing::info!("Process stops after the transactions in hand.");
    Ok(process.stop()?)
}

/// Waits for a signal or the end of a loop.
fn wait_for_end(process: &Process, asked: &Asked) {
    while !asked.is() && !process.has_ended() {
        std::thread::sleep(Duration::from_millis(20));
    }
}
