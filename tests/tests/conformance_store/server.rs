//! A Redis of our own for one test, killed with it.
//!
//! Absent on purpose: sharing between tests; a server starts in some 50 ms.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use ::redis::{Client, Connection};

/// A running server.
pub struct Server {
    port: u16,
    settings: Vec<String>,
    child: Child,
}

impl Server {
    /// Starts one with the usual settings.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more settings, e.g. `--maxmemory 2mb`.
    pub fn start_with(settings: &[&str]) -> Self {
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        // Somebody else may take a free port before the server does.
        let child = (0..10).find_map(|_| {
            let port = free_port();
            spawn(port, &settings).map(|child| (port, child))
        });
        let (port, child) = child.expect("a server that starts");
        Self {
            port,
            settings,
            child,
        }
    }

    /// Kills it and starts an empty one at the same address.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.port, &self.settings).expect("a port that is still free");
    }

    /// Kills it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal, e.g. `STOP`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(status.expect("a signal").success());
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.address())
    }

    /// A raw connection.
    pub fn raw(&self) -> Connection {
        let client = Client::open(self.url()).expect("a valid URL");
        client.get_connection().expect("a connection")
    }

    /// A raw command.
    pub fn run(&self, words: &[&str]) -> ::redis::Value {
        let mut command = ::redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.raw()).expect("an answer")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Starts a server; `None` if it ends before it listens. Its own log tells: a connection could be to somebody else's server.
fn spawn(port: u16, settings: &[String]) -> Option<Child> {
    let mut child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .args(settings)
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-server is installed");
    let mut log = BufReader::new(child.stdout.take().expect("a piped stdout"))
        .lines()
        .map_while(Result::ok);
    if log.any(|line| line.contains("Ready to accept connections")) {
        // Someone has to read on, or the server stands still when the pipe is full.
        std::thread::spawn(move || log.for_each(drop));
        return Some(child);
    }
    let _ = child.wait();
    None
}
