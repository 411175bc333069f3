//! Which instances there are.
//!
//! Absent on purpose: order by time and full search; both belong to the read model. Rows come sorted by id.

use std::collections::BTreeMap;

use connectors::store::{Load, Store};
use saga_lib::instance::{Instance, Status};
use schemas::{state, time};
use serde::Serialize;

use super::Error;

/// Which instances to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this definition.
    pub definition: Option<String>,
    /// In this status.
    pub status: Option<Status>,
    /// At most.
    pub limit: usize,
}

/// One instance.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Saga id.
    pub id: String,
    /// `name@version#hash`.
    pub definition: String,
    /// Status.
    pub status: Status,
    /// Does it owe compensation that is not confirmed?
    pub compensation_incomplete: bool,
    /// Kind of the open incident.
    pub incident: Option<&'static str>,
    /// Number of changes.
    pub revision: u64,
    /// Started.
    pub started: String,
    /// Time of the last change, ms.
    #[serde(skip)]
    pub updated_ms: i64,
    /// Time of the last change.
    pub updated: String,
}

impl Row {
    fn of(instance: &Instance) -> Self {
        Self {
            id: instance.id.to_string(),
            definition: instance.definition.clone(),
            status: instance.status,
            compensation_incomplete: instance.compensation_incomplete(),
            incident: instance.incident.as_ref().map(|i| i.kind.word()),
            revision: instance.revision,
            started: time::rfc3339(instance.started_ms),
            updated_ms: instance.updated_ms,
            updated: time::rfc3339(instance.updated_ms),
        }
    }
}

/// The instances found.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// Sorted by id.
    pub instances: Vec<Row>,
    /// Are there more than the limit?
    pub more: bool,
    /// Documents that cannot be read: id and cause.
    pub unreadable: Vec<(String, String)>,
}

/// Lists instances of all lanes.
///
/// # Errors
/// The store's.
pub fn list<S: Store>(store: &mut S, lanes: u32, filter: &Filter) -> Result<Listed, Error> {
    let mut search = Search {
        filter,
        rows: BTreeMap::new(),
        unreadable: BTreeMap::new(),
    };
    for lane in 0..lanes {
        search.lane(store, lane)?;
    }
    let more = search.rows.len() > filter.limit;
    Ok(Listed {
        instances: search.rows.into_values().take(filter.limit).collect(),
        more,
        unreadable: search.unreadable.into_iter().collect(),
    })
}

struct Search<'a> {
    filter: &'a Filter,
    /// By id: a scan may name an id twice.
    rows: BTreeMap<String, Row>,
    unreadable: BTreeMap<String, String>,
}

impl Search<'_> {
    fn lane<S: Store>(&mut self, store: &mut S, lane: u32) -> Result<(), Error> {
        let Some(definition) = &self.filter.definition else {
            return self.scan(store, lane);
        };
        let statuses = Status::ALL
            .into_iter()
            .filter(|status| self.filter.status.is_none_or(|wanted| wanted == *status));
        for status in statuses {
            // One more than the limit tells whether there are more; each lane may hold all of them.
            let ids = store.ids(lane, definition, status.code(), self.filter.limit + 1)?;
            self.load(store, lane, ids)?;
        }
        Ok(())
    }

    fn scan<S: Store>(&mut self, store: &mut S, lane: u32) -> Result<(), Error> {
        let mut cursor = 0;
        let before = self.rows.len();
        loop {
            let (ids, next) = store.scan(lane, cursor)?;
            self.load(store, lane, ids)?;
            cursor = next;
            if cursor == 0 || self.rows.len() - before > self.filter.limit {
                return Ok(());
            }
        }
    }

    fn load<S: Store>(&mut self, store: &mut S, lane: u32, ids: Vec<String>) -> Result<(), Error> {
        for ids in ids.chunks(LOAD) {
            let load = Load {
                lane,
                ids: ids.to_vec(),
            };
            let (_, loaded) = store.round(&[], std::slice::from_ref(&load))?;
            let documents = loaded.into_iter().flat_map(|l| l.documents);
            for (id, document) in ids.iter().zip(documents) {
                self.add(id, document);
            }
        }
        Ok(())
    }

    fn add(&mut self, id: &str, document: Option<Vec<u8>>) {
        // Gone since its id was read: removed at the end of its retention.
        let Some(document) = document else { return };
        match state::decode(&document) {
            Ok(instance) => {
                if self.filter.status.is_none_or(|s| s == instance.status) {
                    self.rows.insert(id.to_owned(), Row::of(&instance));
                }
            }
            Err(error) => {
                self.unreadable.insert(id.to_owned(), error.to_string());
            }
        }
    }
}

/// Documents of one round trip.
const LOAD: usize = 200;
