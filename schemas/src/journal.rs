//! Journal records: the newest image of every instance, and one header per lane and transaction.
//!
//! The topic is compacted: an image's key is its saga id, a header's is `@lane`, which no saga id can be. An image is the bytes of the
//! stored document; none removes the instance.
//!
//! Absent on purpose: images of more than one instance, and increments (counters are absolute, so replaying is harmless).

use std::collections::BTreeMap;

use saga_lib::id::{self, SagaId};
use serde::{Deserialize, Serialize};

use crate::record::{Headers, Outgoing, Received};
use crate::topics::Topics;

/// Key of lane headers.
pub const LANE_KEY: &str = "@lane";

/// The last record of a lane in each transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LaneHeader {
    /// Next inbox offset to apply: every image before this header includes all inputs below it.
    pub end: i64,
    /// The lane's counters, absolute.
    #[serde(default)]
    pub counters: BTreeMap<String, i64>,
    /// Transactional id of the writer.
    #[serde(default)]
    pub owner: String,
}

/// A decoded journal record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalRecord {
    /// State of an instance.
    Image {
        /// The instance.
        id: SagaId,
        /// Its document; `None` removes it.
        document: Option<Vec<u8>>,
    },
    /// End of a lane's part of a transaction.
    Header(LaneHeader),
}

/// Why a record is no journal record. The lane stops: only Skald writes here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No key, or one that is not text.
    #[error("journal record {position} has no text as key: something else writes to this topic")]
    Key {
        /// Where it stands.
        position: String,
    },
    /// The key is neither `@lane` nor a saga id.
    #[error("journal record {position}: key: {error}")]
    Id {
        /// Where it stands.
        position: String,
        /// What is wrong.
        error: id::Error,
    },
    /// A header without a readable value.
    #[error("journal record {position}: lane header: {problem}")]
    Header {
        /// Where it stands.
        position: String,
        /// What is wrong.
        problem: String,
    },
}

/// The image of an instance; `None` removes it.
pub fn encode_image(
    topics: &Topics,
    lane: u32,
    saga: &SagaId,
    document: Option<&[u8]>,
) -> Outgoing {
    outgoing(topics, lane, saga.as_str(), document.map(<[u8]>::to_vec))
}

/// The header of a lane.
///
/// # Panics
/// Never: a header is plain data.
pub fn encode_header(topics: &Topics, lane: u32, header: &LaneHeader) -> Outgoing {
    let value = serde_json::to_vec(header).expect("a lane header is plain data");
    outgoing(topics, lane, LANE_KEY, Some(value))
}

fn outgoing(topics: &Topics, lane: u32, key: &str, value: Option<Vec<u8>>) -> Outgoing {
    Outgoing {
        topic: topics.journal(),
        partition: Some(lane),
        key: Some(key.as_bytes().to_vec()),
        value,
        headers: Headers::default(),
    }
}

/// Reads a journal record.
///
/// # Errors
/// See [`Error`]; each names the record.
pub fn decode(record: &Received) -> Result<JournalRecord, Error> {
    let key = record.key.as_deref().map(std::str::from_utf8);
    let Some(Ok(key)) = key else {
        return Err(Error::Key {
            position: record.position(),
        });
    };
    if key == LANE_KEY {
        return header(record).map(JournalRecord::Header);
    }
    let id = SagaId::parse(key).map_err(|error| Error::Id {
        position: record.position(),
        error,
    })?;
    Ok(JournalRecord::Image {
        id,
        document: record.value.clone(),
    })
}

fn header(record: &Received) -> Result<LaneHeader, Error> {
    let value = record.value.as_deref().unwrap_or_default();
    serde_json::from_slice(value).map_err(|error| Error::Header {
        position: record.position(),
        problem: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
