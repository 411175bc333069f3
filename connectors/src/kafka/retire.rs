//! Ending a client without waiting for ever: leaving a group or closing a producer talks to brokers that may be silent.
//!
//! Absent on purpose: forcing. A client that cannot end in time goes on ending in its own thread.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A client that is being dropped by another thread.
#[derive(Debug)]
pub struct Retired(Receiver<()>);

impl Retired {
    /// Waits until it is gone, but not longer than `wait`.
    pub fn wait(&self, wait: Duration) {
        // Disconnected means gone, a timeout means later.
        let _ = self.0.recv_timeout(wait);
    }
}

/// Drops the client in another thread.
pub fn in_background<T: Send + 'static>(client: Option<T>) -> Retired {
    let (done, receiver) = channel::<()>();
    if let Some(client) = client {
        // Without a thread to be had the closure is dropped here, and the client with it.
        let _ = std::thread::Builder::new()
            .name("kafka-retire".to_owned())
            .spawn(move || {
                drop(client);
                drop(done);
            });
    }
    Retired(receiver)
}
