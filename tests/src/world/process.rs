//! A `skald serve` process.
//!
//! Absent on purpose: waiting for readiness by sleeping; tests wait for what they need.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// What it told.
    pub stderr: String,
}

/// Runs the binary with these arguments until it ends by itself.
///
/// # Panics
/// If it is still running after `timeout`; it is killed then.
pub fn run_to_end(arguments: &[&str], timeout: Duration) -> Ended {
    let mut child = Command::new(binary())
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let begun = Instant::now();
    while child.try_wait().expect("its state is known").is_none() && begun.elapsed() < timeout {
        std::thread::sleep(Duration::from_millis(20));
    }
    let late = begun.elapsed() >= timeout;
    // Harmless if it has ended.
    let _ = child.kill();
    let status = child.wait().expect("its state is known");
    let stderr = stderr.join().expect("no panic");
    assert!(!late, "still running after {timeout:?}: {stderr}");
    Ended {
        code: status.code(),
        stdout: stdout.join().expect("no panic"),
        stderr,
    }
}

/// Pipes are read while the process runs: a full one would stop it.
fn read_all(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    let mut pipe = pipe.expect("a pipe");
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = pipe.read_to_string(&mut text);
        text
    })
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
        let mut command = vec!["env".to_owned(), "NO_COLOR=1".to_owned()];
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

    /// SIGTERM, without waiting for what follows.
    pub fn terminate(&self) {
        self.watchdog.as_ref().expect("running").terminate();
    }

    /// SIGTERM, then waits for its end, which must be in order: a process that dies of the signal leaves its lanes without a word.
    pub fn stop(mut self) {
        let Some(watchdog) = self.watchdog.take() else {
            return;
        };
        watchdog.terminate();
        let begun = Instant::now();
        while watchdog.is_alive() {
            assert!(
                begun.elapsed() < Duration::from_secs(15),
                "the process does not end after SIGTERM:\n{}",
                self.output()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        let code = watchdog.exit_code(&self.log);
        assert_eq!(code, 0, "exit code after SIGTERM:\n{}", self.output());
    }

    /// Waits until it has ended by itself.
    pub fn wait_for_end(&self, timeout: Duration) {
        eventually("the process ends", timeout, || {
            (!self.is_alive()).then_some(())
        });
    }

    /// Waits until it says this.
    pub fn wait_for_output(&self, text: &str, timeout: Duration) {
        self.wait(&format!("`{text}`"), timeout, || {
            self.output().contains(text)
        });
    }

    /// Waits until at least so many lanes of its engine are ready.
    pub fn wait_for_lanes(&self, lanes: usize, timeout: Duration) {
        self.wait(&format!("{lanes} lanes ready"), timeout, || {
            self.ready_lanes().len() >= lanes
        });
    }

    fn wait(&self, what: &str, timeout: Duration, mut seen: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !seen() {
            assert!(
                begun.elapsed() < timeout,
                "{what}: not seen within {timeout:?}:\n{}",
                self.output()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lanes of its engine that are ready, as it said.
    pub fn ready_lanes(&self) -> BTreeSet<u32> {
        let mut ready = BTreeSet::new();
        for line in self
            .output()
            .lines()
            .filter(|line| line.contains("role=\"engine\""))
        {
            let lane = line
                .split("lane=")
                .nth(1)
                .and_then(|rest| rest.split(' ').next()?.parse().ok());
            match lane {
                Some(lane) if line.contains("Lane is ready.") => ready.insert(lane),
                Some(lane) => ready.remove(&lane),
                None => {
                    std::mem::take(&mut ready).is_empty() || !line.contains("Assignment changed.")
                }
            };
        }
        ready
    }

    /// Has it been stopped by a signal (SIGSTOP)?
    pub fn is_frozen(&self) -> bool {
        let pid = self.watchdog.as_ref().expect("running").pid();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('T'))
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

/// A test that failed shows what its processes told last.
impl Drop for Skald {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let output = self.output();
            let lines: Vec<&str> = output.lines().collect();
            let last = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
            eprintln!("skald told last:\n{}", last.join("\n"));
        }
    }
}

const LINES_SHOWN: usize = 60;
