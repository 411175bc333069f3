//! Crash points: places where a test may kill the process, named after the rules of the commit protocol.
//!
//! `SKALD_CRASH=B6.committed:3` aborts at the third passage of that point. Without the feature `crashpoints` nothing of this is
//! compiled in.
//!
//! Absent on purpose: anything but `abort`; a crash point must look like `kill -9`.

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

/// Aborts the process if this point was asked for.
#[cfg(feature = "crashpoints")]
pub fn point(role: &str, name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static ASKED: OnceLock<Option<(String, AtomicU32)>> = OnceLock::new();
    let asked = ASKED.get_or_init(|| {
        let text = std::env::var("SKALD_CRASH").ok()?;
        let (name, count) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), AtomicU32::new(count.parse().unwrap_or(1))))
    });
    let Some((wanted, left)) = asked else { return };
    let hit =
        wanted == name || wanted.strip_prefix(role).and_then(|w| w.strip_prefix('.')) == Some(name);
    let role_fits = wanted != name || role == "engine";
    if hit && role_fits && left.fetch_sub(1, Ordering::SeqCst) == 1 {
        std::process::abort();
    }
}

/// Does nothing: the product has no crash points.
#[cfg(not(feature = "crashpoints"))]
#[inline(always)]
pub fn point(_role: &str, _name: &str) {}
