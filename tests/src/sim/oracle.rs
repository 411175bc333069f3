//! What must hold in the end: a stranger reads the topics as a read_committed reader, the store, and the participants' ledger.
//!
//! Absent on purpose: anything that an instance says about itself.

use std::collections::{BTreeMap, BTreeSet};

use connectors::memory::store::MemoryStore;
use connectors::participant::ledger::Entry;
use connectors::store::Store;
use saga_lib::id::CommandId;
use saga_lib::instance::Status;
use schemas::command::decode_command;
use schemas::history::{self, Fact};
use schemas::journal::{self, JournalRecord};
use schemas::record::Partition;
use schemas::{inbox, lane};

use super::client::Client;
use super::definitions;
use super::services::{self, Services};
use super::world::{APP, State};

type Documents = BTreeMap<String, Vec<u8>>;

/// The journal's fold.
fn folded(state: &State) -> Documents {
    let mut documents = Documents::new();
    for record in state.broker.committed(&state.names.journal()) {
        match journal::decode(&record).expect("a journal record") {
            JournalRecord::Image {
                id,
                document: Some(document),
            } => {
                documents.insert(id.to_string(), document);
            }
            JournalRecord::Image { id, document: None } => drop(documents.remove(id.as_str())),
            JournalRecord::Header(_) => {}
        }
    }
    documents
}

fn begins(fact: &Fact) -> bool {
    let before = matches!(fact.status_before, None | Some(Status::Early));
    before && fact.status_after.is_some_and(|s| s != Status::Early)
}

fn facts(state: &State) -> Vec<Fact> {
    let records = state.broker.committed(&state.names.history());
    let decode = |record: &std::sync::Arc<_>| history::decode(record).expect("a fact");
    records.iter().map(decode).collect()
}

/// Is every lane's store at the end of its inbox?
pub fn lanes_rest(state: &State) -> bool {
    let Ok(mut store) = MemoryStore::open(&state.server, APP) else {
        return false;
    };
    (0..state.lanes).all(|lane| {
        let end = last(state, lane);
        let wm = store.position(lane).ok().and_then(|position| position.wm);
        wm == end
    })
}

/// The offset behind the last record of an inbox.
fn last(state: &State, lane: u32) -> Option<i64> {
    let partition = Partition::new(state.names.inbox(), lane);
    let (records, _) = state
        .broker
        .fetch(&partition, 0, i64::MAX, usize::MAX)
        .ok()?;
    records.last().map(|record| record.offset + 1)
}

/// Do all promises hold?
///
/// # Errors
/// The first one that does not, in a sentence.
pub fn judge(state: &State, services: &Services, client: &Client) -> Result<(), String> {
    let facts = facts(state);
    facts_are_complete(state, &facts)?;
    replies_are_forwarded(state)?;
    revisions_rise(&facts)?;
    one_end_each(&facts, client)?;
    commands_once(state, &facts)?;
    ledger_agrees(&facts, services)?;
    nothing_set_aside(state)?;
    store_is_fold(state)
}

/// P10: nobody is set aside for what others did.
fn nothing_set_aside(state: &State) -> Result<(), String> {
    let topic = state.names.dead_letter(&state.names.inbox());
    match state.broker.committed(&topic).first() {
        Some(letter) => Err(format!("a dead letter: {:?}", letter.headers)),
        None => Ok(()),
    }
}

/// P12: one fact per input, in order.
fn facts_are_complete(state: &State, facts: &[Fact]) -> Result<(), String> {
    let mut told: BTreeMap<(u32, i64), Vec<u32>> = BTreeMap::new();
    for fact in facts {
        told.entry((fact.lane, fact.offset))
            .or_default()
            .push(fact.index);
    }
    for record in state.broker.committed(&state.names.inbox()) {
        let place = (record.partition.number, record.offset);
        let inbox = inbox::decode(&record).map_err(|e| format!("inbox {place:?}: {e}"))?;
        let expected = match inbox {
            inbox::Inbox::Expire { entries, .. } => entries.len(),
            inbox::Inbox::Reply { command, .. } => {
                usize::from(lane::lane_of_command(&command, state.lanes) == place.0)
            }
            _ => 1,
        };
        let found = told.remove(&place).unwrap_or_default();
        let right: Vec<u32> = (0..expected as u32).collect();
        if found != right {
            return Err(format!(
                "input {place:?} has facts {found:?}, not {right:?}"
            ));
        }
    }
    match told.keys().next() {
        Some(place) => Err(format!("a fact of {place:?}, where no input stands")),
        None => Ok(()),
    }
}

/// D6: a reply that stood in another lane stands in its own as well.
fn replies_are_forwarded(state: &State) -> Result<(), String> {
    let (mut missing, mut copied) = (BTreeSet::new(), BTreeSet::new());
    for record in state.broker.committed(&state.names.inbox()) {
        if let Ok(inbox::Inbox::Reply {
            command,
            input,
            forwarded,
        }) = inbox::decode(&record)
        {
            if forwarded {
                copied.insert(input.id);
            } else if lane::lane_of_command(&command, state.lanes) != record.partition.number {
                missing.insert(input.id);
            }
        }
    }
    match missing.difference(&copied).next() {
        Some(id) => Err(format!("reply {id} stood in another lane and was lost")),
        None => Ok(()),
    }
}

