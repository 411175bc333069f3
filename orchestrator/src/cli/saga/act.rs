//! `skald saga cancel|retry|skip|suspend|resume|terminate ID`: signals, and what became of them.
//!
//! Absent on purpose: acts on many instances at once.

use saga_lib::input::{Act, Signal};
use schemas::history::Verdict;
use serde_json::Value;

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
    /// Execute the refused step with this request instead (JSON, or `@FILE`).
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub input: Option<Value>,
}

/// Arguments of `saga skip`.
#[derive(Debug, clap::Args)]
pub struct SkipArgs {
    /// The instance.
    #[command(flatten)]
    pub target: Target,
    /// Outcome of the step; its first success by default.
    #[arg(long, value_name = "NAME")]
    pub outcome: Option<String>,
    /// What counts as the reply (JSON, or `@FILE`).
    #[arg(long, value_name = "JSON", value_parser = json, default_value = "null")]
    pub reply: Value,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// Arguments of `saga suspend`.
#[derive(Debug, clap::Args)]
pub struct SuspendArgs {
    /// The instance.
    #[command(flatten)]
    pub target: Target,
}

/// Arguments of `saga resume`.
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// The instance.
    #[command(flatten)]
    pub target: Target,
}

/// Arguments of `saga terminate`.
#[derive(Debug, clap::Args)]
pub struct TerminateArgs {
    /// The instance.
    #[command(flatten)]
    pub target: Target,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// Cancels.
///
/// # Errors
/// [`Error::Refused`] if nobody said yes or the status forbids it; [`Error::Unseen`] if no effect was seen.
pub fn cancel(args: &CancelArgs, console: &mut Console<'_>) -> Result<(), Error> {
    let question = format!("Compensate and end `{}`?", printable(&args.target.id));
    sure(args.yes, &question, console)?;
    let reason = args.target.operator.why.clone();
    send(&args.target, Act::Cancel { reason }, console)
}

/// Retries.
///
/// # Errors
/// As [`cancel`].
pub fn retry(args: &RetryArgs, console: &mut Console<'_>) -> Result<(), Error> {
    let act = match &args.input {
        Some(input) => Act::RetryWith {
            input: input.clone(),
        },
        None => Act::Retry,
    };
    send(&args.target, act, console)
}

/// Decides the outcome of the step that an instance is parked for.
///
/// # Errors
/// As [`cancel`].
pub fn skip(args: &SkipArgs, console: &mut Console<'_>) -> Result<(), Error> {
    let outcome = args.outcome.as_deref().unwrap_or("success");
    let question = format!(
        "Decide `{}` with `{}` in place of the participant?",
        printable(&args.target.id),
        printable(outcome)
    );
    sure(args.yes, &question, console)?;
    let act = Act::Skip {
        outcome: args.outcome.clone(),
        output: args.reply.clone(),
    };
    send(&args.target, act, console)
}

/// Stops an instance.
///
/// # Errors
/// As [`cancel`].
pub fn suspend(args: &SuspendArgs, console: &mut Console<'_>) -> Result<(), Error> {
    send(&args.target, Act::Suspend, console)
}

/// Lets a suspended instance go on.
///
/// # Errors
/// As [`cancel`].
pub fn resume(args: &ResumeArgs, console: &mut Console<'_>) -> Result<(), Error> {
    send(&args.target, Act::Resume, console)
}

/// Ends an instance without compensation. It takes a reason, because what it leaves undone stays undone.
///
/// # Errors
/// As [`cancel`]; [`Error::Usage`] without `--why`.
pub fn terminate(args: &TerminateArgs, console: &mut Console<'_>) -> Result<(), Error> {
    let Some(reason) = args.target.operator.why.clone() else {
        return Err(Error::Usage("say why with --why".into()));
    };
    let question = format!("End `{}` without compensation?", printable(&args.target.id));
    sure(args.yes, &question, console)?;
    send(&args.target, Act::Terminate { reason }, console)
}

fn sure(yes: bool, question: &str, console: &mut Console<'_>) -> Result<(), Error> {
    if yes || console.confirm(question) {
        return Ok(());
    }
    Err(Error::Refused("not done; answer `y` or use --yes".into()))
}

/// JSON as it was typed, or the content of a file.
fn json(text: &str) -> Result<Value, String> {
    let read = |path| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let text = match text.strip_prefix('@') {
        Some(path) => read(path)?,
        None => text.to_owned(),
    };
    schemas::json::parse(text.as_bytes()).map_err(|error| error.to_string())
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
