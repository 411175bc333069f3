//! `skald dlq list`.
//!
//! Absent on purpose: values, which may be large or secret; `show` has them.

use std::time::Duration;

use schemas::dead_letter::DeadLetter;

use crate::cli::settings::SettingsArgs;
use crate::cli::{Error, connect};
use crate::client::dead_letters::{self, Filter, Row};
use crate::output::{Console, Format};

/// Which dead letters.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct FilterArgs {
    /// Only from this source topic.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Only of this class, e.g. undecodable.
    #[arg(long)]
    pub class: Option<String>,
    /// Only of this saga.
    #[arg(long, value_name = "ID")]
    pub saga: Option<String>,
}

impl FilterArgs {
    /// The filter, with a limit.
    pub fn filter(&self, limit: Option<usize>) -> Filter {
        Filter {
            topic: self.topic.clone(),
            class: self.class.clone(),
            saga: self.saga.clone(),
            limit,
        }
    }
}

/// Arguments of `dlq list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Lists.
///
/// # Errors
/// A wrong configuration or an unreachable server.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    let mut connected = connect::connect(&args.settings, Duration::ZERO, console)?;
    let filter = args.filter.filter(Some(args.limit));
    let (letters, foreign) =
        dead_letters::list(&mut connected.log, &connected.installation, &filter)?;
    show(&letters, console)?;
    if foreign > 0 {
        console.talk(&format!(
            "{foreign} records of these topics are no dead letters"
        ));
    }
    Ok(())
}

/// Writes dead letters.
///
/// # Errors
/// What stdout says.
pub fn show(letters: &[DeadLetter], console: &mut Console<'_>) -> Result<(), Error> {
    let rows: Vec<Row> = letters.iter().map(Row::of).collect();
    if console.format == Format::Json {
        return Ok(console.json(&rows)?);
    }
    let head = ["position", "at", "class", "saga", "message"];
    let cells = rows.into_iter().map(|row| {
        let saga = row.saga.unwrap_or_else(|| "-".into());
        vec![row.position, row.at, row.class, saga, row.message]
    });
    Ok(console.table(&head, cells.collect())?)
}
