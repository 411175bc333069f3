//! Reading partitions to an end, and following them from there.
//!
//! Absent on purpose: groups. A client leaves no trace of having read.

use std::time::{Duration, Instant};

use connectors::log::{Error, Log};
use schemas::record::{Partition, Received};

/// Hands every committed record of [from, to) to `each`; answers the position behind the last one.
///
/// # Errors
/// The log's; [`Error::Held`] if nothing comes although it should.
pub fn drain<L: Log>(
    log: &mut L,
    partition: &Partition,
    from: i64,
    to: i64,
    mut each: impl FnMut(Received),
) -> Result<i64, Error> {
    let mut next = from;
    let mut last_progress = Instant::now();
    while next < to {
        let chunk = log.read(partition, next, to, CHUNK, PATIENCE)?;
        chunk.records.into_iter().for_each(&mut each);
        if chunk.next > next {
            last_progress = Instant::now();
        } else if last_progress.elapsed() > STALLED {
            return Err(Error::Held);
        }
        next = chunk.next.max(next);
    }
    Ok(next)
}

/// Everything committed of a partition.
///
/// # Errors
/// As [`drain`].
pub fn all<L: Log>(
    log: &mut L,
    partition: &Partition,
    each: impl FnMut(Received),
) -> Result<(), Error> {
    let extent = log.extent(partition)?;
    drain(log, partition, extent.begin, extent.stable_end, each)?;
    Ok(())
}

/// Partitions that are followed from where they ended when the following began.
pub struct Follow {
    positions: Vec<(Partition, i64)>,
}

impl Follow {
    /// Begins at the ends of `partitions`. Call it before producing what is to be followed.
    ///
    /// # Errors
    /// The log's.
    pub fn begin<L: Log>(log: &mut L, partitions: Vec<Partition>) -> Result<Self, Error> {
        let mut positions = Vec::new();
        for partition in partitions {
            // From the stable end, not the high watermark: what stands in an open transaction is still to come.
            let end = log.extent(&partition)?.stable_end;
            positions.push((partition, end));
        }
        Ok(Self { positions })
    }

    /// Also follows a partition from its beginning: it came into being later.
    pub fn add(&mut self, partition: Partition) {
        if !self.positions.iter().any(|(known, _)| *known == partition) {
            self.positions.push((partition, 0));
        }
    }

    /// Hands what is new to `each`.
    ///
    /// # Errors
    /// As [`drain`].
    pub fn turn<L: Log>(
        &mut self,
        log: &mut L,
        mut each: impl FnMut(Received),
    ) -> Result<(), Error> {
        for (partition, next) in &mut self.positions {
            let end = log.extent(partition)?.stable_end;
            if *next < end {
                *next = drain(log, partition, *next, end, &mut each)?;
            }
        }
        Ok(())
    }
}

/// Pause between two looks at partitions that are followed.
pub const PAUSE: Duration = Duration::from_millis(20);

const CHUNK: usize = 500;
const PATIENCE: Duration = Duration::from_millis(500);
const STALLED: Duration = Duration::from_secs(10);
