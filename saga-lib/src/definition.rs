//! Definitions: YAML to IR, with every error of a file at once.
//!
//! ```text
//!  source --tree--> spanned tree --fields, lower--> IR
//!              \________________\____ diagnostics, sorted by position ____> render
//! ```
//!
//! One table ([`fields`]) says which keys exist; the parser, the "did you mean" and everything written about the language read it.
//! A key or verb that belongs to the language but not to this release is told apart from an unknown one.
//!
//! Absent on purpose: files. Whoever calls has read the source; contract and fragment files come with a later release.

pub mod codes;
pub mod fields;

mod check;
mod command;
mod context;
mod data;
mod diagnostic;
mod finally;
mod header;
mod object;
mod plain;
mod scalar;
mod step;
mod time;
mod tree;

use self::context::Context;
pub use self::diagnostic::{Diagnostic, Span, render};
pub use self::plain::data;
use crate::ir;

pub(crate) use self::time::{duration_ms, time_ms};

/// Compiles one definition. `file_name` is only shown.
///
/// # Errors
/// Every mistake of the file, in the order of the source; never an empty list.
pub fn compile(file_name: &str, source: &str) -> Result<ir::Definition, Vec<Diagnostic>> {
    let mut context = Context::new(source);
    let tree = tree::parse(&mut context);
    let definition = tree.and_then(|tree| header::lower(&mut context, &tree));
    match definition {
        Some(definition) if context.is_clean() => Ok(definition),
        _ => Err(context.finish(file_name)),
    }
}

#[cfg(test)]
mod tests;
