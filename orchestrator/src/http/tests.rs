//! What the server answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::*;
use crate::metric::Build;

fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("connects");
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("written");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("read");
    let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
    let status = head.split(' ').nth(1).expect("status");
    (status.parse().expect("number"), body.to_owned())
}

fn server() -> (Server, Health) {
    let metrics = Metrics::new(Build::of("2.12.1")).expect("consistent");
    let health = Health::new(Duration::from_secs(5));
    let listen = "127.0.0.1:0".parse().expect("address");
    let server = Server::start(listen, metrics, health.clone()).expect("starts");
    (server, health)
}

#[test]
fn a_process_is_alive_before_it_is_ready() {
    let (server, health) = server();
    assert_eq!(ask(server.address(), "/livez").0, 200);
    let (status, body) = ask(server.address(), "/readyz");
    assert_eq!(status, 503);
    assert!(body.contains("the process is starting"), "{body}");
    health.component("engine-0").turned();
    assert_eq!(ask(server.address(), "/readyz").0, 200);
}

#[test]
fn readyz_says_why_not() {
    let (server, health) = server();
    let engine = health.component("engine-0");
    engine.turned();
    engine.set_lane(2, LaneHealth::Ready);
    engine.set_lane(
        3,
        LaneHealth::Stopped("the journal ends before the watermark".into()),
    );
    let (status, body) = ask(server.address(), "/readyz");
    assert_eq!(status, 503);
    assert!(
        body.contains("engine-0: lane 3 is stopped: the journal ends before the watermark"),
        "{body}"
    );
    assert!(body.contains("\"2\":{\"state\":\"ready\"}"), "{body}");
    engine.forget_lane(3);
    assert_eq!(ask(server.address(), "/readyz").0, 200);
    health.drain();
    assert_eq!(ask(server.address(), "/readyz").0, 503);
}

#[test]
fn a_loop_that_does_not_turn_is_not_ready() {
    let health = Health::new(Duration::ZERO);
    let engine = health.component("engine-0");
    engine.turned();
    std::thread::sleep(Duration::from_millis(5));
    assert!(!health.report().ready);
    assert!(
        engine
            .idle()
            .is_some_and(|idle| idle >= Duration::from_millis(4))
    );
}

#[test]
fn metrics_show_readiness() {
    let (server, health) = server();
    assert!(
        ask(server.address(), "/metrics")
            .1
            .contains("\nskald_ready 0\n")
    );
    health.component("engine-0").turned();
    assert!(
        ask(server.address(), "/metrics")
            .1
            .contains("\nskald_ready 1\n")
    );
}

#[test]
fn version_names_the_build() {
    let (server, _) = server();
    let (status, body) = ask(server.address(), "/version");
    assert_eq!(status, 200);
    assert!(body.contains(env!("CARGO_PKG_VERSION")), "{body}");
}

#[test]
fn an_address_in_use_is_named_with_the_setting() {
    let (server, health) = server();
    let metrics = Metrics::new(Build::of("")).expect("consistent");
    let second = Server::start(server.address(), metrics, health);
    let error = second.err().expect("refused").to_string();
    assert!(error.contains("`http.listen`"), "{error}");
}
