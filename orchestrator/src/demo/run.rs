//! One run: its id, and everything that is named after it.
//!
//! Absent on purpose: removing topics and keys of a run from real servers; people may want to look at them.

use connectors::log::{Error, Log, TopicSpec};
use saga_lib::definition;
use schemas::bundle::Bundle;

/// The definition, with a place for the id of the run.
const SOURCE: &str = include_str!("order.yaml");

/// The participants, in the order in which an order visits them.
pub(super) const SERVICES: [&str; 3] = ["stock", "payment", "shipping"];

/// Partitions of business topics. What a transaction costs grows with the partitions it touches, so there are few.
const PARTITIONS: u32 = 2;

/// Names of one run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    id: String,
}

impl Run {
    /// A run that shares no name with any other.
    pub(super) fn fresh() -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let id = id[..8].to_owned();
        Self { id }
    }

    /// Name of the app.
    pub(super) fn app(&self) -> String {
        format!("demo-{}", self.id)
    }

    /// Topic of the events that sagas start from.
    pub(super) fn orders(&self) -> String {
        format!("orders-{}", self.id)
    }

    /// Topic of the events that tell the end.
    pub(super) fn events(&self) -> String {
        format!("order-events-{}", self.id)
    }

    /// Name and consumer group of a participant.
    pub(super) fn service(&self, name: &str) -> String {
        format!("{name}-{}", self.id)
    }

    /// Topic of a participant's commands.
    pub(super) fn commands(&self, name: &str) -> String {
        format!("{}.commands", self.service(name))
    }

    /// Topics of all participants' commands.
    pub(super) fn all_commands(&self) -> Vec<String> {
        SERVICES.map(|name| self.commands(name)).to_vec()
    }

    /// The definition of this run.
    ///
    /// # Panics
    /// Never: the source is part of the program, and a test compiles it.
    pub(super) fn definition(&self) -> Bundle {
        let source = SOURCE.replace("RUN", &self.id);
        let definition = definition::compile("order.yaml", &source);
        let definition = definition.expect("the demo's own definition compiles");
        Bundle::new(definition, source, "order.yaml".to_owned())
    }

    /// Creates the business topics.
    ///
    /// # Errors
    /// The log's.
    pub(super) fn create_topics<L: Log>(&self, log: &mut L) -> Result<(), Error> {
        let mut names = self.all_commands();
        names.extend([self.orders(), self.events()]);
        let spec = |name| TopicSpec {
            name,
            partitions: PARTITIONS,
            config: Vec::new(),
        };
        log.create_topics(&names.into_iter().map(spec).collect::<Vec<_>>())
    }
}

/// The service and operation that people know, of a command topic of any run: `stock-1f3a.commands` is `stock`.
pub(super) fn service_of(topic: &str) -> &str {
    topic.split('-').next().unwrap_or(topic)
}
