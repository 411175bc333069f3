//! What the command line does to an installation: look, send signals, deploy, send dead letters back.
//!
//! Written against [`connectors::log::Log`] and [`connectors::store::Store`], so it is tested in memory. Whoever changes an instance
//! does it by an inbox record and reports the fact that the engine wrote about it, not that the record was accepted.
//!
//! Absent on purpose: writing to the store, and text for people (see [`crate::cli`]).

pub mod audit;
pub mod dead_letters;
pub mod deploy;
pub mod list;
pub mod preview;
pub mod read;
pub mod replay;
pub mod resume;
pub mod show;
pub mod signal;

use std::time::Duration;

use connectors::log::{self, Log};
use connectors::store;
use schemas::signature::Keys;
use schemas::topics::Topics;

use crate::config::Settings;
use crate::registry::{Definitions, Registry};

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// There is no such installation on this cluster.
    #[error(
        "the cluster has no topic `{topic}`: is `app` right, and was `skald serve` started once?"
    )]
    NotInstalled {
        /// The topic that every installation has.
        topic: String,
    },
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It must not be done.
    #[error("{0}")]
    Refused(String),
    /// A stored document or record cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It could not be written down, so it was not done.
    #[error("not done, because it could not be written to the audit topic `{topic}`: {error}")]
    Unaudited {
        /// The topic.
        topic: String,
        /// What the log said.
        error: log::Error,
    },
    /// It was sent, but no effect was seen in time.
    #[error("{0}")]
    Unseen(String),
    /// It failed, and that could not be written down either.
    #[error("{error}; {problem}")]
    AlsoUnaudited {
        /// Why it failed.
        error: Box<Error>,
        /// What is missing in the audit.
        problem: String,
    },
}

/// An installation, as a client knows it.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Names of its topics.
    pub names: Topics,
    /// Number of its lanes, as its inbox tells.
    pub lanes: u32,
    /// Keys to sign with.
    pub keys: Keys,
    /// How long to wait for an effect.
    pub wait: Duration,
}

impl Installation {
    /// Looks the installation up. The lanes are those of its inbox, whatever this machine's configuration says.
    ///
    /// # Errors
    /// [`Error::NotInstalled`] if it has no inbox.
    pub fn find<L: Log>(log: &mut L, settings: &Settings, wait: Duration) -> Result<Self, Error> {
        let names = settings.names.clone();
        let topic = names.inbox();
        let Some(inbox) = log.topic(&topic)? else {
            return Err(Error::NotInstalled { topic });
        };
        Ok(Self {
            names,
            lanes: inbox.partitions,
            keys: settings.inbox.keys.clone(),
            wait,
        })
    }

    /// Every definition that was deployed.
    ///
    /// # Errors
    /// The log's.
    pub fn definitions<L: Log>(
        &self,
        log: &mut L,
    ) -> Result<std::sync::Arc<Definitions>, log::Error> {
        let registry = Registry::new(&self.names);
        if log.topic(&self.names.definitions())?.is_some() {
            registry.refresh(log)?;
        }
        Ok(registry.snapshot())
    }
}

#[cfg(test)]
mod tests;
