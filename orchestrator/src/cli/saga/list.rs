//! `skald saga list`.
//!
//! Absent on purpose: watching; `-o json` and a loop of the shell do that.

use std::time::Duration;

use saga_lib::instance::Status;

use crate::cli::settings::SettingsArgs;
use crate::cli::{Error, connect};
use crate::client::list::{self, Filter, Listed};
use crate::output::{Console, Format, span};
use crate::suggest::nearest;
use crate::worker::wall_ms;

/// Arguments of `saga list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only of this definition.
    #[arg(long)]
    pub definition: Option<String>,
    /// Only in this status: running, compensating, parked, completed, compensated ...
    #[arg(long, value_parser = status)]
    pub status: Option<Status>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

fn status(word: &str) -> Result<Status, String> {
    let known = Status::ALL.into_iter().find(|s| s.word() == word);
    known.ok_or_else(|| {
        let near = nearest(word, Status::ALL.map(Status::word));
        let hint = near.map(|near| format!("; did you mean `{near}`?"));
        format!("no such status{}", hint.unwrap_or_default())
    })
}

/// Lists.
///
/// # Errors
/// A wrong configuration or an unreachable server.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    let connected = connect::connect(&args.settings, Duration::ZERO, console)?;
    let mut store = connect::store(&connected.settings)?;
    let filter = Filter {
        definition: args.definition.clone(),
        status: args.status,
        limit: args.limit,
    };
    let listed = list::list(&mut store, connected.installation.lanes, &filter)?;
    show(&listed, wall_ms(), console)
}

/// Writes what was found.
///
/// # Errors
/// What stdout says.
pub fn show(listed: &Listed, now_ms: i64, console: &mut Console<'_>) -> Result<(), Error> {
    if console.format == Format::Json {
        return Ok(console.json(listed)?);
    }
    let rows = listed.instances.iter().map(|row| {
        let definition = row.definition.split('#').next().unwrap_or_default();
        let debt = if row.compensation_incomplete {
            "compensation incomplete"
        } else {
            ""
        };
        vec![
            row.id.clone(),
            row.status.word().into(),
            definition.into(),
            row.revision.to_string(),
            span(now_ms - row.updated_ms),
            row.incident.unwrap_or(debt).into(),
        ]
    });
    let head = ["id", "status", "definition", "revision", "since", "note"];
    console.table(&head, rows.collect())?;
    for (id, cause) in &listed.unreadable {
        console.talk(&format!("warning: `{id}` cannot be read: {cause}"));
    }
    if listed.more {
        console.talk("there are more; raise --limit or narrow the search");
    }
    Ok(())
}
