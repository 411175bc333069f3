//! Lanes: which partition of the inbox a saga belongs to.
//!
//! The hash is Kafka's own (`org.apache.kafka.common.utils.Utils.murmur2`), so a Java client that sends a record with the raw saga
//! key to the inbox finds the same partition. Clients that hash otherwise are forwarded.
//!
//! Absent on purpose: the number of lanes, which belongs to the installation.

use saga_lib::id::{CommandId, SagaId};

const SEED: u32 = 0x9747_b28c;
const M: u32 = 0x5bd1_e995;

/// Murmur2 as Kafka's default partitioner computes it.
pub fn murmur2(data: &[u8]) -> u32 {
    let (blocks, tail) = data.as_chunks::<4>();
    // Kafka's lengths are ints: a record is far shorter than 4 GiB.
    let mut h = SEED ^ (data.len() as u32);
    for block in blocks {
        let mut k = u32::from_le_bytes(*block).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (i, byte) in tail.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

/// The lane of a raw saga key; lane 0 if there are none.
pub fn lane_of_key(key: &str, lanes: u32) -> u32 {
    (murmur2(key.as_bytes()) & 0x7fff_ffff)
        .checked_rem(lanes)
        .unwrap_or(0)
}

/// The lane of an instance.
pub fn lane_of_saga(saga: &SagaId, lanes: u32) -> u32 {
    lane_of_key(&saga.key(), lanes)
}

/// The lane of a command, and so of every reply to it.
pub fn lane_of_command(command: &CommandId, lanes: u32) -> u32 {
    lane_of_saga(&command.saga, lanes)
}

#[cfg(test)]
mod tests;
