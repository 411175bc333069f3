//! One lane in memory: position, documents, timers, index and counters.
//!
//! Invariant: `timers` and `by_time` hold every stored id, and `index` each stored document under exactly one status.
//! Absent on purpose: locks; the caller holds one.

use std::collections::{BTreeMap, BTreeSet};

use super::header;
use crate::store::{Answer, Commit, Due, Error, Loaded, Position};

/// Ids of one page of a scan.
const PAGE: usize = 500;

/// Content of a lane.
#[derive(Debug, Clone, Default)]
pub struct Lane {
    /// Where it stands.
    pub position: Position,
    /// Documents.
    pub documents: BTreeMap<String, Vec<u8>>,
    /// Counters.
    pub counters: BTreeMap<String, i64>,
    timers: BTreeMap<String, i64>,
    by_time: BTreeSet<(i64, String)>,
    index: BTreeMap<(String, char), BTreeSet<String>>,
}

/// The score of what never becomes due.
const NEVER: i64 = i64::MAX;

impl Lane {
    /// Raises the epoch and adds `owner`, last, to the owners.
    pub fn claim(&mut self, owner: &str) -> Position {
        self.position.ep += 1;
        self.position.owners.retain(|known| known != owner);
        self.position.owners.push(owner.to_owned());
        self.position.clone()
    }

    /// Compares and writes.
    pub fn commit(&mut self, commit: &Commit) -> Result<Answer, Error> {
        let now = &self.position;
        if (now.wm, now.jpos) == (commit.wm_to, commit.jpos_to) {
            return Ok(Answer::Done);
        }
        if (now.ep, now.wm, now.jpos) != (commit.ep, commit.wm, commit.jpos) {
            return Ok(Answer::Refused(now.clone()));
        }
        check_headers(commit)?;
        for (id, document) in &commit.documents {
            self.write(id, document.as_deref());
        }
        self.counters.extend(commit.counters.clone());
        self.advance(commit);
        Ok(Answer::Done)
    }

    fn advance(&mut self, commit: &Commit) {
        self.position = Position {
            ep: commit.ep,
            wm: commit.wm_to,
            jpos: commit.jpos_to,
            owners: vec![commit.owner.clone()],
            at_ms: Some(commit.at_ms),
            installation: Some(commit.installation.clone()),
        };
    }

    fn write(&mut self, id: &str, document: Option<&[u8]>) {
        self.remove(id);
        let Some((document, header)) = document.and_then(|d| Some((d, header::parse(d)?))) else {
            return;
        };
        let target_ms = header.target_ms.unwrap_or(NEVER);
        self.timers.insert(id.to_owned(), target_ms);
        self.by_time.insert((target_ms, id.to_owned()));
        let entry = (definition_of(id).to_owned(), header.status);
        self.index.entry(entry).or_default().insert(id.to_owned());
        self.documents.insert(id.to_owned(), document.to_vec());
    }

    /// A lost document's status is not known, so every index of its definition is looked through.
    fn remove(&mut self, id: &str) {
        if let Some(target_ms) = self.timers.remove(id) {
            self.by_time.remove(&(target_ms, id.to_owned()));
        }
        self.documents.remove(id);
        for status in "rkpscbte".chars() {
            let entry = (definition_of(id).to_owned(), status);
            if let Some(ids) = self.index.get_mut(&entry) {
                ids.remove(id);
            }
        }
    }

    /// Position, counters and documents in the order of the ids.
    pub fn load(&self, ids: &[String]) -> Loaded {
        Loaded {
            position: self.position.clone(),
            documents: ids
                .iter()
                .map(|id| self.documents.get(id).cloned())
                .collect(),
            counters: self.counters.clone(),
        }
    }

    /// Is the epoch still this one?
    pub fn check_epoch(&self, lane: u32, ep: u64) -> Result<(), Error> {
        let now = self.position.ep;
        if now == ep {
            return Ok(());
        }
        Err(Error::Refused {
            reason: format!(
                "lane {lane} was claimed by somebody else: its epoch is {now}, not {ep}"
            ),
        })
    }

    /// Drops up to `max` documents; is the lane empty now?
    pub fn clear(&mut self, at_ms: i64, max: usize) -> bool {
        (self.position.wm, self.position.jpos) = (None, None);
        self.position.at_ms = Some(at_ms);
        let ids: Vec<String> = self.timers.keys().take(max.max(1)).cloned().collect();
        ids.iter().for_each(|id| self.remove(id));
        let empty = self.timers.is_empty();
        if empty {
            self.counters.clear();
        }
        empty
    }

    /// Timer entries from `from_ms` up to `until_ms`, oldest first, then by id.
    pub fn due_ids(&self, from_ms: Option<i64>, until_ms: i64, max: usize) -> Vec<(String, i64)> {
        let begin = (from_ms.unwrap_or(i64::MIN), String::new());
        let is_due = |(score, _): &&(i64, String)| *score != NEVER && *score <= until_ms;
        let entries = self.by_time.range(begin..).take_while(is_due).take(max);
        entries.map(|(score, id)| (id.clone(), *score)).collect()
    }

    /// The entries of these ids that are still due.
    pub fn due_of(&self, ids: Vec<String>, until_ms: i64) -> Vec<Due> {
        let entry = |id: String| {
            let score_ms = *self.timers.get(&id)?;
            let header = self.header(&id);
            (score_ms != NEVER && score_ms <= until_ms).then_some(Due {
                id,
                score_ms,
                header,
            })
        };
        ids.into_iter().filter_map(entry).collect()
    }

    fn header(&self, id: &str) -> Option<String> {
        let document = self.documents.get(id)?;
        header::parse(document).map(|header| header.text.to_owned())
    }

    /// Ids of a definition in a status.
    pub fn ids(&self, definition: &str, status: char, max: usize) -> Vec<String> {
        let entry = (definition.to_owned(), status);
        let ids = self.index.get(&entry).into_iter().flatten();
        ids.take(max).cloned().collect()
    }

    /// A page of stored ids. The cursor is a count of ids, so ids written meanwhile may be missed, as with Redis.
    pub fn scan(&self, cursor: u64) -> (Vec<String>, u64) {
        let begin = usize::try_from(cursor).unwrap_or(usize::MAX);
        let ids: Vec<String> = self.timers.keys().skip(begin).take(PAGE).cloned().collect();
        let next = begin.saturating_add(ids.len());
        let next = if next < self.timers.len() { next } else { 0 };
        (ids, next as u64)
    }
}

fn check_headers(commit: &Commit) -> Result<(), Error> {
    let is_bad = |document: &Option<Vec<u8>>| {
        let document = document.as_deref();
        document.is_some_and(|document| header::parse(document).is_none())
    };
    let bad = commit.documents.iter().find(|(_, d)| is_bad(d));
    bad.map_or(Ok(()), |(id, _)| {
        Err(Error::Refused {
            reason: format!("document without header: {id}"),
        })
    })
}

fn definition_of(id: &str) -> &str {
    id.split_once('/').map_or(id, |(definition, _)| definition)
}
