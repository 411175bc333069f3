//! What a test does with its own hands: records written and read, topics altered, and waiting for what follows.
//!
//! Absent on purpose: looking into processes; everything here is what any client of Kafka could do and see.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use connectors::kafka::KafkaLog;
use connectors::log::{Log, Options, Timeouts, TopicSpec};
use connectors::participant::{Answer, Command, Participant, Running};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use saga_lib::id::SagaId;
use saga_lib::input::{Act, Signal};
use saga_lib::instance::{Instance, Status};
use schemas::command::{self, Incoming};
use schemas::dead_letter::{self, DeadLetter};
use schemas::history::{self, Fact};
use schemas::inbox;
use schemas::record::{Headers, Outgoing, Received};
use serde_json::{Value, json};

use super::reader::Reader;
use super::{LANES, World, timeouts};
use crate::harness::eventually;

/// How long anything may take that happens by itself: two busy cores need patience.
pub const PATIENCE: Duration = Duration::from_secs(60);

impl World {
    /// Starts the participant of one command topic: `answer` decides for forward commands; compensations always succeed.
    pub fn participant(
        &self,
        service: &str,
        forward: &'static str,
        back: &'static str,
        answer: impl FnMut(&Command) -> Answer + Send + 'static,
    ) -> Running {
        Participant::builder(format!("{}-{service}", self.app))
            .topic(format!("{}-{service}.commands", self.app))
            .timeouts(timeouts())
            .ledger(self.ledger.clone())
            .on(forward, answer)
            .on(back, |_| Answer::ok(json!({ "done": true })))
            .run::<KafkaLog>(&self.cluster())
            .expect("participant started")
    }

    /// Writes records and waits until all are acknowledged.
    pub fn send(&self, records: &[Outgoing]) {
        let mut log = self.patient_log();
        for (token, record) in records.iter().enumerate() {
            log.produce_plain(record, token as u64)
                .expect("record handed over");
        }
        let deliveries = log.deliveries_plain(Duration::from_secs(20));
        let good = deliveries.iter().filter(|d| d.result.is_ok()).count();
        assert_eq!(good, records.len(), "acknowledged: {deliveries:?}");
    }

    /// A log whose records have all the time they need: what a test writes is not what is tested.
    pub(super) fn patient_log(&self) -> KafkaLog {
        let transaction = Duration::from_secs(25);
        let timeouts = Timeouts {
            transaction,
            ..timeouts()
        };
        let options = Options {
            client_id: "test".into(),
            timeouts,
            ..Options::default()
        };
        KafkaLog::open(&self.cluster(), &options).expect("the broker answers")
    }

    /// A record for a topic of this world, without partition.
    pub fn record(
        &self,
        topic: &str,
        key: Option<&str>,
        value: &[u8],
        headers: Headers,
    ) -> Outgoing {
        Outgoing {
            topic: format!("{}{topic}", self.app),
            partition: None,
            key: key.map(|key| key.as_bytes().to_vec()),
            value: Some(value.to_vec()),
            headers,
        }
    }

    /// Committed records of a topic as far as they are known now; made for asking often.
    pub fn follow(&self, topic: &str) -> Vec<Received> {
        let mut reader = self.reader.lock().expect("not poisoned");
        reader
            .get_or_insert_with(|| Reader::new(self.log()))
            .topic(topic)
    }

    /// Commands that a service got for a saga, in order of the topic.
    pub fn commands(&self, service: &str, saga: &str) -> Vec<Incoming> {
        let records = self.follow(&format!("{}-{service}.commands", self.app));
        let commands = records.iter().map(command::decode_command);
        let commands = commands.map(|command| command.expect("a command"));
        commands.filter(|c| c.id.saga.as_str() == saga).collect()
    }

    /// Waits for this attempt of a command.
    pub fn await_command(&self, service: &str, id: &str, attempt: u32) -> Incoming {
        let saga = id.rsplit_once('/').expect("a command id").0;
        await_that(&format!("attempt {attempt} of {id}"), PATIENCE, || {
            let mut commands = self.commands(service, saga).into_iter();
            commands.find(|c| c.id.to_string() == id && c.attempt == attempt)
        })
    }

    /// Answers a command.
    pub fn reply(&self, command: &Incoming, outcome: &str, payload: &Value) {
        self.send(&[command::encode_reply(command, outcome, payload, None, None)]);
    }

    /// Facts, in order of each lane.
    pub fn history(&self) -> Vec<Fact> {
        let records = self.follow(&self.names().history());
        let decode = |record| history::decode(record).expect("a fact");
        records.iter().map(decode).collect()
    }

    /// Facts of one saga, in order.
    pub fn history_of(&self, saga: &str) -> Vec<Fact> {
        let mut facts = self.history();
        facts.retain(|fact| fact.saga.as_str() == saga);
        facts
    }

    /// Waits for a fact of a saga.
    pub fn await_fact(&self, what: &str, saga: &str, wanted: impl Fn(&Fact) -> bool) -> Fact {
        await_that(&format!("{saga}: {what}"), PATIENCE, || {
            self.history_of(saga).into_iter().find(&wanted)
        })
    }

    /// Waits until a saga has this status.
    pub fn await_status(&self, saga: &str, status: Status) -> Instance {
        await_that(&format!("{saga} is {}", status.word()), PATIENCE, || {
            let instance = self.instances().remove(saga)?;
            (instance.status == status).then_some(instance)
        })
    }

