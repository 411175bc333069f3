//! `skald demo`: order sagas against participants of which some refuse, and some answer late, twice or never.
//!
//! ```text
//!  shop --orders--> ingress --> engine --commands--> stock, payment, shipping
//!                                 |  ^                          |
//!          history, order-events  |  +---------replies----------+
//!                                 v
//!                             followers --> tally --> summary, timeline
//! ```
//!
//! The process is the one that `serve` starts, the participants use the public SDK, and the judges read what everybody can read: the
//! same code runs on the embedded log and store and on real servers.
//!
//! Absent on purpose: configuration, and cleaning up behind a run on real servers.

mod follow;
mod paint;
mod progress;
mod report;
mod run;
mod services;
mod shop;
mod specimen;
mod stage;
mod summary;
mod tally;
mod temper;
mod timeline;

use std::io;

use connectors::log::Log;
use connectors::store::Store;

use crate::output::{Console, Format};
use crate::process;

use paint::{Paint, Tone};
use progress::Progress;
use stage::{Played, Stage};

pub use summary::Summary;

/// What to run, and where.
#[derive(Debug, Clone)]
pub struct DemoArgs {
    /// How many orders.
    pub sagas: u32,
    /// Seed of the participants' behaviour.
    pub seed: u64,
    /// Where it runs, for people.
    pub place: String,
    /// Does the log keep what was written when the process ends?
    pub durable: bool,
    /// May a progress bar be shown on stderr?
    pub progress: bool,
    /// Version of the log's client library.
    pub client_library: String,
}

/// Why there is no summary.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process does not start, or one of its loops ended.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// The log does not take orders, or cannot be read.
    #[error(transparent)]
    Log(#[from] connectors::log::Error),
    /// A participant does not start.
    #[error(transparent)]
    Participant(#[from] connectors::participant::Error),
    /// The process does not become ready.
    #[error("not ready within {seconds} s: {reasons}")]
    NotReady {
        /// How long it was waited for.
        seconds: u64,
        /// What it waits for.
        reasons: String,
    },
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Runs the demo and shows its summary; whether promises were kept is the caller's to judge.
///
/// # Errors
/// See [`Error`].
pub fn run<L: Log, S: Store>(
    cluster: &L::Cluster,
    server: &S::Server,
    args: &DemoArgs,
    console: &mut Console<'_>,
) -> Result<Summary, Error> {
    let progress = Progress::new(args.sagas, args.progress);
    let played = play::<L, S>(cluster, server, args, &progress);
    // Also before an error is told: it must not stand behind half a bar.
    progress.clear();
    let played = played?;
    let tally = played.tally.lock();
    let summary = Summary::of(&tally, &played.effects, args.seed, args.durable);
    match console.format {
        Format::Json => console.json(&summary)?,
        Format::Table => show(&summary, tally.specimen.facts(), &played.app, args, console)?,
    }
    Ok(summary)
}

fn play<L: Log, S: Store>(
    cluster: &L::Cluster,
    server: &S::Server,
    args: &DemoArgs,
    progress: &Progress,
) -> Result<Played, Error> {
    progress.say("starting");
    let mut stage = Stage::<L>::set::<S>(cluster, server, args)?;
    stage.wait_ready()?;
    progress.say("");
    stage.play(progress)?;
    progress.say("counting");
    stage.strike()
}

fn show(
    summary: &Summary,
    facts: &[schemas::history::Fact],
    app: &str,
    args: &DemoArgs,
    console: &mut Console<'_>,
) -> io::Result<()> {
    let paint = Paint { on: console.color };
    console.line(&report::text(summary, &args.place, paint))?;
    if !facts.is_empty() {
        console.line("")?;
        console.line(&timeline::text(facts, paint))?;
    }
    console.line("")?;
    console.line(&paint.paint(Tone::Faint, &farewell(args.durable, app)))
}

fn farewell(durable: bool, app: &str) -> String {
    if durable {
        return format!("Topics and keys of this run stay: its app is {app}.");
    }
    "The embedded log and store are not durable: nothing of this run is left. The same on real servers:\n  \
     skald demo --kafka localhost:9092 --redis redis://localhost:6379"
        .to_owned()
}

#[cfg(test)]
mod tests;
