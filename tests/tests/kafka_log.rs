//! The Kafka log against a real broker: what the lane protocol takes for granted, shown one promise at a time.
//!
//! Absent on purpose: what every log promises (the conformance suite runs that against all of them).

#[path = "kafka_log/support.rs"]
mod support;

#[path = "kafka_log/group.rs"]
mod group;
#[path = "kafka_log/outage.rs"]
mod outage;
#[path = "kafka_log/reading.rs"]
mod reading;
#[path = "kafka_log/topics.rs"]
mod topics;
#[path = "kafka_log/transactions.rs"]
mod transactions;
