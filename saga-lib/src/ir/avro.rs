//! Messages that are sent in Avro.
//!
//! Absent on purpose: schema ids. They belong to a registry and stand beside the definition.

use serde::{Deserialize, Serialize};

use super::{Definition, Kind, Publish};

/// Every command or event of one type in one topic is sent in Avro.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvroMessage {
    /// Topic.
    pub topic: String,
    /// Message type, as in the header `ce_type`.
    pub r#type: String,
    /// Full name of the Avro type.
    pub name: String,
    /// Its schema as JSON, with the definition of everything that it refers to inside.
    pub schema: String,
}

impl Definition {
    /// Topic and message type of everything that is ever sent: commands, forward and back, and published events.
    pub fn sent(&self) -> impl Iterator<Item = (&str, &str)> {
        let commands = self
            .targets()
            .map(|t| (t.topic.as_str(), t.r#type.as_str()));
        let events = self.published();
        commands.chain(events.map(|p| (p.topic.as_str(), p.r#type.as_str())))
    }

    /// Events that are published, by steps and at the end.
    pub fn published(&self) -> impl Iterator<Item = &Publish> {
        let steps = self.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Publish(publish) => Some(publish),
            _ => None,
        });
        let ends = [
            &self.finally.completed,
            &self.finally.compensated,
            &self.finally.parked,
        ];
        steps.chain(ends.into_iter().flatten())
    }
}
