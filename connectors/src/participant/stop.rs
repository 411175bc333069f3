//! Asking a participant to stop, and pauses that end when it is asked.
//!
//! Absent on purpose: waiting for the end (see [`super::Running`]).

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Asks participants to stop. Clones ask the same ones; once asked, it stays asked.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Has somebody asked?
    pub fn asked(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pauses, but not beyond the moment of being asked; answers whether somebody has.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let asked = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(asked, time, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
