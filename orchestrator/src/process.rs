//! One process: topics, installation, definitions, lease, and a thread per loop. `serve` and `demo` start it the same way.
//!
//! Absent on purpose: which log and store (a type parameter), and the command line.

mod installation;
mod start;
mod topics;
mod watchdog;

use std::thread::JoinHandle;

use crate::http::{Health, Server};
use crate::lease::Lease;
use crate::metric::Metrics;
use crate::worker::{self, Stop};

pub use start::{Plan, start};

/// Why a process does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log.
    #[error(transparent)]
    Log(#[from] connectors::log::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] connectors::store::Error),
    /// Names of topics.
    #[error(transparent)]
    Names(#[from] schemas::topics::Error),
    /// A topic of ours is not as it must be.
    #[error("topic `{topic}`: {problem}")]
    Topic {
        /// The topic.
        topic: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The installation has another number of lanes than was asked for.
    #[error(
        "this installation has {actual} lanes, the configuration says {asked}: keys would be remapped; set `lanes = {actual}`"
    )]
    Lanes {
        /// As installed.
        actual: u32,
        /// As configured.
        asked: u32,
    },
    /// The definitions topic.
    #[error(transparent)]
    Deploy(#[from] crate::client::Error),
    /// The instance name.
    #[error(transparent)]
    Lease(#[from] crate::lease::Error),
    /// Schemas.
    #[error(transparent)]
    Schemas(#[from] connectors::registry::Error),
    /// The system starts no thread.
    #[error("the loop `{name}` cannot start: {reason}; raise the limit of threads or processes")]
    Thread {
        /// Which loop.
        name: String,
        /// What the system said.
        reason: String,
    },
    /// A loop ended.
    #[error(transparent)]
    Loop(#[from] worker::Error),
    /// Health and metrics.
    #[error(transparent)]
    Http(#[from] crate::http::Error),
    /// Metrics.
    #[error(transparent)]
    Metric(#[from] crate::metric::Error),
}

impl Error {
    /// Did another process deploy in between? What it wrote must be read first.
    fn is_overtaken(&self) -> bool {
        use crate::client::Error as Client;
        use connectors::log::Class;
        match self {
            Self::Log(error) | Self::Deploy(Client::Log(error)) => {
                // A client may see only that its transaction cannot go on, and not why.
                matches!(error.class(), Class::Ownership | Class::Batch)
            }
            Self::Deploy(Client::Unseen(_)) => true,
            _ => false,
        }
    }
}

/// A running process.
pub struct Process {
    stop: Stop,
    lease: Lease,
    loops: Vec<JoinHandle<Result<(), worker::Error>>>,
    /// Health, as `/readyz` tells it.
    pub health: Health,
    /// Metrics, as `/metrics` tells them.
    pub metrics: Metrics,
    /// The HTTP server, if there is one.
    pub server: Option<Server>,
}

impl Process {
    /// Ends the loops between two transactions, waits for them, and gives the instance name up: another process may have it at once.
    ///
    /// # Errors
    /// Why a loop had ended by itself.
    pub fn stop(self) -> Result<(), Error> {
        self.health.drain();
        self.stop.stop();
        let lease = self.lease.clone();
        let result = self.join();
        // Not before: two processes of one name would fence each other.
        lease.release();
        result
    }

    /// Has a loop ended?
    pub fn has_ended(&self) -> bool {
        self.loops.iter().any(JoinHandle::is_finished)
    }

    fn join(self) -> Result<(), Error> {
        let mut result = Ok(());
        for handle in self.loops {
            match handle.join() {
                Ok(ended) => result = result.and(ended),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(result?)
    }
}
