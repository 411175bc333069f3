//! The world of one check: a cluster, random names, and helpers that wait for conditions.
//!
//! Absent on purpose: assertions about the log. They stand in the checks.

use std::time::{Duration, Instant};

use connectors::log::{Begin, Bounds, Error, Group, Log, Options, Polled, Timeouts, TopicSpec};
use schemas::record::{Headers, Outgoing, Partition, Received};

/// How long a condition may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A short wait within a loop.
pub const MOMENT: Duration = Duration::from_millis(100);

/// One check's view of a cluster.
pub struct World<'a, L: Log> {
    cluster: &'a L::Cluster,
    /// Random part of every name.
    pub name: String,
    /// Time limits of the logs to be opened.
    pub timeouts: Timeouts,
}

impl<'a, L: Log> World<'a, L> {
    /// A world with names of its own.
    pub fn new(cluster: &'a L::Cluster) -> Self {
        Self {
            cluster,
            name: format!("conformance-{}", uuid::Uuid::new_v4().simple()),
            timeouts: Timeouts::default(),
        }
    }

    /// A name that nobody else uses.
    pub fn named(&self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }

    /// Creates a topic; answers its name.
    pub fn topic(&self, what: &str, partitions: u32) -> String {
        let spec = spec(&self.named(what), partitions);
        self.plain()
            .create_topics(std::slice::from_ref(&spec))
            .expect("topic is created");
        spec.name
    }

    /// A log with neither group nor transactional id.
    pub fn plain(&self) -> L {
        self.open(None, None)
    }

    /// A log with a transactional producer.
    pub fn producer(&self, what: &str) -> L {
        self.open(Some(what), None)
    }

    /// A log with a transactional producer and a membership that starts nothing by itself.
    pub fn member(&self, what: &str, topics: &[&str]) -> L {
        self.open(Some(what), Some(self.group(topics, None)))
    }

    /// A log with a membership that starts by itself, and no transactions.
    pub fn follower(&self, topics: &[&str], begin: Begin) -> L {
        self.open(None, Some(self.group(topics, Some(begin))))
    }

    fn group(&self, topics: &[&str], auto_start: Option<Begin>) -> Group {
        Group {
            id: self.named("group"),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            auto_start,
        }
    }

    fn open(&self, id: Option<&str>, group: Option<Group>) -> L {
        let options = Options {
            client_id: self.name.clone(),
            group,
            transactional_id: id.map(|id| self.named(id)),
            timeouts: self.timeouts.clone(),
        };
        L::open(self.cluster, &options).expect("log opens")
    }
}

/// A topic with log append time.
pub fn spec(name: &str, partitions: u32) -> TopicSpec {
    let append_time = ("message.timestamp.type", "LogAppendTime");
    TopicSpec {
        name: name.to_owned(),
        partitions,
        config: vec![(append_time.0.to_owned(), append_time.1.to_owned())],
    }
}

/// A record for partition 0.
pub fn record(topic: &str, value: &str) -> Outgoing {
    record_at(topic, 0, value)
}

/// A record for a partition.
pub fn record_at(topic: &str, partition: u32, value: &str) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        partition: Some(partition),
        key: Some(b"key".to_vec()),
        value: Some(value.as_bytes().to_vec()),
        headers: Headers::default(),
    }
}

/// Bounds of an ordinary poll.
pub fn bounds(wait: Duration) -> Bounds {
    Bounds {
        records: 1000,
        bytes: 1 << 20,
        wait,
    }
}

/// Calls until there is an answer.
pub fn eventually<T>(what: &str, mut call: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = call() {
            return answer;
        }
        assert!(Instant::now() < until, "waited in vain: {what}");
    }
}

/// Polls once for a moment.
pub fn poll<L: Log>(log: &mut L) -> Polled {
    log.poll(bounds(MOMENT)).expect("poll answers")
}

/// Polls until an assignment of this many partitions came.
pub fn join<L: Log>(log: &mut L, partitions: usize) -> Vec<Partition> {
    eventually("assignment", || {
        poll(log)
            .assigned
            .filter(|assigned| assigned.len() == partitions)
    })
}

/// Polls until this many records came; answers their values.
pub fn take<L: Log>(log: &mut L, count: usize) -> Vec<String> {
    let mut values = Vec::new();
    eventually("records", || {
        values.extend(poll(log).records.iter().map(text));
        (values.len() >= count).then_some(())
    });
    values
}

/// Begins a transaction, writes records with their index as token and waits for them.
pub fn write<L: Log>(log: &mut L, records: &[Outgoing]) {
    log.begin().expect("transaction begins");
    for (token, record) in (0..).zip(records) {
        log.produce(record, token).expect("record is handed over");
    }
    let deliveries = log.flush().expect("records are acknowledged");
    let written = deliveries.iter().all(|delivery| delivery.result.is_ok());
    assert!(written, "not all were written: {deliveries:?}");
}

/// Writes records and commits.
pub fn write_committed<L: Log>(log: &mut L, records: &[Outgoing]) {
    write(log, records);
    log.commit().expect("transaction commits");
}

/// Writes records and aborts.
pub fn write_aborted<L: Log>(log: &mut L, records: &[Outgoing]) {
    write(log, records);
    log.abort().expect("transaction aborts");
}

/// Runs a whole transaction of one record; answers the first error of any of its calls.
pub fn attempt<L: Log>(log: &mut L, record: &Outgoing) -> Result<(), Error> {
    log.begin()?;
    log.produce(record, 0)?;
    for delivery in log.flush()? {
        delivery.result?;
    }
    log.commit().map(|_| ())
}

/// Reads everything from the beginning to the end as it is now; answers the values.
pub fn read_all<L: Log>(log: &mut L, partition: &Partition) -> Vec<String> {
    records(log, partition).iter().map(text).collect()
}

/// Reads everything from the beginning to the end as it is now.
pub fn records<L: Log>(log: &mut L, partition: &Partition) -> Vec<Received> {
    let extent = log.extent(partition).expect("extent");
    let (mut next, mut records) = (extent.begin, Vec::new());
    eventually("read to the end", || {
        let chunk = log.read(partition, next, extent.end, 100, MOMENT);
        let chunk = chunk.expect("read answers");
        next = chunk.next;
        records.extend(chunk.records);
        (next >= extent.end).then_some(())
    });
    records
}

/// Waits until no transaction holds the partition up.
pub fn settled<L: Log>(log: &mut L, partition: &Partition) {
    eventually("stable end", || {
        let extent = log.extent(partition).expect("extent");
        (extent.stable_end == extent.end).then_some(())
    });
}

/// The value as text.
pub fn text(record: &Received) -> String {
    let value = record.value.clone().unwrap_or_default();
    String::from_utf8(value).expect("value is text")
}
