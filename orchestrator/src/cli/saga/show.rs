//! `skald saga show ID`.
//!
//! Absent on purpose: the definition's source; the definitions topic has it.

use std::time::Duration;

use saga_lib::id::SagaId;
use saga_lib::instance::{ObligationState, StepStatus};

use crate::cli::settings::SettingsArgs;
use crate::cli::{Error, connect};
use crate::client::show::{self, Shown, ShownIncident};
use crate::output::{Console, Format, printable, span};

/// Arguments of `saga show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Saga id, `<definition>/<key>`.
    pub id: String,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Shows.
///
/// # Errors
/// No such instance, a wrong configuration, an unreachable server.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    let id = parse(&args.id)?;
    let mut connected = connect::connect(&args.settings, Duration::ZERO, console)?;
    let mut store = connect::store(&connected.settings)?;
    let shown = show::show(&mut store, &mut connected.log, &connected.installation, &id)?;
    match console.format {
        Format::Json => console.json(&shown)?,
        Format::Table => console.line(&text(&shown))?,
    }
    Ok(())
}

/// A saga id as it was typed.
///
/// # Errors
/// [`Error::Usage`].
pub fn parse(text: &str) -> Result<SagaId, Error> {
    SagaId::parse(text).map_err(|error| Error::Usage(error.to_string()))
}

/// The instance for people.
pub fn text(shown: &Shown) -> String {
    let mut lines = head(shown);
    lines.extend(shown.incident.iter().flat_map(incident));
    section(&mut lines, "Steps", steps(shown));
    section(&mut lines, "Waits for", pending(shown));
    section(&mut lines, "Obligations", obligations(shown));
    section(&mut lines, "Timeline", timeline(shown));
    lines.join("\n")
}

fn head(shown: &Shown) -> Vec<String> {
    let debt = if shown.compensation_incomplete {
        ", compensation incomplete"
    } else {
        ""
    };
    let pivot = if shown.past_pivot {
        ", past the pivot"
    } else {
        ""
    };
    let mut lines = vec![
        format!("{}  {}{debt}{pivot}", shown.id, shown.status.word()),
        format!("  definition  {}", shown.definition),
        format!("  revision    {} (lane {})", shown.revision, shown.lane),
        format!("  started     {}", shown.started),
        format!("  updated     {}", shown.updated),
    ];
    if let Some(finished) = &shown.finished {
        lines.push(format!("  finished    {finished}"));
    }
    if let Some(cancel) = &shown.cancel {
        lines.push(format!("  cancelled   {}", printable(cancel)));
    }
    if shown.queued > 0 {
        lines.push(format!(
            "  queued      {} inputs wait until it is resumed",
            shown.queued
        ));
    }
    lines
}

fn incident(incident: &ShownIncident) -> Vec<String> {
    let step = incident.step.as_ref();
    let step = step.map(|s| format!(" at `{s}`")).unwrap_or_default();
    vec![
        String::new(),
        format!(
            "Incident {}{step}, was {}, since {}",
            incident.kind,
            incident.from.word(),
            incident.since
        ),
        format!("  {}", printable(&incident.detail)),
    ]
}

fn section(lines: &mut Vec<String>, title: &str, rows: Vec<String>) {
    if rows.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(title.to_owned());
    lines.extend(rows.into_iter().map(|row| format!("  {row}")));
}

fn steps(shown: &Shown) -> Vec<String> {
    let width = shown.steps.keys().map(String::len).max().unwrap_or(0);
    let steps = shown.steps.iter();
    steps
        .map(|(step, status)| format!("{step:width$}  {}", step_word(*status)))
        .collect()
}

fn step_word(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Idle => "idle",
        StepStatus::Pending => "pending",
        StepStatus::Succeeded => "succeeded",
        StepStatus::Refused => "refused",
        StepStatus::Unknown => "unknown",
        StepStatus::Compensating => "compensating",
        StepStatus::Compensated => "compensated",
        StepStatus::Skipped => "skipped",
    }
}

fn pending(shown: &Shown) -> Vec<String> {
    let commands = shown.pending.iter();
    commands
        .map(|c| format!("{}  attempt {}, due {}", c.id, c.attempts, c.due))
        .collect()
}

fn obligations(shown: &Shown) -> Vec<String> {
    let obligations = shown.obligations.iter();
    obligations
        .map(|o| {
            let state = match o.state {
                ObligationState::Refused => "refused by the participant: somebody must act",
                ObligationState::Compensating => "sent, not confirmed",
                ObligationState::Confirmed => "confirmed",
                _ if o.due => "not sent yet",
                _ => "open: sent if the saga turns back",
            };
            let effect = if o.unknown { " (effect unknown)" } else { "" };
            format!("compensation of {}{effect}: {state}", o.command)
        })
        .collect()
}

fn timeline(shown: &Shown) -> Vec<String> {
    let moments = shown.timeline.iter();
    moments
        .map(|m| format!("+{:<8} {}", span(m.after_ms), printable(&m.what)))
        .collect()
}
