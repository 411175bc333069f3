//! Creating and describing topics.
//!
//! Absent on purpose: altering and deleting. What exists is somebody's.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode as Code};

use schemas::record::Partition;

use crate::log::{Error, TopicInfo, TopicSpec};

use super::context::Witness;
use super::probe::Probe;
use super::settings::Settings;
use super::{failure, record};

/// Administration of topics; the client is made on first use.
pub struct Admin {
    settings: Settings,
    client: Option<AdminClient<Witness>>,
}

impl Admin {
    /// An administration that has no client yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            client: None,
        }
    }

    /// Settings of a topic.
    pub fn describe(&mut self, name: &str, partitions: u32) -> Result<TopicInfo, Error> {
        let what = format!("settings of topic {name}");
        let options = self.options();
        let asked = [ResourceSpecifier::Topic(name)];
        let wait = self.settings.timeouts.request * 2;
        let told = block_on(
            self.client()?.describe_configs(&asked, &options),
            wait,
            &what,
        )?;
        let told = told
            .into_iter()
            .next()
            .ok_or_else(|| failure::timeout(&what))?;
        let resource = told.map_err(|code| failure::of_code(code, format!("{what}: {code}")))?;
        Ok(info(&resource, partitions))
    }

    /// Creates topics that do not exist, and waits until the cluster knows them.
    pub fn create(&mut self, topics: &[TopicSpec], probe: &Probe) -> Result<(), Error> {
        if topics.is_empty() {
            return Ok(());
        }
        let new: Vec<NewTopic<'_>> = topics.iter().map(new_topic).collect();
        let options = self.options();
        let wait = self.settings.timeouts.request * 2;
        let told = block_on(
            self.client()?.create_topics(&new, &options),
            wait,
            "create topics",
        )?;
        for result in told {
            check_created(result)?;
        }
        topics
            .iter()
            .try_for_each(|topic| wait_known(topic, probe, wait))
    }

    fn options(&self) -> AdminOptions {
        let wait = Some(self.settings.timeouts.request);
        AdminOptions::new()
            .request_timeout(wait)
            .operation_timeout(wait)
    }

    fn client(&mut self) -> Result<&AdminClient<Witness>, Error> {
        if self.client.is_none() {
            let witness = Witness::new(format!("{} admin", self.settings.client_id));
            let client = self.settings.admin().create_with_context(witness);
            self.client = Some(client.map_err(|e| failure::of(&e, "open admin client"))?);
        }
        self.client.as_ref().ok_or_else(failure::no_producer)
    }
}

fn info(resource: &ConfigResource, partitions: u32) -> TopicInfo {
    let text = |name: &str| resource.get(name).and_then(|entry| entry.value.as_deref());
    let pairs = resource.entries.iter();
    TopicInfo {
        partitions,
        message_bytes_max: text("max.message.bytes").and_then(|v| v.parse().ok()),
        config: pairs
            .filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)))
            .collect(),
    }
}

fn new_topic(spec: &TopicSpec) -> NewTopic<'_> {
    // -1 leaves the replication factor to the broker.
    let topic = NewTopic::new(
        &spec.name,
        record::signed(spec.partitions),
        TopicReplication::Fixed(-1),
    );
    let settings = spec.config.iter();
    settings.fold(topic, |topic, (name, value)| topic.set(name, value))
}

fn check_created(result: Result<String, (String, Code)>) -> Result<(), Error> {
    match result {
        Ok(_) | Err((_, Code::TopicAlreadyExists)) => Ok(()),
        Err((
            name,
            code @ (Code::InvalidConfig | Code::InvalidReplicationFactor | Code::InvalidPartitions),
        )) => Err(Error::Fatal {
            reason: format!("create topic {name}: {code}"),
        }),
        Err((name, code)) => Err(failure::of_code(
            code,
            format!("create topic {name}: {code}"),
        )),
    }
}

/// A created topic reaches the other brokers a moment later, and its leaders answer a moment after that.
fn wait_known(topic: &TopicSpec, probe: &Probe, wait: Duration) -> Result<(), Error> {
    let begin = Instant::now();
    while !is_ready(&topic.name, probe)? {
        if begin.elapsed() > wait {
            return Err(failure::timeout(&format!(
                "topic {} after its creation",
                topic.name
            )));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn is_ready(topic: &str, probe: &Probe) -> Result<bool, Error> {
    let count = probe.partitions(topic)?.unwrap_or(0);
    let answers = |number| probe.extent(&Partition::new(topic, number)).is_ok();
    Ok(count > 0 && (0..count).all(answers))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The client library's administration is a future that its own thread completes; a whole runtime for it would be too much.
fn block_on<T>(
    future: impl Future<Output = KafkaResult<T>>,
    wait: Duration,
    what: &str,
) -> Result<T, Error> {
    let begin = Instant::now();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result.map_err(|e| failure::of(&e, what));
        }
        let left = wait.saturating_sub(begin.elapsed());
        if left.is_zero() {
            return Err(failure::timeout(what));
        }
        thread::park_timeout(left);
    }
}
