//! What a recovery looks at: offsets, extents and journals.
//!
//! Absent on purpose: the store (see `keep`).

use saga_lib::lane::{Event, JournalRead, Sample, Stable, Trouble};

use super::keep::later;
use super::log::Body;
use super::node::Chunk;
use super::world::World;

impl World {
    pub fn read_offset(&mut self, lane: u32) -> Result<Stable, Trouble> {
        if self.log_fails(self.faults.read) {
            return Err(later());
        }
        let stable = self.log.stable_offset(lane).ok_or(Trouble::Held)?;
        Ok(match stable {
            Some((offset, owner)) => Stable {
                offset: Some(offset),
                owner: format!("w{owner}"),
            },
            None => Stable::default(),
        })
    }

    pub fn fence(&mut self, at: usize, ids: &[String]) -> Event {
        for id in ids {
            let tid = id.trim_start_matches('w').parse::<usize>().unwrap();
            if tid == self.nodes[at].id {
                self.broken("fenced itself".to_owned());
            }
            if !self.log_fails(self.faults.replace) {
                self.log.init(tid, self.now);
            }
        }
        Event::Fenced
    }

    pub fn sample(&mut self, lane: u32) -> Result<Sample, Trouble> {
        if self.log_fails(self.faults.read) {
            return Err(later());
        }
        let journal_end = i64::try_from(self.log.journal[lane as usize].len()).unwrap();
        Ok(Sample {
            journal_begin: 0,
            journal_end,
            inbox_begin: 0,
        })
    }

    pub fn read_journal(
        &mut self,
        at: usize,
        lane: u32,
        from: i64,
        to: i64,
    ) -> Result<JournalRead, Trouble> {
        if self.log_fails(self.faults.read) {
            return Err(later());
        }
        let most = 1 + self.chance.below(5);
        let (found, next) = self.log.read(lane, from, to, most);
        if next <= from && from < to {
            return Err(Trouble::Held);
        }
        let (mut chunk, mut header) = (Chunk::default(), None);
        let records = u32::try_from(found.len()).unwrap();
        for (offset, body) in found {
            match body {
                Body::Image(key, document) => chunk.images.push((key, document)),
                Body::Header { end, count } => {
                    (header, chunk.count) = (Some((offset, end)), Some(count))
                }
                _ => {}
            }
        }
        if records > 0 {
            self.nodes[at].kept(lane).chunks.push_back(chunk);
        }
        Ok(JournalRead {
            next,
            records,
            header,
        })
    }
}
