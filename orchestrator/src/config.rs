//! Configuration: `skald.toml`, then `SKALD_*` variables, then flags; the later one wins.
//!
//! Two types: [`typed::Typed`] is what somebody wrote, [`Settings`] is what follows from it. Nothing but this module reads the former.
//!
//! Absent on purpose: reloading. A changed setting takes effect at the next start.

pub mod explain;
pub mod resolve;
pub mod settings;
pub mod source;
pub mod typed;
pub mod value;

use std::path::PathBuf;

use figment::Figment;

pub use settings::Settings;
pub use source::{Assignment, Sources};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file named with `--config` or `SKALD_CONFIG` is not there.
    #[error("config file `{}` does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("file `{}` cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A key that does not exist.
    #[error("unknown key `{key}` in {place}{}", suggested(suggestion))]
    UnknownKey {
        /// The key, with its tables.
        key: String,
        /// The file, variable or flag.
        place: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// A value of the wrong form.
    #[error("`{key}` in {place}: {reason}")]
    Value {
        /// The key, with its tables.
        key: String,
        /// The file, variable or flag.
        place: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// The file is not TOML.
    #[error("{place} is not valid TOML: {reason}")]
    Syntax {
        /// The file.
        place: String,
        /// Line and cause.
        reason: String,
    },
    /// Values that are well formed but cannot work, alone or together.
    #[error("{reason}")]
    Contradiction {
        /// Which keys, their values, and what must hold.
        reason: String,
    },
}

/// A configuration, and what is worth a word about it.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// For stderr: variables that look like settings but are none.
    pub warnings: Vec<String>,
}

/// Reads every source and resolves what they say.
///
/// # Errors
/// The first thing that is wrong, naming the key and the file, variable or flag it came from.
pub fn load(sources: &Sources) -> Result<Loaded, Error> {
    let (variables, warnings) = source::variables(&sources.environment);
    let mut figment = Figment::new();
    if let Some(path) = sources.file()? {
        figment = figment.merge(source::file(&path)?);
    }
    for assignment in variables.into_iter().chain(sources.flags.iter().cloned()) {
        figment = figment.merge(assignment);
    }
    let typed: typed::Typed = figment.extract().map_err(explain::explain)?;
    Ok(Loaded {
        settings: resolve::resolve(typed)?,
        warnings,
    })
}

fn suggested(suggestion: &Option<String>) -> String {
    suggestion
        .as_ref()
        .map(|key| format!("; did you mean `{key}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
