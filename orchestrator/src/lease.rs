//! The lease on an instance name: two processes of one name would fence each other for ever.
//!
//! TTL 1.5 s, renewed every 0.5 s. A start waits up to 3 s and refuses only if a foreign holder is still there then. A fenced process
//! looks at the lease before it replaces its producers: a foreign holder means that it must end. A planned stop gives the lease up at
//! its end.
//!
//! Absent on purpose: correctness of sagas, which rests on fencing and generations alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use connectors::store::{Error as StoreError, Lease as Answer, Store};

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

/// One name in a store.
trait Name: Send {
    fn ask(&mut self) -> Result<Answer, StoreError>;
    fn give_up(&mut self) -> Result<(), StoreError>;
}

struct Held<S> {
    store: S,
    name: String,
    holder: String,
}

impl<S: Store> Name for Held<S> {
    fn ask(&mut self) -> Result<Answer, StoreError> {
        self.store.lease(&self.name, &self.holder, TTL)
    }

    fn give_up(&mut self) -> Result<(), StoreError> {
        self.store.release(&self.name, &self.holder)
    }
}

/// The lease of this process. `None`: it was given up, and is not taken again.
#[derive(Clone)]
pub struct Lease(Arc<Mutex<Option<Box<dyn Name>>>>);

impl Lease {
    /// Takes the lease `name`, waiting for a dead holder's to run out, and keeps it until it is given up.
    ///
    /// # Errors
    /// [`Error::Taken`] and the store's.
    pub fn take<S: Store>(store: S, name: &str, holder: &str) -> Result<Self, Error> {
        let begun = Instant::now();
        let mut held = Held {
            store,
            name: name.to_owned(),
            holder: holder.to_owned(),
        };
        while let Answer::Foreign(other) = held.ask()? {
            if begun.elapsed() > PATIENCE {
                return Err(Error::Taken {
                    name: held.name,
                    holder: other,
                });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let lease = Self::holding(held);
        lease.renew();
        Ok(lease)
    }

    /// A lease that is asked for when it is looked at, and renewed by nobody.
    pub fn of<S: Store>(store: S, name: &str, holder: &str) -> Self {
        Self::holding(Held {
            store,
            name: name.to_owned(),
            holder: holder.to_owned(),
        })
    }

    fn holding<S: Store>(held: Held<S>) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(held)))))
    }

    /// Renews until it is given up, or nobody holds it any more: a stop that waits for a transaction still runs under the name.
    fn renew(&self) {
        let held = Arc::downgrade(&self.0);
        std::thread::spawn(move || {
            while let Some(lease) = held.upgrade().map(Self) {
                if lease.lock().is_none() {
                    return;
                }
                // A foreign holder is acted on by the loops when they are fenced, not here.
                if let Err(error) = lease.ask() {
                    tracing::debug!(%error, "Lease could not be renewed.");
                }
                drop(lease);
                std::thread::sleep(RENEWAL);
            }
        });
    }

    fn ask(&self) -> Result<Answer, StoreError> {
        self.lock()
            .as_mut()
            .map_or(Ok(Answer::Held), |name| name.ask())
    }

    /// Gives the name up, if it is still ours. Only when nothing runs under it any more: a planned stop. Without an answer of the store
    /// the lease runs out by itself.
    pub fn release(&self) {
        let released = self.lock().take().map(|mut name| name.give_up());
        if let Some(Err(error)) = released {
            tracing::debug!(%error, "Lease could not be given up; it runs out.");
        }
    }

    /// Renews now; `Err` names a foreign holder. A store that does not answer says nothing against us.
    pub fn check(&self) -> Result<(), String> {
        match self.ask() {
            Ok(Answer::Foreign(holder)) => Err(holder),
            Ok(Answer::Held) | Err(_) => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<dyn Name>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use connectors::memory::store::{MemoryStore, MemoryStoreServer};

    use super::*;

    #[test]
    fn a_name_that_was_given_up_is_free_at_once_and_not_taken_again() {
        let server = MemoryStoreServer::default();
        let open = || MemoryStore::open(&server, "shop").expect("a store");
        let take = |holder| Lease::take(open(), "one", holder).expect("a lease");
        let first = take("a");
        let asked = |holder| open().lease("one", holder, TTL).expect("answers");
        assert_eq!(asked("b"), Answer::Foreign("a".to_owned()));
        first.release();
        // The thread that renews may still be awake.
        assert_eq!(first.check(), Ok(()));
        assert_eq!(asked("b"), Answer::Held);
        // Only one's own.
        first.release();
        assert_eq!(asked("c"), Answer::Foreign("b".to_owned()));
    }

    #[test]
    fn a_name_that_another_one_took_is_left_alone() {
        let server = MemoryStoreServer::default();
        let open = || MemoryStore::open(&server, "shop").expect("a store");
        let first = Lease::of(open(), "one", "a");
        assert_eq!(first.check(), Ok(()));
        open().release("one", "a").expect("gone");
        assert_eq!(open().lease("one", "b", TTL), Ok(Answer::Held));
        first.release();
        let other = open().lease("one", "c", TTL);
        assert_eq!(other, Ok(Answer::Foreign("b".to_owned())));
    }
}
