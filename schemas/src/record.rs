//! Records as logs carry them, independent of any client library.
//!
//! Absent on purpose: meaning. Headers are bytes here; envelopes give them names and types.

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// Topic name.
    pub topic: String,
    /// Number, from 0.
    pub number: u32,
}

impl Partition {
    /// Partition `number` of `topic`.
    pub fn new(topic: impl Into<String>, number: u32) -> Self {
        Self {
            topic: topic.into(),
            number,
        }
    }
}

/// Headers in order; names may repeat, the last one counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(pub Vec<(String, Vec<u8>)>);

impl Headers {
    /// The last header of this name.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_slice())
    }

    /// The last header of this name, if it is UTF-8 text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|b| std::str::from_utf8(b).ok())
    }

    /// Appends a header.
    pub fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Appends a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.push(name, value);
        self
    }
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Where it stood.
    pub partition: Partition,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp (log append time in Skald's own topics), ms since 1970.
    pub timestamp_ms: i64,
    /// Key, if any.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Headers,
}

impl Received {
    /// Bytes of key, value and headers, as [`Outgoing::size`] counts them.
    pub fn size(&self) -> usize {
        size(self.key.as_ref(), self.value.as_ref(), &self.headers)
    }

    /// `topic/partition/offset`: the record's identity where it brings none of its own.
    pub fn position(&self) -> String {
        let Partition { topic, number } = &self.partition;
        format!("{topic}/{number}/{}", self.offset)
    }
}

fn size(key: Option<&Vec<u8>>, value: Option<&Vec<u8>>, headers: &Headers) -> usize {
    let headers: usize = headers.0.iter().map(|(n, v)| n.len() + v.len() + 4).sum();
    key.map_or(0, Vec::len) + value.map_or(0, Vec::len) + headers + 32
}

/// A record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Topic.
    pub topic: String,
    /// Partition; `None` leaves it to murmur2 of the key.
    pub partition: Option<u32>,
    /// Key, if any.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Headers,
}

impl Outgoing {
    /// Bytes of key, value and headers: what a size limit looks at.
    pub fn size(&self) -> usize {
        size(self.key.as_ref(), self.value.as_ref(), &self.headers)
    }

    /// The record as a reader finds it at this place, if it is written to partition `number`.
    pub fn received(self, number: u32, offset: i64, timestamp_ms: i64) -> Received {
        Received {
            partition: Partition::new(self.topic, number),
            offset,
            timestamp_ms,
            key: self.key,
            value: self.value,
            headers: self.headers,
        }
    }
}
