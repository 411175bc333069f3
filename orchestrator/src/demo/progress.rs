//! The progress bar, on stderr and only where that is a terminal.
//!
//! Absent on purpose: logging of progress for files and pipes; the summary says it all.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far the sagas are.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar for so many sagas, or none.
    pub(super) fn new(total: u32, shown: bool) -> Self {
        // The target hides itself where stderr is no terminal.
        let target = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(u64::from(total)), target);
        let style = ProgressStyle::with_template(
            "{bar:40.cyan/dim} {pos:>6}/{len} sagas ended  {elapsed}  {msg}",
        );
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    /// Says what is going on.
    pub(super) fn say(&self, what: &'static str) {
        self.0.set_message(what);
        self.0.tick();
    }

    /// So many have ended.
    pub(super) fn ended(&self, count: u32) {
        self.0.set_position(u64::from(count));
    }

    /// Removes the bar: the summary takes its place.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}
