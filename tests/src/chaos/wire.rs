//! What the two proxies share: a listening port, connections in pairs, and breaking or holding all of them.
//!
//! Each direction of a connection has a thread of its own, so order within a direction is kept, as TCP keeps it.
//!
//! Absent on purpose: protocols (see [`super::kafka_proxy`], [`super::store_proxy`]), and an end before that of the process.

use std::collections::HashMap;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One connection through a proxy: the client's half and the server's.
pub struct Pair {
    /// To the client.
    pub client: TcpStream,
    /// To the server.
    pub server: TcpStream,
}

impl Pair {
    /// The same connection for another thread.
    ///
    /// # Panics
    /// If the system has no handle left.
    pub fn share(&self) -> Self {
        Self {
            client: self.client.try_clone().expect("a handle"),
            server: self.server.try_clone().expect("a handle"),
        }
    }

    /// The client learns that its connection is gone.
    pub fn break_client(&self) {
        // It may have gone by itself.
        let _ = self.client.shutdown(Shutdown::Both);
    }

    /// The server learns that its connection is gone.
    pub fn break_server(&self) {
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

/// The door of a proxy.
#[derive(Default)]
pub struct Door {
    server: AtomicU16,
    shut: AtomicBool,
    held: AtomicBool,
    open: Mutex<HashMap<u64, TcpStream>>,
    next: AtomicU64,
    struck: AtomicU64,
}

impl Door {
    /// Where connections lead.
    pub fn lead_to(&self, port: u16) {
        self.server.store(port, Ordering::SeqCst);
    }

    /// Breaks all connections, and new ones until [`Self::heal`].
    pub fn cut(&self) {
        self.shut.store(true, Ordering::SeqCst);
        for stream in self.streams().values() {
            let _ = stream.shutdown(Shutdown::Both);
            self.strike();
        }
    }

    /// Holds everything back until [`Self::heal`].
    pub fn hold(&self) {
        self.held.store(true, Ordering::SeqCst);
        self.strike();
    }

    /// All goes through again.
    pub fn heal(&self) {
        self.shut.store(false, Ordering::SeqCst);
        self.held.store(false, Ordering::SeqCst);
    }

    /// Waits while everything is held back.
    pub fn pass(&self) {
        while self.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Counts something that was struck.
    pub fn strike(&self) {
        self.struck.fetch_add(1, Ordering::SeqCst);
    }

    /// Requests, answers and connections that were struck.
    pub fn struck(&self) -> u64 {
        self.struck.load(Ordering::SeqCst)
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.open.lock().expect("not poisoned")
    }

    fn connect(&self, client: TcpStream) -> Option<(u64, Pair)> {
        if self.shut.load(Ordering::SeqCst) {
            return None;
        }
        let port = self.server.load(Ordering::SeqCst);
        let server = TcpStream::connect(("127.0.0.1", port)).ok()?;
        client.set_nodelay(true).ok()?;
        server.set_nodelay(true).ok()?;
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        self.streams().insert(number, client.try_clone().ok()?);
        Some((number, Pair { client, server }))
    }
}

/// Opens a door; `serve` runs on a thread of its own for every connection. Answers the port.
///
/// # Panics
/// If no port can be had.
pub fn open(door: &Arc<Door>, serve: impl Fn(Pair) + Clone + Send + 'static) -> u16 {
    let port = crate::harness::wait::free_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    let door = Arc::clone(door);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Some((number, pair)) = door.connect(client) else {
                continue;
            };
            let (door, serve) = (Arc::clone(&door), serve.clone());
            std::thread::spawn(move || {
                serve(pair);
                door.streams().remove(&number);
            });
        }
    });
    port
}
