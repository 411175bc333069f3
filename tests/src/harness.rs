//! Real servers for tests: Apache Kafka, Redis and schema registry processes that are provisioned, started and ended by the tests themselves.
//!
//! `SKALD_TEST_KAFKA` (host:port) and `SKALD_TEST_REDIS` (redis URL) name servers to use instead of the shared ones. Whatever way a
//! test process ends, its servers end with it: see [`watchdog`].
//!
//! Absent on purpose: fault schedules and oracles (the tests that need them own them), and any mock.

pub mod acl;
pub mod broker;
pub mod provision;
pub mod python;
pub mod redis_server;
pub mod registry_server;
pub mod wait;
pub mod watchdog;

use std::sync::OnceLock;

pub use broker::Broker;
pub use redis_server::RedisServer;
pub use registry_server::RegistryServer;
pub use wait::{eventually, unique};

/// The Kafka broker that all tests of this binary share.
pub fn kafka() -> &'static Broker {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    SHARED.get_or_init(|| match std::env::var("SKALD_TEST_KAFKA") {
        Ok(address) => Broker::external(address),
        Err(_) => Broker::start(),
    })
}

/// The Redis server that all tests of this binary share.
pub fn redis() -> &'static RedisServer {
    static SHARED: OnceLock<RedisServer> = OnceLock::new();
    SHARED.get_or_init(|| match std::env::var("SKALD_TEST_REDIS") {
        Ok(url) => RedisServer::external(url),
        Err(_) => RedisServer::start(),
    })
}
