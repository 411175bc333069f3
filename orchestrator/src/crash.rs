//! Fault points: places where a test may kill or freeze the process, named after the rules of the commit protocol.
//!
//! `SKALD_CRASH=B6.committed:3` aborts at the third passage of that point by an engine, `SKALD_CRASH=ingress.B4.flushed` at the first
//! one by an ingress. `SKALD_FREEZE` stops the process there instead (SIGSTOP), as if it had been forgotten by the scheduler; whoever
//! asked for it lets it go on. Without the feature `crashpoints` nothing of this is compiled in.
//!
//! Absent on purpose: any other fault; a crash must look like `kill -9`, so nothing is closed or told to anybody but the log.

/// Every point, in the order in which a batch (and then a recovery) passes them.
pub const POINTS: [&str; 19] = [
    "B1.polled",
    "B2.loaded",
    "B3.planned",
    "B4.begun",
    "B4.producing",
    "B4.flushed",
    "B5.before",
    "B5.sent",
    "B6.before",
    "B6.committed",
    "B6.stored",
    "B7.aborted",
    "B7.replaced",
    "B8.timers",
    "R1.claimed",
    "R2.offset",
    "R4.journal",
    "R5.applied",
    "R5.started",
];

/// Does what was asked for at this point, if anything.
#[cfg(feature = "crashpoints")]
pub fn point(role: &str, name: &str) {
    asked::crash().passed(role, name, || std::process::abort());
    asked::freeze().passed(role, name, asked::stop_myself);
}

/// Does nothing: the product has no fault points.
#[cfg(not(feature = "crashpoints"))]
#[inline(always)]
pub fn point(_role: &str, _name: &str) {}

/// What the environment asks for.
#[cfg(feature = "crashpoints")]
mod asked {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A point and how many passages are left until its fault.
    #[derive(Default)]
    pub struct Asked {
        point: Option<String>,
        left: AtomicU32,
    }

    pub fn crash() -> &'static Asked {
        static CRASH: OnceLock<Asked> = OnceLock::new();
        CRASH.get_or_init(|| Asked::read("SKALD_CRASH"))
    }

    pub fn freeze() -> &'static Asked {
        static FREEZE: OnceLock<Asked> = OnceLock::new();
        FREEZE.get_or_init(|| Asked::read("SKALD_FREEZE"))
    }

    impl Asked {
        fn read(variable: &str) -> Self {
            let Ok(text) = std::env::var(variable) else {
                return Self::default();
            };
            let (point, count) = text.split_once(':').unwrap_or((&text, "1"));
            let role_named = point.starts_with("engine.") || point.starts_with("ingress.");
            let point = if role_named {
                point.to_owned()
            } else {
                format!("engine.{point}")
            };
            Self {
                point: Some(point),
                left: AtomicU32::new(count.parse().unwrap_or(1)),
            }
        }

        pub fn passed(&self, role: &str, name: &str, fault: impl FnOnce()) {
            let here = |wanted: &String| {
                wanted.strip_prefix(role).and_then(|w| w.strip_prefix('.')) == Some(name)
            };
            if self.point.as_ref().is_some_and(here)
                && self.left.fetch_sub(1, Ordering::SeqCst) == 1
            {
                tracing::warn!("Fault point {role}.{name} reached.");
                fault();
            }
        }
    }

    /// The signal stops all threads, also the one that waits here for the sender's end.
    pub fn stop_myself() {
        let pid = std::process::id().to_string();
        if let Err(error) = std::process::Command::new("kill")
            .args(["-STOP", &pid])
            .status()
        {
            tracing::error!(%error, "The process could not be stopped.");
        }
    }
}
