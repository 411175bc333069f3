//! Order sagas on real Kafka and Redis, in real processes.

#[path = "system/forward.rs"]
mod forward;
