//! Where Redis is.
//!
//! A URL may hold a password, so neither the URL nor anything derived from it by the client library is ever shown.
//! Absent on purpose: TLS, Sentinel and Cluster; a lane needs one writable server behind one address.

use std::fmt;
use std::time::Duration;

use ::redis::{Client, IntoConnectionInfo, ProtocolVersion};

use crate::store::Error;

/// What a [`super::RedisStore`] is opened on.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress {
    /// `redis://[user:password@]host[:port][/database]` or `unix:///path`.
    pub url: String,
    /// How long to wait for a connection, and for each answer.
    pub timeout: Duration,
}

impl RedisAddress {
    /// The address `url` with the usual time limit of 5 s.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            timeout: Duration::from_secs(5),
        }
    }

    /// A client, and the part of the address that may be shown.
    pub(super) fn client(&self) -> Result<(Client, String), Error> {
        // The library's own message is dropped: it may quote the URL.
        let bad = |_| Error::Unusable {
            reason: "the address is not of the form redis://[user:password@]host[:port][/database]"
                .to_owned(),
        };
        let info = self.url.as_str().into_connection_info().map_err(bad)?;
        let shown = info.addr().to_string();
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let settings = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP2);
        let info = info.set_tcp_settings(tcp).set_redis_settings(settings);
        Ok((Client::open(info).map_err(bad)?, shown))
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.client().map_or_else(|_| "?".to_owned(), |(_, s)| s);
        f.debug_struct("RedisAddress")
            .field("address", &shown)
            .field("timeout", &self.timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_host_and_port_only() {
        let address = RedisAddress::new("redis://user:hush@localhost:7000/2");
        let shown = format!("{address:?}");
        assert!(shown.contains("localhost:7000"), "{shown}");
        assert!(!shown.contains("hush") && !shown.contains("user"));
        let bad = RedisAddress::new("hush@localhost");
        assert!(!format!("{bad:?} {:?}", bad.client().err()).contains("hush"));
    }
}
