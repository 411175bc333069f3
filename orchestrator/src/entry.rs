//! The way into the binary, and where the command line hands over to what runs for long.
//!
//! Absent on purpose: arguments and exit codes (see [`crate::cli`]).

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use connectors::kafka::{KafkaCluster, KafkaLog};
use connectors::memory::log::{MemoryCluster, MemoryLog};
use connectors::memory::store::{MemoryStore, MemoryStoreServer};
use connectors::redis::{RedisAddress, RedisStore};
use schemas::bundle::Bundle;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{self, Cli, Error, demo};
use crate::config::Settings;
use crate::demo::{self as run, DemoArgs, Summary};
use crate::output::{self, Console};
use crate::process::{self, Plan, Process};

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut answers = io::stdin().lock();
    let interactive = io::stdin().is_terminal() && io::stderr().is_terminal();
    let mut console = Console {
        out: &mut io::stdout(),
        talk: &mut io::stderr(),
        format: cli.output,
        color: output::color(),
        answers: interactive.then_some(&mut answers),
    };
    let Err(error) = cli::run(cli, &mut console) else {
        return ExitCode::SUCCESS;
    };
    if let Some(message) = error.message() {
        console.talk(&message);
    }
    ExitCode::from(error.exit_code())
}

/// Runs workers and ingress until the process is asked to stop.
///
/// # Errors
/// What ended them.
pub fn serve(settings: Settings) -> Result<(), Error> {
    let definitions = settings
        .deploy
        .as_deref()
        .map(compile_all)
        .transpose()?
        .unwrap_or_default();
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
        create_missing: settings.topics.create_missing,
        listen: settings.listen,
        client_library: connectors::kafka::library_version(),
    };
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
    wait_for_end(&process)?;
    tracing::info!("Process stops after the transactions in hand.");
    Ok(process.stop()?)
}

/// Compiles every definition of a directory; all errors of all files are told at once.
///
/// # Errors
/// [`Error::Refused`] with the diagnostics.
pub fn compile_all(directory: &Path) -> Result<Vec<Bundle>, Error> {
    let unreadable = |error: std::io::Error| {
        Error::Refused(format!("cannot read {}: {error}", directory.display()))
    };
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .map_err(unreadable)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"))
        // Scenarios stand beside their definition and are none themselves.
        .filter(|path| !path.to_string_lossy().contains(".test."))
        .collect();
    files.sort();
    compile_files(&files)
}

/// Compiles these files.
///
/// # Errors
/// [`Error::Refused`] with the diagnostics of all of them.
pub fn compile_files(files: &[std::path::PathBuf]) -> Result<Vec<Bundle>, Error> {
    let mut compiled = Vec::new();
    let mut problems = String::new();
    for path in files {
        let file = path.display().to_string();
        let source = std::fs::read_to_string(path)
            .map_err(|e| Error::Refused(format!("cannot read {file}: {e}")))?;
        match saga_lib::definition::compile(&file, &source) {
            Ok(definition) => compiled.push(Bundle::new(definition, source, file)),
            Err(errors) => problems.push_str(&saga_lib::definition::render(
                &file, &source, &errors, false,
            )),
        }
    }
    if problems.is_empty() {
        Ok(compiled)
    } else {
        Err(Error::Refused(format!(
            "definitions are not deployed:\n{problems}"
        )))
    }
}

/// Waits for SIGTERM, SIGINT or the end of a loop.
fn wait_for_end(process: &Process) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                () = tokio::time::sleep(Duration::from_millis(100)) => {
                    if process.has_ended() {
                        return Ok(());
                    }
                }
            }
        }
    })
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
        client_library: connectors::kafka::library_version(),
    }
}

/// The same error under the exit code it has everywhere.
fn why(error: run::Error) -> Error {
    match error {
        run::Error::Log(error) => error.into(),
        run::Error::Process(error) => error.into(),
        run::Error::Output(error) => error.into(),
        error @ run::Error::NotReady { .. } => Error::Unreachable(error.to_string()),
        error @ run::Error::Participant(_) => Error::Refused(error.to_string()),
    }
}
