//! Definitions: YAML to IR, with every error of a file at once.
//!
//! ```text
//!  source --tree--> spanned tree --uses--> library of contracts and fragments
//!                         |                     |
//!                         +------fields, lower--+--> IR
//!              \_______________ diagnostics, sorted by file and position ____> render
//! ```
//!
//! One table ([`fields`]) says which keys exist; the parser, the "did you mean" and everything written about the language read it.
//! A key or verb that belongs to the language but not to this release is told apart from an unknown one.
//!
//! Absent on purpose: reading files. Whoever calls has read the source, and gives the text of every file that it uses.

pub mod codes;
pub mod fields;

mod block;
mod catch;
mod command;
mod compensation;
mod context;
mod contract;
mod counter;
mod data;
mod deadline;
mod describe;
mod diagnostic;
mod finally;
mod flow;
mod formats;
mod fragment;
mod header;
mod inline;
mod names;
mod object;
mod outline;
mod place;
mod plain;
mod repeat;
mod retry;
mod scalar;
mod step;
mod time;
mod tree;
mod typed;
mod types;
mod uses;
mod wait;

use self::context::Context;
pub use self::describe::{reference, schema};
pub use self::diagnostic::{Diagnostic, Severity, Span, render, render_all};
pub use self::plain::data;
pub(crate) use self::time::{duration_ms, time_ms};
pub use self::uses::Files;
use crate::ir;

/// A file that took part in a compilation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name; that of a used file is relative to the same folder as that of the definition.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What a compilation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    /// The definition; `None`, if there is a mistake among the diagnostics.
    pub definition: Option<ir::Definition>,
    /// Mistakes and warnings, in the order of the files and of the source.
    pub diagnostics: Vec<Diagnostic>,
    /// The definition's file and the files it uses, in the order they were read.
    pub sources: Vec<Source>,
}

/// Compiles one definition. `files` gives the text of a file for its path: the paths under `uses`, seen from the folder of `file_name`.
pub fn compile_with(file_name: &str, source: &str, files: &Files<'_>) -> Compiled {
    let mut context = Context::new(file_name, source);
    let definition = tree::parse(&mut context).and_then(|tree| {
        let library = uses::load(&mut context, files, &tree);
        header::lower(&mut context, &library, &tree)
    });
    let definition = definition.filter(|_| context.is_clean());
    if definition.is_none() {
        context.give_up();
    }
    let (diagnostics, sources) = context.finish();
    Compiled {
        definition,
        diagnostics,
        sources,
    }
}

/// Is this a contract or a fragment? Such files stand beside definitions and are read with them.
pub fn is_part(source: &str) -> bool {
    let mut context = Context::new("", source);
    tree::parse(&mut context).is_some_and(|tree| uses::is_part(&tree))
}

/// Compiles one definition that uses no other file.
///
/// # Errors
/// Every mistake and warning of the file, in the order of the source, if there is a mistake.
pub fn compile(file_name: &str, source: &str) -> Result<ir::Definition, Vec<Diagnostic>> {
    let none = |_: &str| Err("no file can be read here".to_owned());
    let compiled = compile_with(file_name, source, &none);
    compiled.definition.ok_or(compiled.diagnostics)
}

#[cfg(test)]
pub(crate) mod tests;
