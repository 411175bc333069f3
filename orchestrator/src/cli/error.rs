//! Why a command failed, and the exit code for it.
//!
//! Absent on purpose: causes of single calls; they arrive here as text with the context that a person needs.

use std::io;

use connectors::{log, store};

use crate::{client, config, http, metric, process};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is wrong was already shown: only the exit code is left to say.
    #[error("")]
    Shown,
    /// The input is bad, or somebody refused.
    #[error("{0}")]
    Refused(String),
    /// The command line is wrong in a way that its parser cannot know.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// A server cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The request was sent, but what became of it is not known.
    #[error("{0}")]
    Unseen(String),
    /// The HTTP server does not start.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// Metrics cannot be registered.
    #[error(transparent)]
    Metric(#[from] metric::Error),
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    /// The exit code, see [`super::EXIT_CODES`].
    pub fn exit_code(&self) -> u8 {
        match self {
            // Whoever closed the pipe (`skald ... | head`) has what it wanted.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Shown | Self::Refused(_) | Self::Metric(_) | Self::Output(_) => 1,
            Self::Usage(_) | Self::Config(_) | Self::Http(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Unseen(_) => 4,
        }
    }

    /// The same with something more to tell.
    fn with(self, problem: &str) -> Self {
        let both = |text: String| format!("{text}; {problem}");
        match self {
            Self::Refused(text) => Self::Refused(both(text)),
            Self::Unreachable(text) => Self::Unreachable(both(text)),
            Self::Unseen(text) => Self::Unseen(both(text)),
            other => other,
        }
    }

    /// What to tell, if anything is left to be told.
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Shown => None,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            other => Some(format!("error: {other}")),
        }
    }
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        match error {
            client::Error::Log(error) => error.into(),
            client::Error::Store(error) => error.into(),
            client::Error::Unseen(reason) => Self::Unseen(reason),
            client::Error::AlsoUnaudited { error, problem } => Self::from(*error).with(&problem),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<log::Error> for Error {
    fn from(error: log::Error) -> Self {
        match error {
            log::Error::Unknown { .. } | log::Error::Fatal { .. } | log::Error::Held => {
                Self::Unreachable(error.to_string())
            }
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable { .. } => Self::Unreachable(error.to_string()),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<process::Error> for Error {
    fn from(error: process::Error) -> Self {
        match error {
            process::Error::Log(error) => error.into(),
            process::Error::Store(error) => error.into(),
            process::Error::Http(error) => error.into(),
            process::Error::Metric(error) => error.into(),
            process::Error::Deploy(error) => error.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}
