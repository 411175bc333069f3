//! Chunks of the journal on their way into the store (R4, R5).
//!
//! Invariant: a chunk is applied whole, in order, by one compare-and-write; the shell never drops a part of one.
//!
//! Absent on purpose: positions, which the machine keeps.

use std::collections::{BTreeMap, VecDeque};

use connectors::log::Chunk;
use saga_lib::lane::JournalRead;
use schemas::journal::{self, JournalRecord};

/// Records of one read.
pub const CHUNK_RECORDS: usize = 250;

/// One chunk.
#[derive(Debug, Default)]
pub struct Images {
    /// Newest document per id, in order of first appearance.
    pub documents: Vec<(String, Option<Vec<u8>>)>,
    /// Counters of the newest header.
    pub counters: BTreeMap<String, i64>,
}

/// Chunks kept of one lane, oldest first.
pub type Chunks = VecDeque<Images>;

/// Keeps what was read and says what the machine needs to know.
///
/// # Errors
/// A record that is neither image nor header: somebody else writes into the journal.
pub fn keep(chunks: &mut Chunks, chunk: Chunk) -> Result<JournalRead, String> {
    let mut images = Images::default();
    let mut header = None;
    let records = u32::try_from(chunk.records.len()).unwrap_or(u32::MAX);
    for record in chunk.records {
        match journal::decode(&record).map_err(|e| e.to_string())? {
            JournalRecord::Header(h) => {
                header = Some((record.offset, h.end));
                images.counters = h.counters;
            }
            JournalRecord::Image { id, document } => {
                images.documents.push((id.to_string(), document))
            }
        }
    }
    if records > 0 {
        chunks.push_back(images);
    }
    Ok(JournalRead {
        next: chunk.next,
        records,
        header,
    })
}
