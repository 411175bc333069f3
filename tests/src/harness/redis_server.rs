//! A Redis server in a directory of its own.
//!
//! Absent on purpose: Sentinel, Cluster and replicas.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::watchdog::Watched;
use super::{provision, wait};

/// A Redis server.
#[derive(Debug)]
pub struct RedisServer {
    url: String,
    own: Option<Own>,
}

/// What only a server of ours has.
#[derive(Debug)]
struct Own {
    directory: PathBuf,
    command: Vec<String>,
    process: Mutex<Option<Watched>>,
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk: a restart loses everything.
    ///
    /// # Panics
    /// If it cannot be provisioned or does not come up.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server that appends every write to disk: a restart keeps what was written (to the last second).
    ///
    /// # Panics
    /// If it cannot be provisioned or does not come up.
    pub fn start_durable() -> Self {
        Self::start_with(&["--appendonly", "yes"])
    }

    /// Starts a server with more arguments; the last one of a name counts.
    ///
    /// # Panics
    /// If it cannot be provisioned or does not come up.
    pub fn start_with(arguments: &[&str]) -> Self {
        provision::command("redis-server", "redis-server");
        let directory = tempfile::Builder::new()
            .prefix("skald-redis-")
            .tempdir()
            .expect("a temporary directory")
            .keep();
        let port = wait::free_port();
        let command = command(port, &directory.display().to_string(), arguments);
        let process = Watched::start(&directory, &command);
        let server = Self {
            url: format!("redis://127.0.0.1:{port}"),
            own: Some(Own {
                directory,
                command,
                process: Mutex::new(Some(process)),
            }),
        };
        server.wait_ready();
        server
    }

    /// A server that somebody else runs.
    pub fn external(url: String) -> Self {
        Self { url, own: None }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("redis://")
    }

    /// Kills it at once and returns when it is gone.
    pub fn kill9(&self) {
        if let Some(process) = self.slot().take() {
            process.kill9();
        }
    }

    /// Kills it if it runs and starts it again: same port, same directory.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn restart(&self) {
        self.kill9();
        let own = self.own();
        *self.slot() = Some(Watched::start(&own.directory, &own.command));
        self.wait_ready();
    }

    /// Stops the process where it stands.
    pub fn freeze(&self) {
        self.slot().as_ref().expect("the server runs").freeze();
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) {
        self.slot().as_ref().expect("the server runs").thaw();
    }

    /// Ends it and removes its data.
    pub fn stop(self) {
        drop(self);
    }

    fn own(&self) -> &Own {
        self.own
            .as_ref()
            .expect("only a server of ours can be stopped and started")
    }

    fn slot(&self) -> MutexGuard<'_, Option<Watched>> {
        self.own().process.lock().expect("no panic while locked")
    }

    fn wait_ready(&self) {
        wait::eventually("a Redis server that answers", START, || {
            let alive = self.slot().as_ref().is_some_and(Watched::is_alive);
            let log = self.own().directory.join("log");
            assert!(
                alive,
                "Redis ended at start: {}",
                fs::read_to_string(log).unwrap_or_default()
            );
            ping(self.address())
        });
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            let gone = own.process.lock().map(|mut slot| slot.take());
            drop(gone);
            let _ = fs::remove_dir_all(&own.directory);
        }
    }
}

/// A server that still loads its data answers with an error, not with PONG.
fn ping(address: &str) -> Option<()> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream.write_all(b"PING\r\n").ok()?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).ok()?;
    (&answer == b"+PONG").then_some(())
}

fn command(port: u16, directory: &str, more: &[&str]) -> Vec<String> {
    let port = port.to_string();
    let fixed = [
        "redis-server",
        "--bind",
        "127.0.0.1",
        "--port",
        &port,
        "--dir",
        directory,
        "--save",
        "",
        "--appendonly",
        "no",
        "--maxmemory-policy",
        "noeviction",
    ];
    fixed
        .iter()
        .chain(more)
        .map(|&argument| argument.to_owned())
        .collect()
}

const START: Duration = Duration::from_secs(20);
