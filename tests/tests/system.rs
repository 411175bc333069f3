//! Order sagas on real Kafka and Redis, in real processes.

#[path = "system/avro.rs"]
mod avro;
#[path = "system/avro_out.rs"]
mod avro_out;
#[path = "system/behaviour.rs"]
mod behaviour;
#[path = "system/crash.rs"]
mod crash;
#[path = "system/examples.rs"]
mod examples;
#[path = "system/faults.rs"]
mod faults;
#[path = "system/forward.rs"]
mod forward;
#[path = "system/hostile.rs"]
mod hostile;
#[path = "system/input.rs"]
mod input;
#[path = "system/limit.rs"]
mod limit;
#[path = "system/operators.rs"]
mod operators;
#[path = "system/outage.rs"]
mod outage;
#[path = "system/outputs.rs"]
mod outputs;
#[path = "system/plain_kafka.rs"]
mod plain_kafka;
#[path = "system/python.rs"]
mod python;
#[path = "system/redrive.rs"]
mod redrive;
#[path = "system/start.rs"]
mod start;
#[path = "system/storm.rs"]
mod storm;
#[path = "system/takeover.rs"]
mod takeover;
