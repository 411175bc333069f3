//! What a transaction of one record costs on a real broker. Ends with 1 if the median commit takes 30 ms or more: then something waits
//! that should not (the client library's commit has a floor of 100 ms if it is asked too early).
//!
//! Absent on purpose: statistics beyond two percentiles. `cargo bench -p tests --bench commit`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use connectors::kafka::{KafkaCluster, KafkaLog};
use connectors::log::{Log, Options, TopicSpec};
use schemas::record::{Headers, Outgoing};
use tests::harness::{self, unique};

fn main() -> ExitCode {
    let cluster = KafkaCluster::new(harness::kafka().address());
    let options = Options {
        client_id: "bench".to_owned(),
        transactional_id: Some(unique("bench")),
        ..Options::default()
    };
    let mut log = KafkaLog::open(&cluster, &options).expect("the log opens");
    let record = record(&mut log);
    for _ in 0..WARM_UP {
        transaction(&mut log, &record);
    }
    let (mut commits, mut all): (Vec<_>, Vec<_>) = (0..MEASURED)
        .map(|_| transaction(&mut log, &record))
        .unzip();
    let median = percentile(&mut commits, 50);
    println!(
        "commit       p50 {median:?} p99 {:?}",
        percentile(&mut commits, 99)
    );
    println!(
        "transaction  p50 {:?} p99 {:?}",
        percentile(&mut all, 50),
        percentile(&mut all, 99)
    );
    if median < LIMIT {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn record(log: &mut KafkaLog) -> Outgoing {
    let topic = unique("bench");
    let spec = TopicSpec {
        name: topic.clone(),
        partitions: 1,
        config: Vec::new(),
    };
    log.create_topics(&[spec]).expect("the topic is created");
    Outgoing {
        topic,
        partition: Some(0),
        key: Some(b"key".to_vec()),
        value: Some(vec![0; 500]),
        headers: Headers::default(),
    }
}

/// Duration of the commit alone and of everything.
fn transaction(log: &mut KafkaLog, record: &Outgoing) -> (Duration, Duration) {
    let begin = Instant::now();
    log.begin().expect("begun");
    log.produce(record, 0).expect("handed over");
    log.flush().expect("acknowledged");
    let commit = Instant::now();
    log.commit().expect("committed");
    (commit.elapsed(), begin.elapsed())
}

fn percentile(durations: &mut [Duration], percent: usize) -> Duration {
    durations.sort_unstable();
    durations[(durations.len() - 1) * percent / 100]
}

const WARM_UP: usize = 100;

const MEASURED: usize = 1000;

const LIMIT: Duration = Duration::from_millis(30);
