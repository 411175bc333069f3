//! `skald dlq replay`.
//!
//! Absent on purpose: a replay of everything by default. Positions, a filter or `--all` must be said.

use schemas::dead_letter::DeadLetter;
use schemas::history::Verdict;

use super::list::FilterArgs;
use crate::cli::Error;
use crate::cli::connect::{self, Connected, Wait};
use crate::cli::operator::OperatorArgs;
use crate::cli::settings::SettingsArgs;
use crate::client::audit::Audit;
use crate::client::dead_letters;
use crate::client::preview::{self, Preview, Would};
use crate::client::replay::{self, Effect, Options, Replayed};
use crate::client::resume;
use crate::ingress::Reader;
use crate::output::{Console, Format};
use crate::worker::wall_ms;

/// Arguments of `dlq replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Dead letters, `<topic>/<partition>/<offset>`, as `dlq list` shows them.
    #[arg(value_name = "POSITION", required_unless_present_any = ["all", "topic", "class", "saga"])]
    pub positions: Vec<String>,
    /// Instead of positions: all that match.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Every dead letter.
    #[arg(long, conflicts_with = "positions")]
    pub all: bool,
    /// Also those that were replayed before; named positions always are.
    #[arg(long)]
    pub again: bool,
    /// Only tell what would happen.
    #[arg(long)]
    pub dry_run: bool,
    /// Send to the original topic, where other consumers see the record again.
    #[arg(long)]
    pub to_origin: bool,
    /// Also sign inbox records that were set aside because they were not signed.
    #[arg(long)]
    pub trust_unsigned: bool,
    /// Records per second.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Who replays, and why.
    #[command(flatten)]
    pub operator: OperatorArgs,
    /// How long to wait.
    #[command(flatten)]
    pub wait: Wait,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Replays, or tells what a replay would do.
///
/// # Errors
/// [`Error::Shown`] if a record was not sent or was set aside again; [`Error::Unseen`] if effects were not seen.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    let mut connected = connect::connect(&args.settings, args.wait.wait, console)?;
    let letters = letters(args, &mut connected, console)?;
    if letters.is_empty() {
        console.talk("no dead letter matches");
    }
    if args.dry_run {
        return dry_run(&letters, &mut connected, console);
    }
    let question = question(&letters, args.to_origin);
    if !letters.is_empty() && !args.yes && !console.confirm(&question) {
        return Err(Error::Refused(
            "not replayed; answer `y` or use --yes".into(),
        ));
    }
    let options = Options {
        to_origin: args.to_origin,
        trust_unsigned: args.trust_unsigned,
        rate: args.rate,
    };
    let (log, installation) = (&mut connected.log, &connected.installation);
    let audit = Audit::open(log, installation, args.operator.operator())?;
    let report = replay::replay(log, installation, &audit, &letters, options)?;
    show(&report.replayed, console)?;
    if let Some(problem) = &report.unaudited {
        console.talk(&format!("warning: {problem}"));
    }
    if let Some(problem) = &report.unwatched {
        console.talk(&format!(
            "warning: effects could not be read to the end: {problem}"
        ));
    }
    verdict(&report.replayed)
}

fn letters(
    args: &Args,
    connected: &mut Connected,
    console: &mut Console<'_>,
) -> Result<Vec<DeadLetter>, Error> {
    let (log, installation) = (&mut connected.log, &connected.installation);
    if args.positions.is_empty() {
        let (mut letters, _) = dead_letters::list(log, installation, &args.filter.filter(None))?;
        // Oldest first: records of one saga should come back in the order in which they were set aside.
        letters.reverse();
        if args.again {
            return Ok(letters);
        }
        let (letters, others) = resume::not_replayed(log, installation, letters)?;
        if others > 0 {
            console.talk(&format!(
                "{others} dead letters were replayed before and are left out; --again sends them again"
            ));
        }
        return Ok(letters);
    }
    let mut letters = Vec::new();
    for position in &args.positions {
        letters.push(dead_letters::at(log, installation, position)?);
    }
    Ok(letters)
}

