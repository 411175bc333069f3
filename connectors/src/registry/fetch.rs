//! The thread that asks the registry.
//!
//! Absent on purpose: giving up. Whoever waits for a schema waits as long as the registry is away, and can see why.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cache::Cache;
use super::{Client, Error};

const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often the log says that the registry is still away.
const TELL_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Fetcher {
    cache: Arc<Cache>,
    client: Client,
    pause: Duration,
    told: Option<Instant>,
}

impl Fetcher {
    /// Works until the cache is closed.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub(super) fn start(cache: Arc<Cache>, client: Client) -> Result<(), Error> {
        let fetcher = Self {
            cache,
            client,
            pause: PAUSE_MIN,
            told: None,
        };
        let named = std::thread::Builder::new().name("registry".to_owned());
        let started = named.spawn(move || fetcher.work());
        started.map(drop).map_err(|error| Error::Thread {
            reason: error.to_string(),
        })
    }

    fn work(mut self) {
        while let Some(id) = self.cache.next() {
            match self.client.schema(id) {
                Ok(fetched) => {
                    self.answered();
                    self.cache.put(id, fetched.schema, fetched.bytes);
                }
                Err(error @ Error::Unavailable { .. }) => self.away(id, &error),
                Err(error) => {
                    self.answered();
                    self.cache.never(id, error.to_string());
                }
            }
        }
    }

    fn answered(&mut self) {
        self.pause = PAUSE_MIN;
        if self.told.take().is_some() {
            tracing::info!("Schema registry answers again.");
        }
    }

    fn away(&mut self, id: u32, error: &Error) {
        if self.told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            tracing::warn!(%error, "Schema registry does not answer; records that need a schema of it wait.");
            self.told = Some(Instant::now());
        }
        self.cache.later(id, error.to_string(), self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}
