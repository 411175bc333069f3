//! The transition function: one input changes one instance and appends effects.

use crate::effect::Effect;
use crate::input::Input;
use crate::instance::{IncidentKind, Instance};
use crate::ir::Definition;

/// What became of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The instance changed (its revision rose by one), came into being or was removed.
    Changed,
    /// Duplicate, late or stale: a fact, revision unchanged.
    Ignored(Reason),
    /// A signal that the status forbids: a fact, revision unchanged.
    Rejected(String),
}

/// Why an input had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// It came before.
    Duplicate,
    /// Its step is decided.
    Late,
    /// A timer that was re-armed.
    StaleTimer,
    /// A timer record whose time is before its due time; it is written again.
    EarlyTimer,
    /// Nothing waits for it.
    Orphan,
    /// The queue of the parked instance is full.
    QueueFull,
    /// The instance is finished.
    Finished,
}

/// Applies `input` to `instance` (`None`: none exists) and appends what is to be done outside.
pub fn apply(
    definition: &Definition,
    instance: &mut Option<Instance>,
    input: &Input,
    effects: &mut Vec<Effect>,
) -> Applied {
    let _ = (definition, instance, input, effects);
    Applied::Ignored(Reason::Orphan)
}

/// Parks `instance` (as it was before `input`; created from the event if there was none) with the input at the head of its queue,
/// because what the transition wanted could not be done (`output_refused`, `panic`, `poison`, `unknown_definition`). A `retry` signal applies the input again.
pub fn park(
    definition: Option<&Definition>,
    instance: &mut Option<Instance>,
    input: &Input,
    kind: IncidentKind,
    detail: &str,
    effects: &mut Vec<Effect>,
) -> Applied {
    let _ = (definition, instance, input, kind, detail, effects);
    Applied::Changed
}
