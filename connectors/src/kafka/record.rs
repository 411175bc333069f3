//! Records between our types and the client library's.
//!
//! Absent on purpose: meaning of headers, and timestamps of outgoing records (the log appends its own).

use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use rdkafka::{Offset, TopicPartitionList};
use schemas::record::{Headers, Outgoing, Partition, Received};

use crate::log::Error;

/// A record as the producer takes it, with the token that comes back with its result.
pub fn outgoing(record: &Outgoing, token: u64) -> BaseRecord<'_, [u8], [u8], usize> {
    // Tokens pass through a pointer-sized field of the client library; every platform that we build for has 64 bits.
    let mut out = BaseRecord::with_opaque_to(&record.topic, token as usize);
    out.key = record.key.as_deref();
    out.payload = record.value.as_deref();
    out.partition = record.partition.map(signed);
    out.headers = headers(&record.headers);
    out
}

/// A record as it was read.
pub fn received(message: &BorrowedMessage<'_>) -> Received {
    Received {
        partition: Partition::new(message.topic(), unsigned(message.partition())),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: received_headers(message),
    }
}

/// Offsets as the client library takes them.
///
/// # Errors
/// [`Error::Fatal`] for a negative offset.
pub fn offset_list(
    offsets: &[(Partition, i64)],
    metadata: &str,
) -> Result<TopicPartitionList, Error> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, offset) in offsets {
        if *offset < 0 {
            return Err(Error::Fatal {
                reason: format!("offset {offset} for {partition:?}"),
            });
        }
        let mut element = list.add_partition(&partition.topic, signed(partition.number));
        // Offsets from 0 on are always representable.
        let _ = element.set_offset(Offset::Offset(*offset));
        if !metadata.is_empty() {
            element.set_metadata(metadata);
        }
    }
    Ok(list)
}

/// One partition as the client library takes it.
pub fn list_of(partition: &Partition) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(&partition.topic, signed(partition.number));
    list
}

/// Partition number as the client library has it.
pub fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Partition number as we have it.
pub fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

fn headers(headers: &Headers) -> Option<OwnedHeaders> {
    if headers.0.is_empty() {
        return None;
    }
    let empty = OwnedHeaders::new_with_capacity(headers.0.len());
    Some(headers.0.iter().fold(empty, |all, (key, value)| {
        let value = Some(value.as_slice());
        all.insert(Header { key, value })
    }))
}

fn received_headers(message: &BorrowedMessage<'_>) -> Headers {
    let pairs = message.headers().map(|headers| {
        let pair = |h: Header<'_, &[u8]>| (h.key.to_owned(), h.value.unwrap_or_default().to_vec());
        headers.iter().map(pair).collect()
    });
    Headers(pairs.unwrap_or_default())
}
