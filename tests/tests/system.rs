//! Order sagas on real Kafka and Redis, in real processes.

#[path = "system/behaviour.rs"]
mod behaviour;
#[path = "system/forward.rs"]
mod forward;
#[path = "system/input.rs"]
mod input;
#[path = "system/outputs.rs"]
mod outputs;
#[path = "system/plain_kafka.rs"]
mod plain_kafka;
