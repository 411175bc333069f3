//! The harness itself: servers come up, survive a restart and never outlive the test process.

use std::process::Command;
use std::time::Duration;

use tests::harness::watchdog::Watched;
use tests::harness::{Broker, RedisServer, eventually};

#[test]
fn redis_starts_restarts_and_ends() {
    let server = RedisServer::start();
    server.freeze();
    server.thaw();
    server.restart();
    let address = server.address().to_owned();
    server.stop();
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn kafka_starts_restarts_and_ends() {
    let broker = Broker::start();
    broker.restart();
    let address = broker.address().to_owned();
    broker.stop();
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_server_dies_with_its_test_process() {
    // The inner run of this test binary starts a server and aborts.
    if let Ok(directory) = std::env::var("SKALD_TEST_INNER") {
        let directory = std::path::Path::new(&directory);
        let server = Watched::start(directory, &["sleep".to_owned(), "600".to_owned()]);
        let _ = std::fs::write(directory.with_extension("pid"), server.pid().to_string());
        std::process::abort();
    }
    let outer = tempfile::tempdir().expect("a directory");
    let inner = outer.path().join("server");
    std::fs::create_dir(&inner).expect("a directory");
    let status = Command::new(std::env::current_exe().expect("our path"))
        .args(["--exact", "a_server_dies_with_its_test_process"])
        .env("SKALD_TEST_INNER", &inner)
        .output()
        .expect("it runs");
    assert!(!status.status.success());
    let pid = std::fs::read_to_string(inner.with_extension("pid")).expect("its process id");
    eventually("the server is gone", Duration::from_secs(10), || {
        let gone = !std::path::Path::new(&format!("/proc/{pid}")).exists();
        (gone && !inner.exists()).then_some(())
    });
}
