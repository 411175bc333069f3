//! The wish of the system or the user that a process ends: SIGTERM and SIGINT.
//!
//! Invariant: a signal is heard from the moment [`Asked::listen`] returns; it must be called before the first lane is owned, because a
//! process that dies of the signal leaves its group without a word and its lanes wait for the end of its session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Has somebody asked for the end?
#[derive(Debug, Clone, Default)]
pub struct Asked(Arc<AtomicBool>);

impl Asked {
    /// Listens from now on. The first signal is remembered; a second one ends the process at once, for the case that its start or end hangs.
    ///
    /// # Errors
    /// The system gives no signals or no thread.
    pub fn listen() -> Result<Self, std::io::Error> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _within = runtime.enter();
            [SignalKind::terminate(), SignalKind::interrupt()].map(signal)
        };
        let [terminate, interrupt] = signals;
        let (terminate, interrupt) = (terminate?, interrupt?);
        let asked = Self::default();
        let flag = asked.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || flag.hear(&runtime, terminate, interrupt))?;
        Ok(asked)
    }

    /// Was a signal heard?
    pub fn is(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn hear(&self, runtime: &Runtime, mut terminate: Signal, mut interrupt: Signal) {
        loop {
            let code = runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => 128 + SignalKind::terminate().as_raw_value(),
                    _ = interrupt.recv() => 128 + SignalKind::interrupt().as_raw_value(),
                }
            });
            if self.0.swap(true, Ordering::AcqRel) {
                std::process::exit(code);
            }
            tracing::info!("Asked to stop; a second signal ends the process at once.");
        }
    }
}
