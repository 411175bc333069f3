//! Putting a participant together and starting its thread.
//!
//! Absent on purpose: configuration files; a service has its own.

use std::thread::JoinHandle;

use super::answer::Answer;
use super::delayed::Delayed;
use super::handlers::Handlers;
use super::service::Service;
use super::{Command, Ledger, MemoryLedger, Stop};
use crate::log::{Begin, Group, Log, Options, Timeouts};

/// Why a participant does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing to read: call [`Builder::topic`].
    #[error("participant `{service}` has no topic")]
    Topic {
        /// The service.
        service: String,
    },
    /// The system gives no thread.
    #[error("no thread for participant `{service}`: {source}")]
    Thread {
        /// The service.
        service: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A participant in the making.
pub struct Builder<G> {
    service: String,
    topics: Vec<String>,
    begin: Begin,
    timeouts: Timeouts,
    handlers: Handlers,
    ledger: G,
    stop: Stop,
}

impl Builder<MemoryLedger> {
    pub(super) fn new(service: String) -> Self {
        Self {
            service,
            topics: Vec::new(),
            begin: Begin::Earliest,
            timeouts: Timeouts::default(),
            handlers: Handlers::default(),
            ledger: MemoryLedger::default(),
            stop: Stop::default(),
        }
    }
}

impl<G: Ledger> Builder<G> {
    /// Reads commands from this topic too.
    #[must_use]
    pub fn topic(mut self, name: impl Into<String>) -> Self {
        self.topics.push(name.into());
        self
    }

    /// Where a group that never committed begins; the beginning, unless told otherwise.
    #[must_use]
    pub fn begin(mut self, begin: Begin) -> Self {
        self.begin = begin;
        self
    }

    /// Other time limits than the usual ones.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Carries out commands of this type, forward or compensating, with `handler`.
    #[must_use]
    pub fn on(
        mut self,
        r#type: &str,
        handler: impl FnMut(&Command) -> Answer + Send + 'static,
    ) -> Self {
        self.handlers.add(r#type, Box::new(handler));
        self
    }

    /// Keeps its entries here.
    #[must_use]
    pub fn ledger<H: Ledger>(self, ledger: H) -> Builder<H> {
        Builder {
            service: self.service,
            topics: self.topics,
            begin: self.begin,
            timeouts: self.timeouts,
            handlers: self.handlers,
            ledger,
            stop: self.stop,
        }
    }

    /// Stops when this one is asked, so that several can be stopped together.
    #[must_use]
    pub fn stopped_by(mut self, stop: &Stop) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Starts it on a thread of its own. A log that cannot be opened yet is tried again until it can.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn run<L: Log>(self, cluster: &L::Cluster) -> Result<Running, Error> {
        let (service, stop) = (self.service.clone(), self.stop.clone());
        if self.topics.is_empty() {
            return Err(Error::Topic { service });
        }
        let (work, cluster) = (self.service(), cluster.clone());
        let thread = std::thread::Builder::new().name(service.clone());
        let thread = thread.spawn(move || work.run::<L>(&cluster));
        match thread {
            Ok(thread) => Ok(Running { stop, thread }),
            Err(source) => Err(Error::Thread { service, source }),
        }
    }

    fn service(self) -> Service<G> {
        let group = Group {
            id: self.service.clone(),
            topics: self.topics,
            auto_start: Some(self.begin),
        };
        Service {
            options: Options {
                client_id: self.service,
                group: Some(group),
                transactional_id: None,
                timeouts: self.timeouts,
            },
            handlers: self.handlers,
            ledger: self.ledger,
            delayed: Delayed::default(),
            stop: self.stop,
        }
    }
}

/// A participant that runs. Dropping this lets it run on.
#[derive(Debug)]
pub struct Running {
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Running {
    /// Something to stop it with from elsewhere.
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Asks it to stop and waits until it has left its group.
    pub fn stop(self) {
        self.stop.ask();
        self.join();
    }

    /// Waits until it has stopped, whoever asks it to.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("A participant ended with a panic.");
        }
    }
}
