//! `skald saga cancel ID` and `skald saga retry ID`: signals, and what became of them.
//!
//! Absent on purpose: acts on many instances at once.

use connectors::log::Log;
use saga_lib::id::SagaId;
use saga_lib::input::{Act, Signal};
use schemas::history::Verdict;

use super::show::parse;
use crate::cli::Error;
use crate::cli::connect::{self, Wait};
use crate::cli::settings::SettingsArgs;
use crate::client::Installation;
use crate::client::signal::{self, Outcome};
use crate::output::{Console, Format, printable};

/// What all acts take.
#[derive(Debug, clap::Args)]
pub struct Target {
    /// Saga id, `<definition>/<key>`.
    pub id: String,
    /// Act only if the instance is still at this revision.
    #[arg(long, value_name = "REVISION")]
    pub if_revision: Option<u64>,
    /// Who acts, for the history [default: the user name].
    #[arg(long)]
    pub actor: Option<String>,
    /// How long to wait.
    #[command(flatten)]
    pub wait: Wait,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Arguments of `saga cancel`.
#[derive(Debug, clap::Args)]
pub struct CancelArgs {
    /// The instance.
    #[command(flatten)]
    pub target: Target,
    /// Why, for the history.
    #[arg(long)]
    pub reason: Option<String>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// Arguments of `saga retry`.
#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    /// The instance.
    #[command(flatten)]
    pub target: Target,
}

/// Cancels.
///
/// # Errors
/// [`Error::Refused`] if nobody said yes or the status forbids it; [`Error::Unseen`] if no effect was seen.
pub fn cancel(args: &CancelArgs, console: &mut Console<'_>) -> Result<(), Error> {
    let question = format!("Compensate and end `{}`?", printable(&args.target.id));
    if !args.yes && !console.confirm(&question) {
        return Err(Error::Refused(
            "not cancelled; answer `y` or use --yes".into(),
        ));
    }
    let reason = args.reason.clone();
    send(&args.target, Act::Cancel { reason }, console)
}

/// Retries.
///
/// # Errors
/// As [`cancel`].
pub fn retry(args: &RetryArgs, console: &mut Console<'_>) -> Result<(), Error> {
    send(&args.target, Act::Retry, console)
}

fn send(target: &Target, act: Act, console: &mut Console<'_>) -> Result<(), Error> {
    let id = parse(&target.id)?;
    let mut connected = connect::connect(&target.settings, target.wait.wait, console)?;
    let signal = Signal {
        id: uuid::Uuid::new_v4().to_string(),
        actor: target.actor.clone().unwrap_or_else(user),
        if_revision: target.if_revision,
        act,
    };
    run(
        &mut connected.log,
        &connected.installation,
        &id,
        &signal,
        console,
    )
}

fn user() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    name.unwrap_or_else(|_| "unknown".into())
}

/// Sends a signal and tells what became of it.
///
/// # Errors
/// [`Error::Shown`] if the instance did not change; [`Error::Unseen`] if no effect was seen.
pub fn run<L: Log>(
    log: &mut L,
    installation: &Installation,
    id: &SagaId,
    signal: &Signal,
    console: &mut Console<'_>,
) -> Result<(), Error> {
    let outcome = signal::signal(log, installation, id, signal)?;
    match console.format {
        Format::Json => console.json(&outcome)?,
        Format::Table => console.line(&text(&outcome))?,
    }
    match outcome.applied {
        Verdict::Changed => Ok(()),
        Verdict::Ignored | Verdict::Rejected => Err(Error::Shown),
    }
}

fn text(outcome: &Outcome) -> String {
    let status = outcome.status_after.map_or("gone", |s| s.word());
    let reason = outcome.reason.as_deref().map(printable);
    let reason = reason.unwrap_or_else(|| "no reason given".into());
    match outcome.applied {
        Verdict::Changed => {
            let revision = outcome.revision.unwrap_or_default();
            format!("{}: {status}, revision {revision}", outcome.saga)
        }
        Verdict::Ignored => format!("{}: ignored ({reason}), still {status}", outcome.saga),
        Verdict::Rejected => format!("{}: rejected ({reason}), still {status}", outcome.saga),
    }
}
