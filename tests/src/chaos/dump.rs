//! What is told when something is stuck: sagas, lanes, open transactions, and what the processes said last.
//!
//! Absent on purpose: judgement.

use std::fmt::Write;
use std::time::Duration;

use connectors::kafka::KafkaLog;
use connectors::log::Log;
use connectors::redis::RedisStore;
use connectors::store::Store;
use schemas::journal::{self, JournalRecord};
use schemas::record::{Partition, Received};
use schemas::state;

use crate::world::{LANES, World};

/// The story of these sagas and of the world around them.
pub fn stuck(world: &World, sagas: &[String]) -> String {
    let mut log = world.log();
    let mut text = format!(
        "{} sagas do not end: {:?}\n",
        sagas.len(),
        &sagas[..sagas.len().min(20)]
    );
    for saga in &sagas[..sagas.len().min(3)] {
        let _ = writeln!(
            text,
            "{saga}:\n{}{}",
            last_image(world, &mut log, saga),
            world.timeline(saga)
        );
    }
    text.push_str(&lanes(world, &mut log));
    text.push_str(&open_transactions(world, &mut log));
    text.push_str(&last_words(world));
    text
}

fn last_image(world: &World, log: &mut KafkaLog, saga: &str) -> String {
    let mut last = String::from("no image\n");
    for lane in 0..LANES {
        let partition = Partition::new(world.names().journal(), lane);
        read(log, &partition, |record| {
            if let Ok(JournalRecord::Image {
                id,
                document: Some(document),
            }) = journal::decode(&record)
                && id.as_str() == saga
            {
                last = format!("lane {lane}: {:?}\n", state::decode(&document));
            }
        });
    }
    last
}

/// Inbox, newest header and store position of every lane.
fn lanes(world: &World, log: &mut KafkaLog) -> String {
    let mut store = RedisStore::open(&world.store(), &world.app);
    let mut text = String::new();
    for lane in 0..LANES {
        let names = world.names();
        let inbox = log.extent(&Partition::new(names.inbox(), lane));
        let mut header = None;
        read(log, &Partition::new(names.journal(), lane), |record| {
            if let Ok(JournalRecord::Header(newest)) = journal::decode(&record) {
                header = Some((newest.end, newest.owner));
            }
        });
        let position = store.as_mut().map(|store| store.position(lane));
        let _ = writeln!(
            text,
            "lane {lane}: inbox {inbox:?}, newest header {header:?}, store {position:?}"
        );
    }
    text
}

/// As much as can be read now.
fn read(log: &mut KafkaLog, partition: &Partition, mut take: impl FnMut(Received)) {
    let Ok(extent) = log.extent(partition) else {
        return;
    };
    let mut next = extent.begin;
    while next < extent.stable_end {
        let chunk = log.read(
            partition,
            next,
            extent.stable_end,
            10_000,
            Duration::from_secs(1),
        );
        let Ok(chunk) = chunk else { return };
        chunk.records.into_iter().for_each(&mut take);
        if chunk.next <= next {
            return;
        }
        next = chunk.next;
    }
}

/// Partitions whose readers are held up.
fn open_transactions(world: &World, log: &mut KafkaLog) -> String {
    let mut text = String::new();
    for topic in log.topic_names(&world.app).unwrap_or_default() {
        let partitions = log
            .topic(&topic)
            .ok()
            .flatten()
            .map_or(0, |told| told.partitions);
        for number in 0..partitions {
            let partition = Partition::new(topic.clone(), number);
            if let Ok(extent) = log.extent(&partition)
                && extent.stable_end < extent.end
            {
                let _ = writeln!(
                    text,
                    "an open transaction holds up {partition:?}: {extent:?}"
                );
            }
        }
    }
    text
}

/// The last lines of every process that ran.
pub fn last_words(world: &World) -> String {
    let mut text = String::new();
    for part in world.outputs().split("--- ").skip(1) {
        let lines: Vec<&str> = part.lines().collect();
        let last = &lines[lines.len().saturating_sub(LINES)..];
        let _ = writeln!(text, "--- {}\n{}", lines[0], last.join("\n"));
    }
    text
}

const LINES: usize = 30;
