//! Who sleeps until something changes.
//!
//! A sleeper registers under the cluster's lock and then gives the lock up by waiting, so no change falls between. Registrations are
//! used up by one wake; a sleeper that gave up in the meantime is rung for nothing, which is harmless, and it is never listed twice,
//! so the list is bounded by the number of clients.
//!
//! Absent on purpose: reasons. A woken sleeper looks for itself.

use std::sync::{Arc, Condvar};

/// Sleepers waiting for one thing.
#[derive(Debug, Default)]
pub(super) struct Waiters(Vec<Arc<Condvar>>);

impl Waiters {
    /// Registers a sleeper for the next wake.
    pub(super) fn add(&mut self, bell: &Arc<Condvar>) {
        if !self.0.iter().any(|known| Arc::ptr_eq(known, bell)) {
            self.0.push(Arc::clone(bell));
        }
    }

    /// Wakes all of them.
    pub(super) fn wake(&mut self) {
        for bell in self.0.drain(..) {
            bell.notify_all();
        }
    }
}
