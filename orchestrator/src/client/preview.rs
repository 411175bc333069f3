//! What a replay would do, told without doing it: ingress's plan and the transition are pure, so they are simply asked.
//!
//! Absent on purpose: certainty. Between preview and replay other inputs may move the instance.

use std::time::Duration;

use connectors::store::Store;
use saga_lib::effect::{Effect, Note};
use saga_lib::id::SagaId;
use saga_lib::input::Input;
use saga_lib::instance::{Instance, Status};
use saga_lib::transition;
use schemas::dead_letter::DeadLetter;
use schemas::history::Verdict;
use schemas::inbox::{self, Inbox};
use schemas::lane::{lane_of_command, lane_of_saga};
use schemas::record::{Outgoing, Partition, Received};
use schemas::{dead_letter, redrive, state};
use serde::Serialize;

use super::dead_letters::origin;
use super::{Error, Installation};
use crate::ingress::Reader;
use crate::ingress::plan::{self, Context};
use crate::registry::Definitions;
use crate::worker::role::OutputClass;

/// What would become of one dead letter.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// `topic/partition/offset` of the dead letter.
    pub position: String,
    /// Where the record stood.
    pub origin: String,
    /// What would happen; empty if no definition wants it.
    pub would: Vec<Would>,
}

/// One thing that would happen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "would")]
pub enum Would {
    /// It would be applied to an instance.
    Apply {
        /// The instance.
        saga: String,
        /// Would the instance change?
        applied: Verdict,
        /// Why not.
        reason: Option<String>,
        /// Status now; `None`: there is no instance.
        status_before: Option<Status>,
        /// Status then.
        status_after: Option<Status>,
        /// Commands that would be sent: id and topic.
        commands: Vec<String>,
        /// What else would happen.
        notes: Vec<Note>,
    },
    /// It would be set aside again.
    DieAgain {
        /// Why, from a closed list.
        class: String,
        /// Why, for people.
        message: String,
    },
    /// It would wait for its schema.
    Wait {
        /// Why the schema is not there.
        reason: String,
    },
    /// Nothing would take it.
    Orphan {
        /// Why.
        reason: String,
    },
}

/// How long a preview waits for a schema.
const SCHEMA_WAIT: Duration = Duration::from_secs(5);

/// Asks what a replay of `letter` would do now.
///
/// # Errors
/// The store's, and [`Error::Unreadable`] for its documents.
pub fn preview<S: Store>(
    store: &mut S,
    installation: &Installation,
    definitions: &Definitions,
    (letter, reader): (&DeadLetter, &Reader),
    now_ms: i64,
) -> Result<Preview, Error> {
    let record = received(redrive::encode(&installation.names, letter), letter, now_ms);
    let would = if record.partition.topic == installation.names.inbox() {
        vec![applied(store, installation, definitions, &record)?]
    } else {
        ingested(store, installation, definitions, (&record, reader), now_ms)?
    };
    Ok(Preview {
        position: letter.position.clone(),
        origin: origin(letter),
        would,
    })
}

/// The record as its reader would see it.
fn received(record: Outgoing, letter: &DeadLetter, now_ms: i64) -> Received {
    Received {
        partition: Partition::new(record.topic, record.partition.unwrap_or(0)),
        offset: letter.offset,
        timestamp_ms: now_ms,
        key: record.key,
        value: record.value,
        headers: record.headers,
    }
}

