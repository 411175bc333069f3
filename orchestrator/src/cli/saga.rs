//! `skald saga list|show|cancel|retry|skip|suspend|resume|terminate`.
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
    /// Decide the outcome of the step (or refused compensation) that an instance is parked for.
    Skip(act::SkipArgs),
    /// Stop an instance: every input but signals is kept.
    Suspend(act::SuspendArgs),
    /// Let a suspended instance go on.
    Resume(act::ResumeArgs),
    /// End an instance without compensation; on a terminated one: declare what it owes as settled.
    Terminate(act::TerminateArgs),
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
        Verb::Skip(args) => act::skip(args, console),
        Verb::Suspend(args) => act::suspend(args, console),
        Verb::Resume(args) => act::resume(args, console),
        Verb::Terminate(args) => act::terminate(args, console),
    }
}
