//! Where the command line hands over to what runs for long.
//!
//! Absent on purpose: arguments and exit codes (see [`crate::cli`]).

use crate::cli::{Error, demo};
use crate::config::Settings;
use crate::output::Console;

/// Runs workers and ingress until the process is asked to stop.
///
/// # Errors
/// What ended them.
pub fn serve(settings: Settings) -> Result<(), Error> {
    let _ = settings;
    Err(Error::Refused("this build has no engine".into()))
}

/// Runs the demo and shows its summary.
///
/// # Errors
/// An unreachable server, or a promise that was not kept.
pub fn demo(args: &demo::Args, console: &mut Console<'_>) -> Result<(), Error> {
    let _ = (args, console);
    Err(Error::Refused("this build has no demo".into()))
}
