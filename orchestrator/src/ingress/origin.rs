//! Where reading a source partition begins when the group has no committed offset.
//!
//! A recorded partition without an offset is paused with an alarm: silently skipping or repeating its records would lose or double
//! sagas. Absent on purpose: the command that accepts a new start (`skald source accept`).

use connectors::log::Log;
use saga_lib::ir::From;
use saga_lib::lane::Trouble;
use schemas::record::Partition;
use schemas::topics::Topics;

use crate::registry::Definitions;

/// The first offset of a source partition.
///
/// # Errors
/// [`Trouble::Stop`] for a recorded partition, [`Trouble::Later`] if the log does not answer.
pub fn origin<L: Log>(
    log: &mut L,
    names: &Topics,
    definitions: &Definitions,
    source: &Partition,
) -> Result<i64, Trouble> {
    if definitions.sources.contains(source) {
        return Err(Trouble::Stop(format!(
            "{}/{} was read before but its committed offset is gone (they expire after 7 days without members): say where to go on with `skald source accept --from`",
            source.topic, source.number
        )));
    }
    let later = |error: connectors::log::Error| Trouble::Later(error.to_string());
    let extent = log.extent(source).map_err(later)?;
    if source.topic == names.redrive()
        || definitions.sources.iter().any(|s| s.topic == source.topic)
    {
        return Ok(extent.begin);
    }
    let mut first: Option<i64> = None;
    for (_, active, definition) in definitions.active() {
        for start in definition.starts.iter().filter(|s| s.topic == source.topic) {
            let offset = match start.from {
                From::Activation => log.offset_at(source, active.activated_ms).map_err(later)?,
                From::Time(ms) => log.offset_at(source, ms).map_err(later)?,
                From::Earliest => extent.begin,
                From::Latest => extent.end,
            };
            first = Some(first.map_or(offset, |f| f.min(offset)));
        }
        let awaits = definition.awaits().any(|a| a.topic == source.topic);
        let answered = definition.reply_sources().any(|r| r.topic == source.topic);
        if awaits || answered {
            let offset = log.offset_at(source, active.activated_ms).map_err(later)?;
            first = Some(first.map_or(offset, |f| f.min(offset)));
        }
    }
    Ok(first.unwrap_or(extent.end))
}
