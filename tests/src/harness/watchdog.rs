//! A server process that cannot outlive the test process.
//!
//! The server is a child of a small shell, the watchdog, which reads a pipe whose only writing end is ours. Panic, abort or `kill -9`
//! of the test process closes the pipe; the shell then kills the server and removes its directory. The pipe is close-on-exec, so no
//! other child keeps it open, and the shell is in a process group of its own, so a signal to ours does not reach it first.
//!
//! Absent on purpose: graceful shutdown. Servers under test are ended the hard way, always.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// A running server.
#[derive(Debug)]
pub struct Watched {
    pid: u32,
    watchdog: Child,
    pipe: Option<ChildStdin>,
}

impl Watched {
    /// Starts `command` (program and arguments); its output goes to `<directory>/log`.
    ///
    /// # Panics
    /// If the process cannot be started.
    pub fn start(directory: &Path, command: &[String]) -> Self {
        let mut watchdog = Command::new("sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(directory)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("sh starts");
        let output = watchdog.stdout.take().expect("stdout is piped");
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .expect("the watchdog tells the process id");
        Self {
            pid: line.trim().parse().expect("a process id"),
            pipe: watchdog.stdin.take(),
            watchdog,
        }
    }

    /// Process id of the server.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// True while the server has not ended.
    pub fn is_alive(&self) -> bool {
        // A process that ended stays a zombie until its watchdog is done. The state stands behind the command in brackets.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let state = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.starts_with('Z'));
        state == Some(false)
    }

    /// Stops the server where it stands (SIGSTOP).
    pub fn freeze(&self) {
        signal("STOP", self.pid);
    }

    /// Lets a frozen server go on (SIGCONT).
    pub fn thaw(&self) {
        signal("CONT", self.pid);
    }

    /// Asks the server to end (SIGTERM).
    pub fn terminate(&self) {
        signal("TERM", self.pid);
    }

    /// The exit code of a server that has ended by itself, 128 and the signal if one ended it. Its directory is kept.
    ///
    /// # Panics
    /// If it has not ended, or its watchdog is gone.
    pub fn exit_code(mut self, directory: &Path) -> i32 {
        assert!(!self.is_alive(), "the server has ended");
        let mut pipe = self.pipe.take().expect("the watchdog is asked once");
        pipe.write_all(b"status\n").expect("the watchdog lives");
        drop(pipe);
        let _ = self.watchdog.wait();
        let status = std::fs::read_to_string(directory.join("status")).expect("a status");
        status.trim().parse().expect("a number")
    }

    /// Kills the server at once (SIGKILL), keeping its directory, and returns when it is gone.
    pub fn kill9(mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // A watchdog that is gone already has killed the server.
            let _ = pipe.write_all(b"keep\n");
        }
        let _ = self.watchdog.wait();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.pipe.take().is_some() {
            let _ = self.watchdog.wait();
        }
    }
}

fn signal(name: &str, pid: u32) {
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "kill", name])
        .arg(pid.to_string())
        .status();
    assert!(
        status.is_ok_and(|s| s.success()),
        "signal {name} to process {pid} failed"
    );
}

/// The server's standard input is empty and its output leaves ours, so only the shell holds the pipes. The directory goes last.
/// The signals that the shell ignores are the server's own business.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
directory=$1; shift
(trap - INT TERM HUP; exec "$@") </dev/null >>"$directory/log" 2>&1 &
server=$!
echo "$server"
exec >&-
read -r word
kill -s KILL "$server" 2>/dev/null
wait "$server" 2>/dev/null
status=$?
case "$word" in
  keep) ;;
  status) echo "$status" >"$directory/status" ;;
  *) rm -rf "$directory" ;;
esac
"#;
