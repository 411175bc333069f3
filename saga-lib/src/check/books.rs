//! What participants know, independent of what the instance says.
//!
//! A participant keeps one state per forward command: nothing, an effect, refused, compensated. An effect that may have happened, because
//! nobody was told, counts as one wherever that is the worse case.
//!
//! Absent on purpose: what must hold of it at an end (see [`super::judge`]).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::effect::Command;
use crate::id::CommandId;
use crate::ir::StepKind;
use crate::scenario;

use super::model::Model;

/// What a participant did for a forward command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Known {
    /// Nothing, or it was not asked yet.
    Nothing,
    /// Perhaps its work: nobody was told.
    Maybe,
    /// Its work.
    Effect,
    /// Definitely nothing, for good.
    Refused,
    /// Its work, undone; or the word that it must not be done any more.
    Compensated,
}

/// How a participant treats the attempts of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Manner {
    /// It answers.
    Well,
    /// It does not answer attempts up to this one.
    Silent(u32),
    /// It answers `failed` to attempts up to this one.
    Failing(u32),
}

/// An answer that was read: its outcome, and the attempt that it answers.
pub(super) type Read = (String, u32);

/// A forward command.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Entry {
    #[serde(skip)]
    pub(super) id: CommandId,
    #[serde(skip)]
    pub(super) step: String,
    pub(super) known: Known,
    pub(super) manner: Manner,
    /// Attempts sent.
    pub(super) attempt: u32,
    /// Until when an attempt that nobody answered is awaited, ms.
    #[serde(skip)]
    pub(super) awaited_ms: Option<i64>,
    /// The last answer that was read.
    pub(super) read: Option<Read>,
    /// Was a success read while the step waited for it?
    pub(super) succeeded: bool,
    /// Was one read after it was given up?
    pub(super) late: bool,
    /// Was a refusal read?
    pub(super) refused: bool,
    /// Was an attempt left without a deciding answer? Then one may come late.
    pub(super) doubtful: bool,
    /// Its compensating commands by number.
    pub(super) back: BTreeMap<u32, Back>,
}

/// A compensating command.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Back {
    pub(super) manner: Manner,
    pub(super) attempt: u32,
    pub(super) read: Option<Read>,
    pub(super) confirmed: bool,
    pub(super) refused: bool,
}

impl Entry {
    fn new(command: &Command) -> Self {
        Self {
            id: command.id.clone(),
            step: command.step.clone(),
            known: Known::Nothing,
            manner: Manner::Well,
            attempt: 0,
            awaited_ms: None,
            read: None,
            succeeded: false,
            late: false,
            refused: false,
            doubtful: false,
            back: BTreeMap::new(),
        }
    }

    /// Is there a compensating command whose answer is still to come?
    pub(super) fn is_being_undone(&self) -> bool {
        let open = |back: &Back| !back.confirmed && !back.refused;
        self.back.values().any(open)
    }
}

/// Every command that was sent.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Books {
    pub(super) entries: BTreeMap<String, Entry>,
}

impl Books {
    /// Takes a command down: will somebody answer it, and the law that it breaks.
    pub(super) fn sent(
        &mut self,
        model: &Model,
        command: &Command,
        now_ms: i64,
    ) -> (bool, Result<(), String>) {
        match command.id.compensation {
            None => self.forward(command),
            Some(number) => {
                let name = scenario::name(&command.id.forward_id());
                let law = self.may_go_back(model, command, (&name, number), now_ms);
                (self.back(command, (&name, number)), law)
            }
        }
    }

    fn forward(&mut self, command: &Command) -> (bool, Result<(), String>) {
        let name = scenario::name(&command.id);
        let entry = self.entries.entry(name.clone());
        let entry = entry.or_insert_with(|| Entry::new(command));
        let law = if command.attempt <= entry.attempt {
            Err(format!(
                "attempt {} of `{name}` is sent twice",
                command.attempt
            ))
        } else if !entry.back.is_empty() {
            Err(format!("`{name}` is sent after its compensation"))
        } else {
            Ok(())
        };
        entry.attempt = command.attempt;
        entry.awaited_ms = command.expires_ms;
        (!is_silent(entry.manner, command.attempt), law)
    }

    fn back(&mut self, command: &Command, (name, number): (&str, u32)) -> bool {
        let Some(entry) = self.entries.get_mut(name) else {
            return false;
        };
        let back = entry.back.entry(number).or_insert(Back {
            manner: Manner::Well,
            attempt: 0,
            read: None,
            confirmed: false,
            refused: false,
        });
        back.attempt = command.attempt;
        !is_silent(back.manner, command.attempt)
    }

    /// May this compensating command be sent now?
    fn may_go_back(
        &self,
        model: &Model,
        command: &Command,
        (name, number): (&str, u32),
        now_ms: i64,
    ) -> Result<(), String> {
        let Some(entry) = self.entries.get(name) else {
            return Err(format!(
                "`{name}` is compensated, but it was never executed"
            ));
        };
        match entry.back.get(&number) {
            Some(back) if command.attempt <= back.attempt => Err(format!(
                "attempt {} of `{name}!c` is sent twice",
                command.attempt
            )),
            Some(_) => Ok(()),
            None => {
                may_be_undone(model, entry, name, now_ms)?;
                self.one_by_one(model, command, name)
            }
        }
    }
}

impl Books {
    /// Steps that ran one after the other are undone one after the other.
    fn one_by_one(&self, model: &Model, command: &Command, name: &str) -> Result<(), String> {
        if model.concurrent.contains(&command.step) {
            return Ok(());
        }
        let others = self.entries.iter().filter(|(other, entry)| {
            *other != name && entry.is_being_undone() && !model.concurrent.contains(&entry.step)
        });
        match others.map(|(other, _)| other).next() {
            None => Ok(()),
            Some(other) => Err(format!(
                "the compensation of `{name}` begins before that of `{other}` is confirmed"
            )),
        }
    }
}

fn is_silent(manner: Manner, attempt: u32) -> bool {
    matches!(manner, Manner::Silent(until) if attempt <= until)
}

/// Is this the time to compensate a command?
fn may_be_undone(model: &Model, entry: &Entry, name: &str, now_ms: i64) -> Result<(), String> {
    if entry.awaited_ms.is_some_and(|until| now_ms < until) {
        return Err(format!(
            "the compensation of `{name}` overtakes its command, which is still awaited"
        ));
    }
    if entry.refused {
        return Err(format!("`{name}` was refused and is compensated"));
    }
    let kind = model.send(&entry.step).map(|(_, send)| send.kind);
    if kind == Some(StepKind::Pivot) {
        return Err(format!("`{name}` is the pivot and is compensated"));
    }
    Ok(())
}
