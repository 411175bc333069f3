//! A proxy that reads Redis' protocol far enough to know which answer belongs to which command.
//!
//! Scripts are what is struck: their answers come late, never, or not before the connection breaks.
//!
//! Absent on purpose: answers in another order. TCP keeps it, so an answer that is lost loses all that follow.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::plan::StoreTrouble;
use super::wire::{self, Door, Pair};

/// A proxy before Redis.
pub struct StoreProxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    door: Arc<Door>,
    trouble: Mutex<Option<StoreTrouble>>,
}

impl StoreProxy {
    /// Opens a proxy before the server at `host:port`.
    ///
    /// # Panics
    /// If the address has no port.
    pub fn to(address: &str) -> Self {
        let shared = Arc::new(Shared::default());
        let port = address.rsplit_once(':').and_then(|(_, p)| p.parse().ok());
        shared.door.lead_to(port.expect("a port"));
        let serving = Arc::clone(&shared);
        let port = wire::open(&shared.door, move |pair| serve(&serving, &pair));
        Self { port, shared }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on this happens to scripts; none: all goes through.
    pub fn trouble(&self, trouble: Option<StoreTrouble>) {
        *self.shared.trouble.lock().expect("not poisoned") = trouble;
    }

    /// Commands that were struck.
    pub fn struck(&self) -> u64 {
        self.shared.door.struck()
    }
}

impl Shared {
    fn trouble(&self, script: bool) -> Option<StoreTrouble> {
        let trouble = *self.trouble.lock().expect("not poisoned");
        let trouble = trouble.filter(|_| script);
        trouble.iter().for_each(|_| self.door.strike());
        trouble
    }
}

/// Is each command under way a script? In order.
type Asked = Arc<Mutex<VecDeque<bool>>>;

fn serve(shared: &Arc<Shared>, pair: &Pair) {
    let asked = Asked::default();
    let answers = (Arc::clone(shared), pair.share(), Arc::clone(&asked));
    let back = std::thread::spawn(move || {
        let (shared, pair, asked) = answers;
        carry_answers(&shared, &pair, &asked);
        pair.break_client();
    });
    carry_commands(shared, pair, &asked);
    pair.break_client();
    pair.break_server();
    let _ = back.join();
}

fn carry_commands(shared: &Shared, pair: &Pair, asked: &Asked) {
    let mut buffer = Buffer::default();
    while let Some(command) = buffer.next(&pair.client) {
        let script = is_script(&command);
        let cut = *shared.trouble.lock().expect("not poisoned") == Some(StoreTrouble::Cut);
        if cut && script {
            shared.door.strike();
            return;
        }
        asked.lock().expect("not poisoned").push_back(script);
        if (&pair.server).write_all(&command).is_err() {
            return;
        }
    }
}

fn carry_answers(shared: &Shared, pair: &Pair, asked: &Asked) {
    let mut buffer = Buffer::default();
    let mut lost = false;
    while let Some(answer) = buffer.next(&pair.server) {
        let script = asked.lock().expect("not poisoned").pop_front();
        match shared.trouble(script == Some(true)) {
            Some(StoreTrouble::Broken) => return,
            Some(StoreTrouble::Silent) => lost = true,
            Some(StoreTrouble::Slow) => std::thread::sleep(SLOW),
            Some(StoreTrouble::Cut) | None => {}
        }
        if !lost && (&pair.client).write_all(&answer).is_err() {
            return;
        }
    }
}

fn is_script(command: &[u8]) -> bool {
    // `*<n> $<length> <name> ...`
    let mut words = command.split(|byte| *byte == b'\n').skip(2);
    let name = words.next().unwrap_or_default();
    name.to_ascii_uppercase().starts_with(b"EVAL")
}

/// Bytes that came and are not yet a whole value.
#[derive(Default)]
struct Buffer(Vec<u8>);

impl Buffer {
    /// The next whole value, if the connection lives that long.
    fn next(&mut self, mut stream: &TcpStream) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = end_of_value(&self.0, 0) {
                let rest = self.0.split_off(end);
                return Some(std::mem::replace(&mut self.0, rest));
            }
            let mut chunk = [0; 16 * 1024];
            let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
            self.0.extend(&chunk[..count]);
        }
    }
}

/// Where the value ends that begins at `at`, if all of it is there. Commands and answers are written alike.
fn end_of_value(bytes: &[u8], at: usize) -> Option<usize> {
    let line = bytes.get(at..)?.windows(2).position(|two| two == b"\r\n")?;
    let end = at + line + 2;
    let text = std::str::from_utf8(&bytes[at + 1..at + line]).ok()?;
    match bytes[at] {
        b'$' | b'=' | b'!' => match text.parse::<usize>() {
            Ok(length) => Some(end + length + 2).filter(|end| *end <= bytes.len()),
            // `-1`: nothing.
            Err(_) => Some(end),
        },
        b'*' | b'~' | b'>' => {
            (0..text.parse().unwrap_or(0)).try_fold(end, |at, _| end_of_value(bytes, at))
        }
        b'%' => (0..2 * text.parse().unwrap_or(0)).try_fold(end, |at, _| end_of_value(bytes, at)),
        _ => Some(end),
    }
}

const SLOW: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_end() {
        let whole: [&[u8]; 6] = [
            b"+OK\r\n",
            b":12\r\n",
            b"$3\r\nabc\r\n",
            b"$-1\r\n",
            b"*2\r\n$4\r\nEVAL\r\n*1\r\n:1\r\n",
            b"*-1\r\n",
        ];
        for value in whole {
            assert_eq!(end_of_value(value, 0), Some(value.len()));
            let more = [value, b"+next"].concat();
            assert_eq!(end_of_value(&more, 0), Some(value.len()));
            for short in 0..value.len() {
                assert_eq!(end_of_value(&value[..short], 0), None);
            }
        }
    }

    #[test]
    fn scripts_are_known_by_their_command() {
        assert!(is_script(b"*3\r\n$7\r\nEVALSHA\r\n$1\r\na\r\n$1\r\n0\r\n"));
        assert!(!is_script(b"*1\r\n$4\r\nPING\r\n"));
    }
}
