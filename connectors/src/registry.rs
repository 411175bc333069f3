//! Schemas of business events: from a registry with Confluent's REST API (Confluent, Apicurio, Karapace, Redpanda) or a folder of
//! `.avsc` files.
//!
//! A registry knows schemas by the id in a record's framing, and ids never change their meaning, so what was fetched once is kept (at
//! most [`cache::ENTRIES_MAX`] and [`cache::BYTES_MAX`]). A folder knows no ids: there the topic's setting, else the record's type
//! header, names the schema, and one schema serves every record.
//!
//! Fetching is a thread's business: [`Catalog::find`] says at once what is known, and `NotYet` while a registry does not answer. It is
//! asked again and again; an unreachable registry never makes a record bad. Only a registry's own word that there is no such schema
//! does, and that word is asked for anew after a while.
//!
//! Absent on purpose: subjects and compatibility rules (who publishes has them), watching the folder, Protobuf and JSON Schema.

pub mod cache;
mod client;
mod fetch;
mod folder;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemas::event::{Found, NoSchemas, Schemas, Wanted};

pub use client::Client;

use cache::Cache;
use fetch::Fetcher;
use folder::Folder;

/// Why there is no answer, or no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The registry answered that it has no such thing.
    #[error("the registry has no {what}: register it, or send the record's own id")]
    Unknown {
        /// What was asked for.
        what: String,
    },
    /// The registry refused what it was given.
    #[error("the registry refused {what}: {reason}")]
    Refused {
        /// What it was given.
        what: String,
        /// What it said.
        reason: String,
    },
    /// No answer, or one that may be different later.
    #[error("registry {url}: {reason}")]
    Unavailable {
        /// Its address, without credentials.
        url: String,
        /// What happened, and what to look at.
        reason: String,
    },
    /// The system starts no thread.
    #[error(
        "the thread that asks the registry cannot start: {reason}; raise the limit of threads or processes"
    )]
    Thread {
        /// What the system said.
        reason: String,
    },
    /// What the registry or the folder has cannot be used.
    #[error("{what}: {reason}")]
    Unusable {
        /// Which schema.
        what: String,
        /// Why.
        reason: String,
    },
    /// The folder cannot be read.
    #[error("schema folder `{}`: {reason}; set `schemas.folder` to a readable folder of `.avsc` files", path.display())]
    Folder {
        /// The folder or the file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

/// A registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Base address, such as `http://registry:8081` or `http://apicurio:8080/apis/ccompat/v7`.
    pub url: String,
    /// User and password of basic authentication.
    pub credentials: Option<(String, String)>,
    /// Longest wait for one answer.
    pub timeout: Duration,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("url", &self.url)
            .field("user", &self.credentials.as_ref().map(|(user, _)| user))
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Where schemas come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The registry, if any.
    pub registry: Option<Address>,
    /// The folder, if any.
    pub folder: Option<PathBuf>,
}

/// Schemas of one process. Its thread ends with it.
#[derive(Debug)]
pub struct Catalog {
    folder: Option<Folder>,
    cache: Option<Arc<Cache>>,
}

impl Catalog {
    /// Reads the folder and starts the thread. Does not wait for the registry.
    ///
    /// # Errors
    /// [`Error::Folder`], [`Error::Unusable`] and [`Error::Thread`].
    pub fn open(sources: &Sources) -> Result<Self, Error> {
        let folder = sources.folder.as_deref().map(Folder::read).transpose()?;
        let fetching = |address| {
            let cache = Arc::new(Cache::default());
            Fetcher::start(cache.clone(), Client::new(address))?;
            Ok::<_, Error>(cache)
        };
        let cache = sources.registry.as_ref().map(fetching).transpose()?;
        Ok(Self { folder, cache })
    }

    /// No schemas: Avro records are refused.
    pub fn none() -> Self {
        Self {
            folder: None,
            cache: None,
        }
    }

    /// Why records may have to wait: the registry does not answer.
    pub fn trouble(&self) -> Option<String> {
        self.cache.as_ref()?.trouble()
    }

    /// Full or last name is that of a schema in the folder.
    pub fn is_named(&self, name: &str) -> bool {
        let found = self.folder.as_ref().map(|folder| folder.find(name));
        matches!(found, Some(Found::Schema(_)))
    }
}

impl Schemas for Catalog {
    fn find(&self, wanted: &Wanted<'_>) -> Found {
        match (wanted, &self.cache, &self.folder) {
            (Wanted::Framed { id, .. }, Some(cache), _) => cache.find(*id),
            (Wanted::Named(name), _, Some(folder)) => folder.find(name),
            (
                Wanted::Framed {
                    r#type: Some(name), ..
                },
                None,
                Some(folder),
            ) => folder.find(name),
            (Wanted::Framed { r#type: None, .. }, None, Some(_)) => Found::Never(
                "the record names no type and a folder knows no ids: name one in `topics.formats`"
                    .to_owned(),
            ),
            (Wanted::Named(_), _, None) | (_, None, None) => NoSchemas.find(wanted),
        }
    }
}

impl Drop for Catalog {
    fn drop(&mut self) {
        if let Some(cache) = &self.cache {
            cache.close();
        }
    }
}

#[cfg(test)]
mod tests;
