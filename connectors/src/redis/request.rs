//! Typed questions as commands.
//!
//! Absent on purpose: I/O, so that what goes over the wire can be read here alone. A commit of more than 1,000 documents is not
//! split (there is no journal position to stop at) and blocks the server for about 10 us per document: bound the batches.

use ::redis::{Cmd, cmd};

use super::keys::{Definitions, Keys};
use super::scripts;
use crate::store::{Commit, Load};

/// The fields of a position, in the order that [`super::answer::position`] expects.
const POSITION: [&str; 6] = ["wm", "jpos", "ep", "owners", "at", "inst"];

/// R1.
pub fn claim(keys: &Keys, owner: &str) -> Cmd {
    let mut command = scripts::call(&scripts::CLAIM, &[keys.position()]);
    command.arg(owner);
    command
}

/// The position alone.
pub fn position(keys: &Keys) -> Cmd {
    let mut command = cmd("HMGET");
    command.arg(keys.position()).arg(&POSITION);
    command
}

/// B2, reading.
pub fn load(keys: &Keys, load: &Load) -> Cmd {
    let mut names = vec![keys.position(), keys.counters()];
    names.extend(load.ids.iter().map(|id| keys.document(id)));
    scripts::call(&scripts::LOAD, &names)
}

/// B2, writing.
pub fn commit(keys: &Keys, commit: &Commit) -> Cmd {
    let mut definitions = Definitions::default();
    let numbers: Vec<usize> = commit
        .documents
        .iter()
        .map(|(id, _)| definitions.number(id))
        .collect();
    let ids = commit.documents.iter().map(|(id, _)| id.as_str());
    let names = names(keys, &definitions, ids);
    let mut command = scripts::call(&scripts::COMMIT, &names);
    commit_position(&mut command, commit);
    command.arg(commit.counters.len()).arg(definitions.count());
    for (name, value) in &commit.counters {
        command.arg(name).arg(value);
    }
    for ((id, document), number) in commit.documents.iter().zip(numbers) {
        command.arg(id).arg(number).arg(bytes(document.as_deref()));
    }
    command
}

/// Nothing stands for removal, so an empty document goes as one that has no header either, and is refused.
fn bytes(document: Option<&[u8]>) -> &[u8] {
    match document {
        None => b"",
        Some(b"") => b" ",
        Some(bytes) => bytes,
    }
}

fn commit_position(command: &mut Cmd, commit: &Commit) {
    let owners = serde_json::Value::from(vec![commit.owner.as_str()]);
    command
        .arg(commit.ep)
        .arg(optional(commit.wm))
        .arg(optional(commit.jpos))
        .arg(optional(commit.wm_to))
        .arg(optional(commit.jpos_to))
        .arg(owners.to_string())
        .arg(commit.at_ms)
        .arg(&commit.installation);
}

/// R4: the first `max` ids of a lane.
pub fn first_ids(keys: &Keys, max: usize) -> Cmd {
    let mut command = cmd("ZRANGE");
    // An end of -1 would mean "all".
    command.arg(keys.timers()).arg(0).arg(max.max(1) - 1);
    command
}

/// R4: drops these ids.
pub fn clear(keys: &Keys, ep: u64, at_ms: i64, ids: &[String]) -> Cmd {
    let mut definitions = Definitions::default();
    let numbers: Vec<usize> = ids.iter().map(|id| definitions.number(id)).collect();
    let names = names(keys, &definitions, ids.iter().map(String::as_str));
    let mut command = scripts::call(&scripts::CLEAR, &names);
    command.arg(ep).arg(at_ms).arg(definitions.count());
    for (id, number) in ids.iter().zip(numbers) {
        command.arg(id).arg(number);
    }
    command
}

/// Ids with a score from `from_ms` to `until_ms`, oldest first, with their scores.
pub fn due_ids(keys: &Keys, from_ms: Option<i64>, until_ms: i64, max: usize) -> Cmd {
    let mut command = cmd("ZRANGEBYSCORE");
    command
        .arg(keys.timers())
        .arg(from_ms.map_or_else(|| "-inf".to_owned(), |ms| ms.to_string()))
        .arg(until_ms)
        .arg("WITHSCORES")
        .arg("LIMIT")
        .arg(0)
        .arg(max);
    command
}

/// Score and header of these ids.
pub fn due(keys: &Keys, ids: &[String]) -> Cmd {
    let mut names = vec![keys.timers()];
    names.extend(ids.iter().map(|id| keys.document(id)));
    let mut command = scripts::call(&scripts::DUE, &names);
    command.arg(ids);
    command
}

/// One page of a sorted set or a set.
pub fn page(verb: &str, key: &str, cursor: u64) -> Cmd {
    let mut command = cmd(verb);
    command.arg(key).arg(cursor).arg("COUNT").arg(500);
    command
}

fn names<'a>(
    keys: &Keys,
    definitions: &Definitions<'_>,
    ids: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let mut names = vec![keys.position(), keys.timers(), keys.counters()];
    names.extend(definitions.index_keys(keys));
    names.extend(ids.map(|id| keys.document(id)));
    names
}

fn optional(value: Option<i64>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}
