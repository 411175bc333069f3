//! Who reads a topic: computed once per change of the definitions, because ingress asks for every record.
//!
//! Absent on purpose: what a record means to them (see `ingress::plan`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use saga_lib::ir::Definition;
use schemas::bundle::Active;

use super::Definitions;

/// Readers of every topic that ingress reads.
pub(super) type ByTopic = BTreeMap<String, Readers>;

/// A deployed version.
#[derive(Debug, Clone)]
pub struct Version {
    /// `name@version#hash`.
    pub reference: String,
    /// The version.
    pub definition: Arc<Definition>,
}

/// Who reads one topic.
#[derive(Debug, Clone, Default)]
pub struct Readers {
    /// Active versions that start from it.
    pub starts: Vec<(Version, Active)>,
    /// Every deployed version that awaits its events: instances of it may be alive.
    pub awaits: Vec<Version>,
    /// Every deployed version that is answered in it.
    pub replies: Vec<Version>,
}

impl fmt::Display for Readers {
    /// What the topic is for, such as `start, await`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uses = [
            (!self.starts.is_empty(), "start"),
            (!self.awaits.is_empty(), "await"),
            (!self.replies.is_empty(), "reply"),
        ];
        let words: Vec<_> = uses.iter().filter(|(is, _)| *is).map(|(_, w)| *w).collect();
        f.write_str(&words.join(", "))
    }
}

pub(super) fn by_topic(definitions: &Definitions) -> ByTopic {
    let mut topics = ByTopic::new();
    for (reference, active, definition) in definitions.active() {
        for topic in once(definition.starts.iter().map(|start| &start.topic)) {
            let readers = topics.entry(topic.clone()).or_default();
            let starter = (version(&reference, definition), active.clone());
            readers.starts.push(starter);
        }
    }
    for (reference, definition) in definitions.deployed() {
        for topic in once(definition.awaits().map(|wait| &wait.topic)) {
            let readers = topics.entry(topic.clone()).or_default();
            readers.awaits.push(version(&reference, definition));
        }
        for topic in once(definition.reply_sources().map(|source| &source.topic)) {
            let readers = topics.entry(topic.clone()).or_default();
            readers.replies.push(version(&reference, definition));
        }
    }
    topics
}

fn version(reference: &str, definition: &Arc<Definition>) -> Version {
    Version {
        reference: reference.to_owned(),
        definition: Arc::clone(definition),
    }
}

/// Each topic once.
fn once<'a>(topics: impl Iterator<Item = &'a String>) -> std::collections::BTreeSet<&'a String> {
    topics.collect()
}