    /// First attempts of the commands of a saga, in the order in which they were sent: `reserve`, `release!`.
    pub fn sent(&self, saga: &str) -> Vec<String> {
        let facts = self.history_of(saga);
        let commands = facts.iter().flat_map(|fact| &fact.commands);
        let first = commands.filter(|c| c.attempt == 1);
        let name = |c: &history::SentCommand| match c.id.compensation {
            Some(_) => format!("{}!", c.r#type),
            None => c.r#type.clone(),
        };
        first.map(name).collect()
    }

    /// Events that sagas of this key published, as type and payload.
    pub fn published(&self, key: &str) -> Vec<(String, Value)> {
        let mut records = self.follow(&format!("{}-order-events", self.app));
        records.retain(|r| r.key.as_deref() == Some(key.as_bytes()));
        let event = |r: Received| {
            let name = r.headers.text("ce_type").expect("a type").to_owned();
            let value = r.value.expect("a payload");
            (name, serde_json::from_slice(&value).expect("JSON"))
        };
        records.into_iter().map(event).collect()
    }

    /// The record that asks to resolve the incident of a parked saga by trying again.
    pub fn retry_signal(&self, saga: &str) -> Outgoing {
        let saga = SagaId::parse(saga).expect("a saga id");
        let signal = Signal {
            id: crate::harness::unique("signal"),
            actor: "operator".to_owned(),
            if_revision: None,
            act: Act::Retry,
        };
        inbox::encode_signal(&self.names(), LANES, &saga, &signal)
    }

    /// Dead letters of a source topic.
    pub fn dead_letters(&self, source: &str) -> Vec<DeadLetter> {
        let records = self.follow(&self.names().dead_letter(source));
        let decode = |record| dead_letter::decode(record).expect("a dead letter");
        records.iter().map(decode).collect()
    }

    /// Creates a topic.
    pub fn create_topic(&self, name: &str, config: &[(&str, &str)]) {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let spec = TopicSpec {
            name: name.to_owned(),
            partitions: LANES,
            config: config.iter().map(own).collect(),
        };
        let created = self.log().create_topics(&[spec]);
        created.expect("the topic is created");
    }

    /// Gives a topic these settings; all others become the broker's defaults.
    pub fn alter_topic(&self, name: &str, settings: &[(&str, &str)]) {
        let admin = self.admin();
        let change = AlterConfig::new(ResourceSpecifier::Topic(name));
        let change = settings.iter().fold(change, |change, (setting, value)| {
            change.set(setting, value)
        });
        let result = block_on(admin.alter_configs([&change], &AdminOptions::new()));
        assert!(
            result.expect("an answer").iter().all(Result::is_ok),
            "{name}: {settings:?}"
        );
        let mut log = self.log();
        await_that(&format!("topic {name} is altered"), PATIENCE, || {
            let told = log.topic(name).expect("an answer")?.config;
            let is = |(n, v): &(&str, &str)| told.iter().any(|(tn, tv)| tn == n && tv == v);
            settings.iter().all(is).then_some(())
        });
    }

    /// Adds partitions to a topic.
    pub fn grow_topic(&self, name: &str, partitions: u32) {
        let admin = self.admin();
        let more = rdkafka::admin::NewPartitions::new(name, partitions as usize);
        let result = block_on(admin.create_partitions([&more], &AdminOptions::new()));
        assert!(
            result.expect("an answer").iter().all(Result::is_ok),
            "{name}"
        );
        let mut log = self.log();
        await_that(&format!("topic {name} has grown"), PATIENCE, || {
            let topic = log.topic(name).expect("an answer")?;
            (topic.partitions == partitions).then_some(())
        });
    }

    /// Deletes a topic and waits until it is gone.
    pub fn delete_topic(&self, name: &str) {
        let admin = self.admin();
        let result = block_on(admin.delete_topics(&[name], &AdminOptions::new()));
        assert!(
            result.expect("an answer").iter().all(Result::is_ok),
            "{name}"
        );
        let mut log = self.log();
        await_that(&format!("topic {name} is gone"), PATIENCE, || {
            let topic = log.topic(name).expect("an answer");
            topic.is_none().then_some(())
        });
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        let mut config = rdkafka::ClientConfig::new();
        config.set("bootstrap.servers", &self.kafka);
        config.create().expect("a client")
    }
}

/// A test that failed shows how far its first order came, seen anew, and what was seen while it waited.
impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        if let Ok(reader) = self.reader.lock() {
            let state = reader.as_ref().map(Reader::state).unwrap_or_default();
            eprintln!("seen while waiting:\n{state}");
        }
        if let Some(first) = self.triggered().first() {
            // On a thread of its own: a second panic here would end all tests.
            let traced = std::thread::scope(|scope| scope.spawn(|| self.trace(first)).join());
            eprintln!("seen now: {}", traced.unwrap_or_default());
        }
    }
}

/// Asks less often than [`eventually`] does: each look reads topics.
pub fn await_that<T>(what: &str, timeout: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    eventually(what, timeout, || {
        let answer = ask();
        if answer.is_none() {
            std::thread::sleep(Duration::from_millis(50));
        }
        answer
    })
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The client library completes these futures on its own thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
        std::thread::park();
    }
}
