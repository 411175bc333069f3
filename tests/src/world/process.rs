//! A `skald serve` process.
//!
//! Absent on purpose: waiting for readiness by sleeping; tests wait for what they need.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::eventually;
use crate::harness::watchdog::Watched;

/// A running (or ended) process.
pub struct Skald {
    watchdog: Option<Watched>,
    log: PathBuf,
}

/// The binary under test: beside the test binary's folder.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let folder = test.parent().and_then(Path::parent).expect("target folder");
    folder.join("skald-under-test")
}

impl Skald {
    pub(super) fn start(
        config: &Path,
        directory: &Path,
        instance: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let folder = directory.join(crate::harness::unique(instance));
        std::fs::create_dir_all(&folder).expect("a folder for the process");
        let mut command = vec!["env".to_owned()];
        command.extend(
            environment
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        command.push(binary().display().to_string());
        let arguments = [
            "serve",
            "--config",
            &config.display().to_string(),
            "--instance",
            instance,
        ];
        command.extend(arguments.iter().map(|a| (*a).to_owned()));
        let watchdog = Watched::start(&folder, &command);
        Self {
            watchdog: Some(watchdog),
            log: folder,
        }
    }

    /// Is it running?
    pub fn is_alive(&self) -> bool {
        self.watchdog.as_ref().is_some_and(Watched::is_alive)
    }

    /// kill -9.
    pub fn kill9(&mut self) {
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.kill9();
        }
    }

    /// SIGSTOP.
    pub fn freeze(&self) {
        self.watchdog.as_ref().expect("running").freeze();
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.watchdog.as_ref().expect("running").thaw();
    }

    /// SIGTERM, then waits for its end.
    pub fn stop(mut self) {
        let Some(watchdog) = self.watchdog.take() else {
            return;
        };
        let pid = watchdog.pid().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill runs");
        eventually(
            "the process ends after SIGTERM",
            Duration::from_secs(15),
            || (!watchdog.is_alive()).then_some(()),
        );
    }

    /// Waits until it has ended by itself.
    pub fn wait_for_end(&self, timeout: Duration) {
        eventually("the process ends", timeout, || {
            (!self.is_alive()).then_some(())
        });
    }

    /// What it wrote so far.
    pub fn output(&self) -> String {
        let mut text = String::new();
        for entry in std::fs::read_dir(&self.log).into_iter().flatten().flatten() {
            text.push_str(&std::fs::read_to_string(entry.path()).unwrap_or_default());
        }
        text
    }
}
