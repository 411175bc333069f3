//! The lease on an instance name: two processes of one name would fence each other for ever.
//!
//! TTL 1.5 s, renewed every 0.5 s. A start waits up to 3 s and refuses only if a foreign holder is still there then. A fenced process
//! looks at the lease before it replaces its producers: a foreign holder means that it must end.
//!
//! Absent on purpose: correctness of sagas, which rests on fencing and generations alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use connectors::store::{Error as StoreError, Lease as Answer, Store};

use crate::worker::Stop;

const TTL: Duration = Duration::from_millis(1500);
const RENEWAL: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(3);

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A living process has the name.
    #[error(
        "instance name `{name}` is used by another living process ({holder}): give each process its own --instance"
    )]
    Taken {
        /// The name.
        name: String,
        /// Its holder.
        holder: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Ask = Box<dyn FnMut() -> Result<Answer, StoreError> + Send>;

/// The lease of this process.
#[derive(Clone)]
pub struct Lease(Arc<Mutex<Ask>>);

impl Lease {
    /// Takes the lease `name`, waiting for a dead holder's to run out, and keeps it until `stop`.
    ///
    /// # Errors
    /// [`Error::Taken`] and the store's.
    pub fn take<S: Store>(
        mut store: S,
        name: &str,
        holder: &str,
        stop: &Stop,
    ) -> Result<Self, Error> {
        let begun = Instant::now();
        while let Answer::Foreign(other) = store.lease(name, holder, TTL)? {
            if begun.elapsed() > PATIENCE {
                return Err(Error::Taken {
                    name: name.to_owned(),
                    holder: other,
                });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let lease = Self::of(store, name, holder);
        lease.renew_until(stop.clone());
        Ok(lease)
    }

    /// A lease that is asked for when it is looked at, and renewed by nobody.
    pub fn of<S: Store>(mut store: S, name: &str, holder: &str) -> Self {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        Self(Arc::new(Mutex::new(Box::new(move || {
            store.lease(&name, &holder, TTL)
        }))))
    }

    fn renew_until(&self, stop: Stop) {
        let lease = self.clone();
        std::thread::spawn(move || {
            while !stop.is_stopped() {
                // A foreign holder is acted on by the loops when they are fenced, not here.
                if let Err(error) = lease.ask() {
                    tracing::debug!(%error, "Lease could not be renewed.");
                }
                std::thread::sleep(RENEWAL);
            }
        });
    }

    fn ask(&self) -> Result<Answer, StoreError> {
        let mut ask = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (*ask)()
    }

    /// Renews now; `Err` names a foreign holder. A store that does not answer says nothing against us.
    pub fn check(&self) -> Result<(), String> {
        match self.ask() {
            Ok(Answer::Foreign(holder)) => Err(holder),
            Ok(Answer::Held) | Err(_) => Ok(()),
        }
    }
}
