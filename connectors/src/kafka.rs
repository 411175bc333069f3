//! The log on Kafka, through librdkafka: one group member, one transactional and one plain producer, one reader.
//!
//! What the protocol needs and how it is had: commits take a round trip (no lingering, and everything is acknowledged before the
//! commit is asked for); results are checked record by record; assignments change only in [`Log::poll`] and begin paused; offsets are
//! always explicit (`auto.offset.reset=error`); group offsets are read stable; doubt about a producer is ended by replacing it.
//!
//! Absent on purpose: retries (librdkafka's own within one request aside), schemas, metrics, and any decision.

mod admin;
mod context;
mod explain;
mod failure;
mod member;
mod probe;
mod reader;
mod record;
mod retire;
mod settings;
mod transaction;
mod writer;

use std::time::Duration;

use schemas::record::{Outgoing, Partition};

use crate::log::{
    Bounds, Chunk, Committed, Delivery, Error, Extent, Log, Options, Polled, TopicInfo, TopicSpec,
};

use admin::Admin;
use member::Member;
use probe::Probe;
use reader::Reader;
use settings::Settings;
use transaction::Transactions;
use writer::Writer;

/// A Kafka cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KafkaCluster {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// More settings of every client, e.g. for security. They win over our own.
    pub settings: Vec<(String, String)>,
}

impl KafkaCluster {
    /// A cluster without more settings.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            settings: Vec::new(),
        }
    }
}

/// Version of the client library, for inventory.
pub fn library_version() -> String {
    rdkafka::util::get_rdkafka_version().1
}

/// The log on Kafka.
pub struct KafkaLog {
    settings: Settings,
    plain: Option<Writer>,
    transactions: Option<Transactions>,
    member: Option<Member>,
    probe: Probe,
    reader: Reader,
    admin: Admin,
}

impl KafkaLog {
    fn transactions(&mut self) -> Result<&mut Transactions, Error> {
        self.transactions
            .as_mut()
            .ok_or_else(failure::no_transactions)
    }

    fn member(&mut self) -> Result<&mut Member, Error> {
        self.member.as_mut().ok_or_else(failure::no_group)
    }
}

impl Log for KafkaLog {
    type Cluster = KafkaCluster;

    fn open(cluster: &KafkaCluster, options: &Options) -> Result<Self, Error> {
        let settings = Settings::new(cluster, options);
        let probe = Probe::open(&settings)?;
        let mut log = Self {
            plain: Some(Writer::plain(&settings)?),
            transactions: Transactions::open(&settings)?,
            member: None,
            reader: Reader::new(&settings),
            admin: Admin::new(&settings),
            probe,
            settings,
        };
        // The group is joined last: a member must be able to write before it owns anything.
        if let Some(group) = &options.group {
            log.member = Some(Member::open(&log.settings, group)?);
        }
        Ok(log)
    }

    fn poll(&mut self, bounds: Bounds) -> Result<Polled, Error> {
        let Self { member, probe, .. } = self;
        let member = member.as_mut().ok_or_else(failure::no_group)?;
        member.poll(bounds, probe)
    }

    fn start(&mut self, partition: &Partition, offset: i64) -> Result<(), Error> {
        self.member()?.start(partition, offset)
    }

    fn pause(&mut self, partition: &Partition) -> Result<(), Error> {
        self.member()?.pause(partition)
    }

    fn subscribe(&mut self, topics: &[String]) -> Result<(), Error> {
        self.member()?.subscribe(topics)
    }

    fn committed(&mut self, partition: &Partition, wait: Duration) -> Result<Committed, Error> {
        let Self { member, probe, .. } = self;
        let member = member.as_mut().ok_or_else(failure::no_group)?;
        member.committed(partition, wait, probe)
    }

    fn commit_offsets(&mut self, offsets: &[(Partition, i64)]) -> Result<(), Error> {
        self.member()?.commit_offsets(offsets)
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.transactions()?.begin()
    }

    fn produce(&mut self, record: &Outgoing, token: u64) -> Result<(), Error> {
        let Self {
            transactions,
            probe,
            ..
        } = self;
        let transactions = transactions.as_mut().ok_or_else(failure::no_transactions)?;
        transactions.produce(record, token, probe)
    }

