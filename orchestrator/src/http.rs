//! The HTTP server of a process: `/metrics`, `/livez`, `/readyz`, `/version`.
//!
//! It runs on a thread and runtime of its own, so it answers whatever Kafka, Redis and the workers do.
//!
//! Absent on purpose: authentication and anything that changes state. It listens on the loopback address unless configured otherwise.

pub mod health;

use std::net::SocketAddr;
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::oneshot;

pub use health::{Component, Health, LaneHealth};

use crate::metric::Metrics;

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is in use or not ours: set `http.listen`, or `off`.
    #[error("cannot listen on {address}: {reason}; set `http.listen` to another address or `off`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// The thread or its runtime cannot be made.
    #[error("cannot start the HTTP server: {reason}")]
    Start {
        /// What the system said.
        reason: String,
    },
}

/// The running server; it stops when dropped.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Binds and serves.
    ///
    /// # Errors
    /// [`Error::Listen`] if the address cannot be bound.
    pub fn start(listen: SocketAddr, metrics: Metrics, health: Health) -> Result<Self, Error> {
        let listener = bind(listen)?;
        let address = listener.local_addr().unwrap_or(listen);
        let (stop, stopped) = oneshot::channel();
        let router = router(Shared { metrics, health });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| start_error(&e))?;
        let thread = std::thread::Builder::new()
            .name("http".into())
            .spawn(move || runtime.block_on(serve(listener, router, stopped)))
            .map_err(|e| start_error(&e))?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens; the port is the real one if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn bind(address: SocketAddr) -> Result<std::net::TcpListener, Error> {
    let bound = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| Error::Listen {
        address,
        reason: error.to_string(),
    })
}

fn start_error(error: &std::io::Error) -> Error {
    Error::Start {
        reason: error.to_string(),
    }
}

async fn serve(listener: std::net::TcpListener, router: Router, stopped: oneshot::Receiver<()>) {
    let served = match tokio::net::TcpListener::from_std(listener) {
        // Open connections are not waited for: a scraper that keeps one must not hold up the end of the process.
        Ok(listener) => tokio::select! {
            served = async { axum::serve(listener, router).await } => served,
            _ = stopped => Ok(()),
        },
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(error = %error, "HTTP server ended.");
    }
}

#[derive(Clone)]
struct Shared {
    metrics: Metrics,
    health: Health,
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/version", get(version))
        .with_state(shared)
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let ready = shared.health.report().ready;
    shared.metrics.ready().set(i64::from(ready));
    match shared.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, PROMETHEUS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

async fn readyz(State(shared): State<Shared>) -> Response {
    let report = shared.health.report();
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, json(&report)).into_response()
}

async fn version(State(shared): State<Shared>) -> Response {
    let build = shared.metrics.build();
    json(&serde_json::json!({
        "version": build.version,
        "commit": build.commit,
        "librdkafka": build.librdkafka,
    }))
    .into_response()
}

fn json<T: serde::Serialize>(value: &T) -> impl IntoResponse + use<T> {
    let text = serde_json::to_string(value).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], text + "\n")
}

#[cfg(test)]
mod tests;
