//! Orphans: copies of records that nothing waited for.
//!
//! Absent on purpose: sending an orphan back; a late reply is either a duplicate or a matter for people.

use saga_lib::id::SagaId;

use crate::headers;
use crate::record::{Outgoing, Received};
use crate::topics::Topics;

/// The copy of a record, keyed by the saga key where the saga is known, with the record's place and the reason in
/// [`headers::ORPHAN_REASON`] (a reply's own reason stays what it was).
pub fn encode(
    topics: &Topics,
    original: &Received,
    saga: Option<&SagaId>,
    reason: &str,
) -> Outgoing {
    let key = saga.map(|saga| saga.key().into_bytes());
    Outgoing {
        topic: topics.orphans(),
        partition: None,
        key: key.or_else(|| original.key.clone()),
        value: original.value.clone(),
        headers: original
            .headers
            .clone()
            .with(headers::ORIGIN, original.position())
            .with(headers::ORPHAN_REASON, reason),
    }
}

#[cfg(test)]
mod tests;
