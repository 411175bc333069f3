//! A schema registry with Confluent's REST API: Apicurio, in a directory of its own, where it keeps its schemas over a restart.
//!
//! Absent on purpose: authentication, and registries of other makers.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use connectors::registry::{Address, Client};

use super::watchdog::Watched;
use super::{provision, wait};

/// Base path of the Confluent API.
const PATH: &str = "/apis/ccompat/v7";

/// A registry.
#[derive(Debug)]
pub struct RegistryServer {
    port: u16,
    directory: PathBuf,
    process: Mutex<Option<Watched>>,
}

impl RegistryServer {
    /// Starts a registry.
    ///
    /// # Panics
    /// If it cannot be provisioned or does not come up.
    pub fn start() -> Self {
        provision::command("java", "openjdk-17-jre-headless");
        let directory = tempfile::Builder::new()
            .prefix("skald-registry-")
            .tempdir()
            .expect("a temporary directory")
            .keep();
        let port = wait::free_port();
        let process = Watched::start(&directory, &command(&directory, port));
        let server = Self {
            port,
            directory,
            process: Mutex::new(Some(process)),
        };
        server.wait_ready();
        server
    }

    /// Base address of the Confluent API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Registers a schema; returns its id.
    ///
    /// # Panics
    /// If the registry refuses.
    pub fn register(&self, subject: &str, schema: &str) -> u32 {
        let client = Client::new(&Address {
            url: self.url(),
            credentials: None,
            timeout: Duration::from_secs(10),
        });
        client.register(subject, schema).expect("registered")
    }

    /// Sets how new schemas of a subject must be compatible, such as `BACKWARD`.
    ///
    /// # Panics
    /// If the registry refuses.
    pub fn demand(&self, subject: &str, level: &str) {
        let body = format!("{{\"compatibility\":\"{level}\"}}");
        let request = format!(
            "PUT {PATH}/config/{subject} HTTP/1.0\r\nHost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        send(self.port, &request).expect("the registry takes the rule");
    }

    /// Stops the process where it stands: connections are accepted and never answered.
    pub fn freeze(&self) {
        self.slot().as_ref().expect("the registry runs").freeze();
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) {
        self.slot().as_ref().expect("the registry runs").thaw();
    }

    /// Kills it at once and returns when it is gone.
    pub fn kill9(&self) {
        if let Some(process) = self.slot().take() {
            process.kill9();
        }
    }

    /// Kills it if it runs and starts it again: same port, same schemas.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn restart(&self) {
        self.kill9();
        *self.slot() = Some(Watched::start(
            &self.directory,
            &command(&self.directory, self.port),
        ));
        self.wait_ready();
    }

    /// Ends it and removes its data.
    pub fn stop(self) {
        drop(self);
    }

    fn slot(&self) -> MutexGuard<'_, Option<Watched>> {
        self.process.lock().expect("no panic while locked")
    }

    fn wait_ready(&self) {
        wait::eventually("a schema registry that answers", START, || {
            let alive = self.slot().as_ref().is_some_and(Watched::is_alive);
            let log = self.directory.join("log");
            assert!(
                alive,
                "the registry ended at start: {}",
                fs::read_to_string(log).unwrap_or_default()
            );
            ask(self.port)
        });
    }
}

impl Drop for RegistryServer {
    fn drop(&mut self) {
        let gone = self.process.lock().map(|mut slot| slot.take());
        drop(gone);
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Does the API answer?
fn ask(port: u16) -> Option<()> {
    send(
        port,
        &format!("GET {PATH}/schemas/types HTTP/1.0\r\nHost: localhost\r\n\r\n"),
    )
}

/// Is the answer to this request 200?
fn send(port: u16, request: &str) -> Option<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).ok()?;
    answer.ends_with(b" 200").then_some(())
}

fn command(directory: &Path, port: u16) -> Vec<String> {
    let files = provision::registry();
    let at = |path: &Path| files.join(path).display().to_string();
    let class_path = format!("{}:{}", at(Path::new(RUNNER)), at(Path::new("lib/*")));
    let http_port = format!("-Dquarkus.http.port={port}");
    let data = directory.join("data");
    // Written through: a kill must not take what was acknowledged.
    let storage = format!(
        "-Dapicurio.datasource.url=jdbc:h2:file:{};WRITE_DELAY=0",
        data.display()
    );
    [
        "java",
        "-Xmx384m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Dquarkus.http.host=127.0.0.1",
        &http_port,
        &storage,
        "-cp",
        &class_path,
        "io.quarkus.runner.GeneratedMain",
    ]
    .map(str::to_owned)
    .to_vec()
}

const RUNNER: &str = "apicurio-registry-app-3.0.9-runner.jar";

/// Two cores that are busy with other tests need patience.
const START: Duration = Duration::from_secs(90);