fn question(letters: &[DeadLetter], to_origin: bool) -> String {
    let many = letters.len();
    if to_origin {
        return format!("Send {many} dead letters to their original topics, for all consumers?");
    }
    format!("Send {many} dead letters back?")
}

fn dry_run(
    letters: &[DeadLetter],
    connected: &mut Connected,
    console: &mut Console<'_>,
) -> Result<(), Error> {
    let mut store = connect::store(&connected.settings)?;
    let definitions = connected.installation.definitions(&mut connected.log)?;
    let settings = &connected.settings;
    let reader = Reader::open(&settings.topics.formats, &settings.schemas)
        .map_err(|error| Error::Refused(error.to_string()))?;
    let mut previews = Vec::new();
    for letter in letters {
        previews.push(preview::preview(
            &mut store,
            &connected.installation,
            &definitions,
            (letter, &reader),
            wall_ms(),
        )?);
    }
    if console.format == Format::Json {
        return Ok(console.json(&previews)?);
    }
    let rows = previews.iter().flat_map(preview_rows).collect();
    Ok(console.table(&["position", "origin", "would"], rows)?)
}

fn preview_rows(preview: &Preview) -> Vec<Vec<String>> {
    let row = |would: String| vec![preview.position.clone(), preview.origin.clone(), would];
    if preview.would.is_empty() {
        return vec![row("nothing: no definition wants it".into())];
    }
    preview.would.iter().map(|w| row(would(w))).collect()
}

fn would(would: &Would) -> String {
    match would {
        Would::Apply {
            saga,
            applied,
            reason,
            status_before,
            status_after,
            commands,
            ..
        } => {
            let word =
                |status: &Option<saga_lib::instance::Status>| status.map_or("none", |s| s.word());
            let change = format!("{} -> {}", word(status_before), word(status_after));
            let sends = commands.iter().map(|c| format!(", send {c}"));
            let sends: String = sends.collect();
            format!(
                "{saga}: {} ({change}{sends})",
                verdict_text(*applied, reason.as_deref())
            )
        }
        Would::DieAgain { class, message } => format!("be set aside again: {class}: {message}"),
        Would::Wait { reason } => format!("wait for its schema: {reason}"),
        Would::Orphan { reason } => format!("have no effect: {reason}"),
    }
}

fn verdict_text(applied: Verdict, reason: Option<&str>) -> String {
    let reason = reason.map(|r| format!(": {r}")).unwrap_or_default();
    match applied {
        Verdict::Changed => "changed".into(),
        Verdict::Ignored => format!("ignored{reason}"),
        Verdict::Rejected => format!("rejected{reason}"),
    }
}

fn show(replayed: &[Replayed], console: &mut Console<'_>) -> Result<(), Error> {
    if console.format == Format::Json {
        return Ok(console.json(&replayed)?);
    }
    let rows = replayed
        .iter()
        .map(|r| vec![r.position.clone(), r.origin.clone(), effect(&r.effect)]);
    Ok(console.table(&["position", "origin", "effect"], rows.collect())?)
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Fact {
            saga,
            applied,
            reason,
            ..
        } => {
            format!("{saga}: {}", verdict_text(*applied, reason.as_deref()))
        }
        Effect::DeadAgain { class, message } => format!("set aside again: {class}: {message}"),
        Effect::SentToOrigin => "sent to its original topic, not followed".into(),
        Effect::NotSent { reason } => format!("not sent: {reason}"),
        Effect::Unseen => "sent, no effect seen".into(),
    }
}

/// The worst item decides the exit code.
fn verdict(replayed: &[Replayed]) -> Result<(), Error> {
    let any = |is: fn(&Effect) -> bool| replayed.iter().any(|r| is(&r.effect));
    if any(|e| matches!(e, Effect::NotSent { .. } | Effect::DeadAgain { .. })) {
        return Err(Error::Shown);
    }
    if any(|e| matches!(e, Effect::Unseen)) {
        return Err(Error::Unseen("some effects were not seen in time".into()));
    }
    Ok(())
}
