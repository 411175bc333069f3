//! Python for participants that are written with a stock Kafka client.
//!
//! A virtual environment in the cache holds the client; it is made once. Absent on purpose: other packages.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::provision;

/// Version of the client, from the package index.
const CLIENT: &str = "confluent-kafka==2.11.1";

/// The Python interpreter of an environment that has the client.
///
/// # Panics
/// If the environment cannot be made; the message says what to do.
pub fn interpreter() -> PathBuf {
    provision::command("python3", "python3");
    let environment = provision::cache().join("python-1");
    let _lock = provision::lock("python");
    let interpreter = environment.join("bin/python");
    if !environment.join("complete").is_file() {
        make(&environment);
        std::fs::write(environment.join("complete"), "").expect("the cache is writable");
    }
    interpreter
}

fn make(environment: &PathBuf) {
    let _ = std::fs::remove_dir_all(environment);
    let venv = |path: &PathBuf| {
        let mut command = Command::new("python3");
        command.args(["-m", "venv"]).arg(path);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !venv(environment) {
        // Debian ships the module in a package of its own.
        provision::package("python3-venv");
        let _ = std::fs::remove_dir_all(environment);
        assert!(
            venv(environment),
            "`python3 -m venv` does not work: install the package python3-venv"
        );
    }
    let installed = Command::new(environment.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", CLIENT])
        .stdout(Stdio::null())
        .status();
    assert!(
        installed.is_ok_and(|status| status.success()),
        "pip cannot install {CLIENT}: give it access to a package index"
    );
}
