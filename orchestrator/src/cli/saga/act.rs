//! `skald saga cancel ID` and `skald saga retry ID`: signals, and what became of them.
//!
//! Absent on purpose: acts on many instances at once.

use saga_lib::input::{Act, Signal};
use schemas::history::Verdict;

use super::show::parse;
use crate::cli::Error;
use crate::cli::connect::{self, Wait};
use crate::cli::operator::OperatorArgs;
use crate::cli::settings::SettingsArgs;
use crate::client::audit::Audit;
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
    /// Who acts, and why.
    #[command(flatten)]
    pub operator: OperatorArgs,
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
    let reason = args.target.operator.why.clone();
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
    let (log, installation) = (&mut connected.log, &connected.installation);
    let audit = Audit::open(log, installation, target.operator.operator())?;
    let signal = Signal {
        id: uuid::Uuid::new_v4().to_string(),
        actor: audit.operator().actor.clone(),
        if_revision: target.if_revision,
        act,
    };
    let outcome = signal::signal(log, installation, &audit, &id, &signal)?;
    show(&outcome, console)
}

fn show(outcome: &Outcome, console: &mut Console<'_>) -> Result<(), Error> {
    if let Some(problem) = &outcome.unaudited {
        console.talk(&format!("warning: {problem}"));
    }
    match console.format {
        Format::Json => console.json(outcome)?,
        Format::Table => console.line(&text(outcome))?,
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
