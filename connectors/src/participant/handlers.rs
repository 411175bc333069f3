//! The handlers of a participant by command type, and what a command that meets them becomes.
//!
//! Absent on purpose: what was done before (see [`super::ledger`]).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::answer::Answer;
use super::{Command, ledger};

/// A function that carries out one type of command, forward or compensating.
type Handler = Box<dyn FnMut(&Command) -> Answer + Send>;

/// Handlers by command type.
#[derive(Default)]
pub(super) struct Handlers(BTreeMap<String, Handler>);

impl Handlers {
    /// Adds a handler; a later one of the same type takes its place.
    pub(super) fn add(&mut self, r#type: &str, handler: Handler) {
        self.0.insert(r#type.to_owned(), handler);
    }

    /// Answers a command by the ledger, running its handler if there is still something to do.
    pub(super) fn answer(&mut self, ledger: &mut impl ledger::Ledger, command: &Command) -> Answer {
        let compensates = command.compensates.clone();
        let compensates = compensates.or_else(|| implied(command));
        let result = match compensates {
            Some(forward) => ledger.transact(&forward, |entry| {
                ledger::compensate(entry, || self.run(command))
            }),
            None => ledger.transact(&command.id, |entry| {
                ledger::forward(entry, || self.run(command))
            }),
        };
        result.unwrap_or_else(|error| Answer::failed("ledger", &error.to_string()))
    }

    /// A type without handler is refused: that it has no effect here is certain, and the refusal is visible.
    fn run(&mut self, command: &Command) -> Answer {
        let Some(handler) = self.0.get_mut(&command.r#type) else {
            return Answer::refused("unknown_command", "this service has no such command");
        };
        // A panic may have come after the effect, so it is a failure and not a refusal.
        catch_unwind(AssertUnwindSafe(|| handler(command)))
            .unwrap_or_else(|_| Answer::failed("panic", "the handler panicked"))
    }
}

/// A compensating id says what it compensates even if the header is missing.
fn implied(command: &Command) -> Option<saga_lib::id::CommandId> {
    command.id.compensation.map(|_| command.id.forward_id())
}
