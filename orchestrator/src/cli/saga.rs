//! `skald saga list|show|cancel|retry`.
//!
//! Absent on purpose: verbs that write the store. Acts are signals.

pub mod act;
pub mod list;
pub mod show;

use super::Error;
use crate::output::Console;

/// Verbs on instances.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List instances.
    List(list::Args),
    /// Show one instance: status, steps, what it waits for, timeline.
    Show(show::Args),
    /// Compensate what was done and end; refused after the pivot.
    Cancel(act::CancelArgs),
    /// Try again what an instance is parked for, or re-send now what waits for its next attempt.
    Retry(act::RetryArgs),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub fn run(verb: &Verb, console: &mut Console<'_>) -> Result<(), Error> {
    match verb {
        Verb::List(args) => list::run(args, console),
        Verb::Show(args) => show::run(args, console),
        Verb::Cancel(args) => act::cancel(args, console),
        Verb::Retry(args) => act::retry(args, console),
    }
}