/// P6, P11: every fact begins where the one before it ended.
fn revisions_rise(facts: &[Fact]) -> Result<(), String> {
    let mut known: BTreeMap<&str, (u64, Option<Status>)> = BTreeMap::new();
    for fact in facts {
        let saga = fact.saga.as_str();
        let before = known.get(saga).map(|(revision, _)| *revision);
        if fact.revision_before != before {
            let (lane, offset) = (fact.lane, fact.offset);
            let said = fact.revision_before;
            return Err(format!(
                "{saga}: fact {lane}/{offset} begins at {said:?}, not {before:?}"
            ));
        }
        match fact.revision_after {
            Some(after) if after < before.unwrap_or_default() => {
                return Err(format!("{saga}: revision falls from {before:?} to {after}"));
            }
            Some(after) => drop(known.insert(saga, (after, fact.status_after))),
            None => drop(known.remove(saga)),
        }
    }
    Ok(())
}

/// The last status of every saga, whether it is still stored or not.
fn ends(facts: &[Fact]) -> BTreeMap<&str, (&Fact, Status)> {
    let mut ends = BTreeMap::new();
    for fact in facts {
        if let Some(status) = fact.status_after {
            ends.insert(fact.saga.as_str(), (fact, status));
        }
    }
    ends
}

/// P1: every trigger began one saga, and it ended.
fn one_end_each(facts: &[Fact], client: &Client) -> Result<(), String> {
    let mut began: BTreeMap<&str, u32> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| begins(fact)) {
        *began.entry(fact.saga.as_str()).or_default() += 1;
    }
    let ends = ends(facts);
    for id in client.triggered.keys() {
        let end = ends.get(id.as_str()).map(|(_, status)| *status);
        let times = began.remove(id.as_str()).unwrap_or_default();
        if times != 1 || !end.is_some_and(Status::is_final) {
            return Err(format!("{id} began {times} times and ended as {end:?}"));
        }
    }
    match began.keys().next() {
        Some(id) => Err(format!("{id} began, but nobody asked for it")),
        None => Ok(()),
    }
}

/// P2: every attempt of a command is visible once, and the history says so.
fn commands_once(state: &State, facts: &[Fact]) -> Result<(), String> {
    let sent = facts.iter().flat_map(|fact| &fact.commands);
    let mut said = BTreeSet::new();
    for command in sent {
        if !said.insert((command.id.to_string(), command.attempt)) {
            return Err(format!(
                "{} #{} was said twice",
                command.id, command.attempt
            ));
        }
    }
    let mut seen = BTreeSet::new();
    for (topic, _) in services::TOPICS {
        for record in state.broker.committed(topic) {
            let command = decode_command(&record).map_err(|e| e.to_string())?;
            let attempt = (command.id.to_string(), command.attempt);
            if !seen.insert(attempt.clone()) {
                return Err(format!("{attempt:?} was visible twice"));
            }
        }
    }
    match said.symmetric_difference(&seen).next() {
        Some(command) => Err(format!("{command:?} was said or seen, not both")),
        None => Ok(()),
    }
}

/// P3, P4: effects stand exactly for completed sagas.
fn ledger_agrees(facts: &[Fact], services: &Services) -> Result<(), String> {
    let mut effects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (id, entry) in &services.ledger {
        let id = CommandId::parse(id).map_err(|e| e.to_string())?;
        if matches!(entry, Entry::Effect(_)) {
            let of = effects.entry(id.saga.to_string()).or_default();
            if !of.insert(id.path.clone()) {
                return Err(format!("two effects of {}/{}", id.saga, id.path));
            }
        }
    }
    for (saga, (fact, status)) in ends(facts) {
        let stand = effects.remove(saga).unwrap_or_default();
        let reference = fact.definition.as_deref().unwrap_or_default();
        let definition = definitions::by_reference(reference);
        let definition = definition.ok_or_else(|| format!("{saga}: unknown {reference}"))?;
        let steps = definitions::steps(definition);
        let right = match status {
            Status::Completed => stand.iter().map(String::as_str).eq(steps),
            Status::Compensated => stand.is_empty(),
            _ => true,
        };
        if !right {
            return Err(format!(
                "{saga} is {status:?} and its effects are {stand:?}"
            ));
        }
    }
    match effects.keys().next() {
        Some(saga) => Err(format!("effects of {saga}, which never was")),
        None => Ok(()),
    }
}

/// P9: the store is the journal's fold.
fn store_is_fold(state: &State) -> Result<(), String> {
    let fold = folded(state);
    let mut stored = Documents::new();
    let mut store = MemoryStore::open(&state.server, APP).map_err(|e| e.to_string())?;
    for lane in 0..state.lanes {
        let mut cursor = 0;
        loop {
            let (ids, next) = store.scan(lane, cursor).map_err(|e| e.to_string())?;
            for id in ids {
                let document = store.document(lane, &id).map_err(|e| e.to_string())?;
                let document = document.ok_or_else(|| format!("{id} lost its document"))?;
                stored.insert(id, document);
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
    }
    if stored == fold {
        return counters_stand(state, &mut store);
    }
    let ids: BTreeSet<_> = stored.keys().chain(fold.keys()).collect();
    let differ: Vec<_> = ids
        .into_iter()
        .filter(|id| stored.get(*id) != fold.get(*id))
        .collect();
    Err(format!("store and journal differ for {differ:?}"))
}

/// Counters are those of the newest header.
fn counters_stand(state: &State, store: &mut MemoryStore) -> Result<(), String> {
    let mut said: BTreeMap<u32, BTreeMap<String, i64>> = BTreeMap::new();
    for record in state.broker.committed(&state.names.journal()) {
        if let JournalRecord::Header(header) = journal::decode(&record).expect("a journal record") {
            said.insert(record.partition.number, header.counters);
        }
    }
    for lane in 0..state.lanes {
        let stored = store.counters(lane).map_err(|e| e.to_string())?;
        let expected = said.remove(&lane).unwrap_or_default();
        if stored != expected {
            return Err(format!(
                "lane {lane} counts {stored:?}, its header {expected:?}"
            ));
        }
    }
    Ok(())
}