fn ingested<S: Store>(
    store: &mut S,
    installation: &Installation,
    definitions: &Definitions,
    (record, reader): (&Received, &Reader),
    now_ms: i64,
) -> Result<Vec<Would>, Error> {
    if let Err(reason) = reader.wait_for(&installation.names, record, SCHEMA_WAIT) {
        return Ok(vec![Would::Wait { reason }]);
    }
    let context = Context {
        names: &installation.names,
        lanes: installation.lanes,
        keys: &installation.keys,
        definitions,
        group: "preview",
        bytes_max: schemas::topics::MESSAGE_BYTES_MAX,
        reader,
    };
    let planned = plan::plan(&context, std::slice::from_ref(record), &[]);
    let mut would = Vec::new();
    for output in planned.plan.outputs {
        let place = Partition::new(
            output.record.topic.clone(),
            output.record.partition.unwrap_or(0),
        );
        let made = Received {
            partition: place,
            offset: 0,
            timestamp_ms: now_ms,
            key: output.record.key,
            value: output.record.value,
            headers: output.record.headers,
        };
        match output.class {
            OutputClass::Inbox => would.push(applied(store, installation, definitions, &made)?),
            OutputClass::DeadLetter => would.extend(dead(&made)),
            _ => {}
        }
    }
    Ok(would)
}

fn dead(record: &Received) -> Option<Would> {
    let letter = dead_letter::decode(record).ok()?;
    Some(Would::DieAgain {
        class: letter.class,
        message: letter.message,
    })
}

fn applied<S: Store>(
    store: &mut S,
    installation: &Installation,
    definitions: &Definitions,
    record: &Received,
) -> Result<Would, Error> {
    let (saga, lane, input, starts) = match inbox::decode(record) {
        Err(error) => {
            return Ok(Would::DieAgain {
                class: "undecodable".into(),
                message: error.to_string(),
            });
        }
        Ok(Inbox::Expire { entries, .. }) => {
            return Ok(Would::Orphan {
                reason: format!("{} expiries are written again by themselves", entries.len()),
            });
        }
        Ok(Inbox::Reply { command, input, .. }) => {
            let lane = lane_of_command(&command, installation.lanes);
            (command.saga, lane, input, None)
        }
        Ok(Inbox::Event {
            saga,
            definition,
            input,
            ..
        }) => {
            let lane = lane_of_saga(&saga, installation.lanes);
            (saga, lane, input, Some(definition))
        }
        Ok(Inbox::Awaited {
            saga,
            definition,
            input,
        }) => {
            let lane = lane_of_saga(&saga, installation.lanes);
            (saga, lane, input, Some(definition))
        }
        Ok(Inbox::Timer { saga, input } | Inbox::Signal { saga, input }) => {
            let lane = lane_of_saga(&saga, installation.lanes);
            (saga, lane, input, None)
        }
    };
    let document = store.document(lane, saga.as_str())?;
    let mut instance = document
        .map(|d| state::decode(&d))
        .transpose()
        .map_err(|e| Error::Unreadable(format!("`{saga}`: {e}")))?;
    let reference = instance.as_ref().map(|i| i.definition.clone()).or(starts);
    let Some(reference) = reference else {
        return Ok(Would::Orphan {
            reason: format!("there is no instance `{saga}`"),
        });
    };
    Ok(transit(
        definitions,
        &reference,
        &saga,
        &mut instance,
        &input,
    ))
}

fn transit(
    definitions: &Definitions,
    reference: &str,
    saga: &SagaId,
    instance: &mut Option<Instance>,
    input: &Input,
) -> Would {
    let Some(definition) = definitions.by_reference(reference) else {
        return Would::Orphan {
            reason: format!("definition `{reference}` is not deployed; `{saga}` would be parked"),
        };
    };
    let status = |instance: &Option<Instance>| instance.as_ref().map(|i| i.status);
    let before = status(instance);
    let mut effects = Vec::new();
    let answer = transition::apply(&definition, instance, input, &mut effects);
    let (applied, reason) = Verdict::of(&answer);
    Would::Apply {
        saga: saga.to_string(),
        applied,
        reason,
        status_before: before,
        status_after: status(instance),
        commands: effects.iter().filter_map(command).collect(),
        notes: effects.into_iter().filter_map(note).collect(),
    }
}

fn command(effect: &Effect) -> Option<String> {
    match effect {
        Effect::Command(command) => Some(format!("{} to {}", command.id, command.topic)),
        _ => None,
    }
}

fn note(effect: Effect) -> Option<Note> {
    match effect {
        Effect::Note(note) => Some(note),
        _ => None,
    }
}
