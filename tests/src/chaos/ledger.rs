//! The participants' ledger: a file to which every effect is appended, which a killed participant finds again.
//!
//! A line is one letter and a forward command id: `E` an effect was made, `R` it was refused, `C` an effect was compensated, `N` a
//! compensation found no effect. The system writes whole lines in the order of the calls, so a `kill -9` loses nothing that was done.
//!
//! Absent on purpose: power loss, and replies beyond the one constant reply of each letter.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use connectors::participant::ledger::{Entry, Error};
use connectors::participant::{Ledger, Reply};
use saga_lib::id::CommandId;
use serde_json::json;

/// A ledger in a file.
pub struct FileLedger {
    file: File,
    letters: HashMap<String, char>,
}

impl FileLedger {
    /// The ledger in this file, which is created if it is missing.
    ///
    /// # Panics
    /// If the file cannot be opened or read.
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut letters = HashMap::new();
        for (letter, id) in lines(path) {
            letters.insert(id, letter);
        }
        Self {
            file: file.expect("the ledger can be written"),
            letters,
        }
    }
}

impl Ledger for FileLedger {
    fn transact<T>(
        &mut self,
        forward: &CommandId,
        act: impl FnOnce(&Entry) -> (Option<Entry>, T),
    ) -> Result<T, Error> {
        let id = forward.to_string();
        let before = self.letters.get(&id).copied();
        let (entry, result) = act(&entry_of(before));
        if let Some(letter) = entry.and_then(|entry| letter_of(&entry, before)) {
            let written = self.file.write_all(format!("{letter} {id}\n").as_bytes());
            written.map_err(|error| Error::Unavailable {
                reason: error.to_string(),
            })?;
            self.letters.insert(id, letter);
        }
        Ok(result)
    }
}

/// The reply to a success.
pub fn done() -> Reply {
    Reply::new("ok", json!({ "done": true }))
}

fn entry_of(letter: Option<char>) -> Entry {
    match letter {
        Some('E') => Entry::Effect(done()),
        Some('R') => Entry::Refused(Reply::because("refused", "no", "as the case wants it")),
        Some('C' | 'N') => Entry::Compensated(done()),
        _ => Entry::None,
    }
}

fn letter_of(entry: &Entry, before: Option<char>) -> Option<char> {
    match entry {
        Entry::None => None,
        Entry::Effect(_) => Some('E'),
        Entry::Refused(_) => Some('R'),
        Entry::Compensated(_) if before == Some('E') => Some('C'),
        Entry::Compensated(_) => Some('N'),
    }
}

fn lines(path: &Path) -> Vec<(char, String)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let parse = |line: &str| {
        let (letter, id) = line.split_once(' ')?;
        Some((letter.chars().next()?, id.to_owned()))
    };
    text.lines().filter_map(parse).collect()
}

/// What the ledger tells in the end.
#[derive(Debug, Default)]
pub struct Account {
    /// Steps whose effects stand, by saga id; with the execution, if it is not the first.
    pub standing: BTreeMap<String, Vec<String>>,
    /// Effects that were made.
    pub effects: u64,
    /// Effects that were compensated.
    pub compensations: u64,
    /// Effects made two times, or compensated without being there: what no ledger may show.
    pub doubled: Vec<String>,
}

impl Account {
    /// Adds up a file.
    pub fn add(&mut self, path: &Path) {
        let mut letters: HashMap<String, char> = HashMap::new();
        for (letter, id) in lines(path) {
            let before = letters.insert(id.clone(), letter);
            self.note(letter, before, &id);
        }
        for (id, _) in letters.into_iter().filter(|(_, letter)| *letter == 'E') {
            let (saga, step) = id.rsplit_once('/').expect("a command id");
            let steps = self.standing.entry(saga.to_owned()).or_default();
            steps.push(step.to_owned());
            steps.sort_unstable();
        }
    }

    fn note(&mut self, letter: char, before: Option<char>, id: &str) {
        match (letter, before) {
            ('E', None) => self.effects += 1,
            ('C', Some('E')) => self.compensations += 1,
            ('R', None) | ('N', None | Some('R')) => {}
            _ => self.doubled.push(format!("{before:?}, then {letter} {id}")),
        }
    }

    /// Steps of a saga whose effects stand, sorted.
    pub fn standing(&self, saga: &str) -> &[String] {
        self.standing.get(saga).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connectors::participant::{Answer, ledger};

    fn id(text: &str) -> CommandId {
        CommandId::parse(text).unwrap()
    }

    fn run(ledger: &mut FileLedger, forward: &str, back: bool) {
        let ok = || Answer::ok(json!({ "done": true }));
        let done = ledger.transact(&id(forward), |entry| {
            if back {
                ledger::compensate(entry, ok)
            } else {
                ledger::forward(entry, ok)
            }
        });
        done.unwrap();
    }

    #[test]
    fn what_was_done_is_found_again_and_added_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut before = FileLedger::open(&path);
        run(&mut before, "pair/A/hold", false);
        run(&mut before, "pair/A/take", false);
        run(&mut before, "pair/B/hold", true);
        drop(before);
        let mut after = FileLedger::open(&path);
        run(&mut after, "pair/A/hold", false);
        run(&mut after, "pair/A/take", true);
        run(&mut after, "pair/B/hold", false);
        let mut account = Account::default();
        account.add(&path);
        assert_eq!(account.standing("pair/A"), ["hold"]);
        assert_eq!(account.standing("pair/B"), [""; 0]);
        assert_eq!((account.effects, account.compensations), (2, 1));
        assert!(account.doubled.is_empty());
    }

    #[test]
    fn an_effect_made_twice_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        std::fs::write(&path, "E hop/A/take\nE hop/A/take\n").unwrap();
        let mut account = Account::default();
        account.add(&path);
        assert_eq!(account.doubled.len(), 1);
    }
}
