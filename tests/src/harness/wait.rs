//! Waiting for conditions, and names and ports that nobody else uses.
//!
//! Absent on purpose: sleeping for a fixed time. A test that sleeps is either slow or wrong.

use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Asks until there is an answer, and fails the test with `what` when `timeout` is over.
///
/// # Panics
/// If there is no answer in time.
pub fn eventually<T>(what: &str, timeout: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            begin.elapsed() < timeout,
            "{what}: not seen within {timeout:?}"
        );
        std::thread::sleep(PAUSE);
    }
}

/// `prefix` and a random end: a topic, group, key prefix or transactional id of this test alone.
pub fn unique(prefix: &str) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}-{}", &random[..12])
}

/// A port nobody listens on, from below the range that outgoing connections take theirs from: so it is still free after a restart.
pub fn free_port() -> u16 {
    eventually("a free port", Duration::from_secs(5), || {
        let random = uuid::Uuid::new_v4().as_u128();
        let port = 10_000 + u16::try_from(random % 20_000).unwrap_or_default();
        TcpListener::bind(("127.0.0.1", port))
            .is_ok()
            .then_some(port)
    })
}

const PAUSE: Duration = Duration::from_millis(10);
