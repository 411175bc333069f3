//! One dead letter on its way back.
//!
//! Absent on purpose: I/O.

use schemas::audit::{Entry, Outcome};
use schemas::dead_letter::DeadLetter;
use schemas::headers;
use schemas::history::{Fact, Verdict};

use super::{Effect, Replayed};
use crate::client::dead_letters::origin;

/// One dead letter under way.
pub(super) struct Item {
    /// The dead letter.
    pub letter: DeadLetter,
    /// Does the record stand in a lane now? Then its place there is its identity.
    pub in_lane: bool,
    /// Where it was written.
    pub written: Option<(u32, i64)>,
    /// What became of it, as soon as it is known.
    pub effect: Option<Effect>,
    /// What the audit says of it.
    pub entry: Entry,
}

impl Item {
    /// What is told of it.
    pub fn replayed(self) -> Replayed {
        Replayed {
            position: self.letter.position.clone(),
            origin: origin(&self.letter),
            effect: self.effect.unwrap_or(Effect::Unseen),
        }
    }

    /// Is this fact about it?
    pub fn is_told_by(&self, fact: &Fact) -> bool {
        if self.in_lane {
            return self.written == Some((fact.lane, fact.offset));
        }
        let id = self.letter.headers.text(headers::CE_ID);
        let same = id.map_or_else(
            || origin(&self.letter) == fact.input.id,
            |id| id == fact.input.id,
        );
        same && self.is_for(fact)
    }

    /// Several definitions may take one event; a dead letter is of one of them.
    fn is_for(&self, fact: &Fact) -> bool {
        let name = |reference: &str| reference.split('@').next().map(str::to_owned);
        let wanted = self.letter.definition.as_deref().and_then(name);
        wanted.is_none_or(|name| fact.saga.definition() == name)
    }

    /// Is this its dead letter anew?
    pub fn is_dead_again_in(&self, again: &DeadLetter) -> bool {
        let place = (again.partition.number, again.offset);
        if again.partition.topic != self.letter.partition.topic {
            return false;
        }
        if self.in_lane {
            return self.written == Some(place);
        }
        place == (self.letter.partition.number, self.letter.offset)
            && again.position != self.letter.position
    }

    /// The entry that says that the log has it.
    pub fn sent(&self) -> Entry {
        Entry {
            result: Some(Outcome::Sent),
            detail: None,
            ..self.entry.clone()
        }
    }

    /// The entry that says what became of it. Messages of dead letters stay out of it: they may quote payloads.
    pub fn ended(&self) -> Entry {
        let (result, detail) = match &self.effect {
            Some(Effect::Fact {
                applied, reason, ..
            }) => (applied_word(*applied), reason.clone()),
            Some(Effect::DeadAgain { class, .. }) => (Outcome::DeadAgain, Some(class.clone())),
            Some(Effect::SentToOrigin) => (Outcome::SentToOrigin, None),
            Some(Effect::NotSent { reason }) => (Outcome::NotSent, Some(reason.clone())),
            Some(Effect::Unseen) | None => (Outcome::Unseen, None),
        };
        Entry {
            result: Some(result),
            detail,
            ..self.entry.clone()
        }
    }
}

/// The audit's word for what became of an input.
pub(in crate::client) fn applied_word(applied: Verdict) -> Outcome {
    match applied {
        Verdict::Changed => Outcome::Changed,
        Verdict::Ignored => Outcome::Ignored,
        Verdict::Rejected => Outcome::Rejected,
    }
}