    fn flush(&mut self) -> Result<Vec<Delivery>, Error> {
        let Self {
            transactions,
            probe,
            admin,
            ..
        } = self;
        let transactions = transactions.as_mut().ok_or_else(failure::no_transactions)?;
        transactions.flush(probe, admin)
    }

    fn send_offsets(&mut self, offsets: &[(Partition, i64)], metadata: &str) -> Result<(), Error> {
        let Self {
            transactions,
            member,
            ..
        } = self;
        let transactions = transactions.as_mut().ok_or_else(failure::no_transactions)?;
        let member = member.as_ref().ok_or_else(failure::no_group)?;
        transactions.send_offsets(offsets, metadata, member.generation())
    }

    fn commit(&mut self) -> Result<bool, Error> {
        self.transactions()?.commit()
    }

    fn abort(&mut self) -> Result<(), Error> {
        let Self {
            transactions,
            settings,
            ..
        } = self;
        let transactions = transactions.as_mut().ok_or_else(failure::no_transactions)?;
        transactions.abort(settings)
    }

    fn replace_producers(&mut self) -> Result<(), Error> {
        let plain = self.plain.take();
        let retired = retire::in_background(plain);
        if let Some(transactions) = &mut self.transactions {
            transactions.replace(&self.settings)?;
        }
        self.plain = Some(Writer::plain(&self.settings)?);
        retired.wait(settings::RETIRE_WAIT);
        Ok(())
    }

    fn fence(&mut self, transactional_id: &str) -> Result<(), Error> {
        transaction::fence(&self.settings, transactional_id)
    }

    fn produce_plain(&mut self, record: &Outgoing, token: u64) -> Result<(), Error> {
        let Self { plain, probe, .. } = self;
        let plain = plain.as_mut().ok_or_else(failure::no_producer)?;
        plain.send(record, token, probe)
    }

    fn deliveries_plain(&mut self, wait: Duration) -> Vec<Delivery> {
        let Self {
            plain,
            probe,
            admin,
            ..
        } = self;
        let Some(plain) = plain else {
            return Vec::new();
        };
        plain.wait_settled(wait);
        let (refused, written) = plain.take();
        let mut deliveries = explain::deliveries(&refused, plain.witness(), probe, admin);
        deliveries.extend(written.deliveries());
        deliveries
    }

    fn extent(&mut self, partition: &Partition) -> Result<Extent, Error> {
        // The stable end first: it never exceeds an end that is read later.
        let (begin, stable_end) = self.reader.stable_extent(partition)?;
        let (_, end) = self.probe.extent(partition)?;
        Ok(Extent {
            begin,
            end,
            stable_end,
        })
    }

    fn read(
        &mut self,
        partition: &Partition,
        from: i64,
        to: i64,
        records_max: usize,
        wait: Duration,
    ) -> Result<Chunk, Error> {
        let range = reader::Range {
            partition,
            from,
            to,
            records_max,
        };
        self.reader.read(range, wait, &self.probe)
    }

    fn offset_at(&mut self, partition: &Partition, time_ms: i64) -> Result<i64, Error> {
        self.probe.offset_at(partition, time_ms)
    }

    fn topic(&mut self, name: &str) -> Result<Option<TopicInfo>, Error> {
        match self.probe.partitions(name)? {
            Some(partitions) => self.admin.describe(name, partitions).map(Some),
            None => Ok(None),
        }
    }

    fn create_topics(&mut self, topics: &[TopicSpec]) -> Result<(), Error> {
        self.admin.create(topics, &self.probe)
    }

    fn topic_names(&mut self, prefix: &str) -> Result<Vec<String>, Error> {
        self.probe.topic_names(prefix)
    }
}

impl Drop for KafkaLog {
    /// Leaves the group, so that others take over at once; a broker that does not answer must not hold up the end.
    fn drop(&mut self) {
        let member = retire::in_background(self.member.take());
        let transactions = retire::in_background(self.transactions.take());
        let plain = retire::in_background(self.plain.take());
        let reader = retire::in_background(self.reader.take_client());
        for retired in [member, transactions, plain, reader] {
            retired.wait(settings::RETIRE_WAIT);
        }
    }
}
