//! The watchdog: a loop that does not turn for long hangs in a client library, and only the end of the process frees its lanes.
//!
//! Absent on purpose: repair. Another process, or the next start, takes the lanes over.

use std::time::Duration;

use crate::http::Component;
use crate::worker::Stop;

/// Exit code of a process that its watchdog ended.
pub const EXIT_STUCK: i32 = 70;

/// Ends the process when one of `components` has not turned for `limit`.
pub fn watch(components: Vec<(String, Component)>, limit: Duration, stop: Stop) {
    std::thread::spawn(move || {
        while !stop.is_stopped() {
            std::thread::sleep(Duration::from_millis(500));
            for (name, component) in &components {
                if component.idle().is_some_and(|idle| idle > limit) && !stop.is_stopped() {
                    tracing::error!(
                        component = name,
                        limit_s = limit.as_secs(),
                        "Loop hangs; the process ends so that others take over."
                    );
                    std::process::exit(EXIT_STUCK);
                }
            }
        }
    });
}
