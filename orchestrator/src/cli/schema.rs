//! `skald schema`: the JSON Schema of definitions, contracts and fragments.
//!
//! Absent on purpose: a file. `skald schema > saga.schema.json` writes one where it is wanted.

use super::Error;
use crate::output::Console;

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints it.
///
/// # Errors
/// [`Error::Output`].
pub fn run(_: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    let schema = saga_lib::definition::schema();
    Ok(console.line(schema.trim_end())?)
}
