//! Order sagas on real Kafka and Redis, in real processes.

#[path = "system/crash.rs"]
mod crash;
#[path = "system/faults.rs"]
mod faults;
#[path = "system/forward.rs"]
mod forward;
#[path = "system/outage.rs"]
mod outage;
#[path = "system/takeover.rs"]
mod takeover;
