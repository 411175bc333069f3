//! `skald dlq list|show|replay`.
//!
//! Absent on purpose: deleting; retention does that.

pub mod list;
pub mod replay;
pub mod show;

use super::Error;
use crate::output::Console;

/// Verbs on dead letters.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List dead letters, newest first.
    List(list::Args),
    /// Show one dead letter: reason, origin, headers, value.
    Show(show::Args),
    /// Send dead letters back (as copies) and report what became of each.
    Replay(replay::Args),
}

/// Runs a verb.
///
/// # Errors
/// The verb's.
pub fn run(verb: &Verb, console: &mut Console<'_>) -> Result<(), Error> {
    match verb {
        Verb::List(args) => list::run(args, console),
        Verb::Show(args) => show::run(args, console),
        Verb::Replay(args) => replay::run(args, console),
    }
}
