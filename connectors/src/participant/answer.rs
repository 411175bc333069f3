//! What a handler answers: a verdict, and the manner in which it is told.
//!
//! The manners other than [`Manner::Once`] exist for demonstrations and tests: they are what networks do to replies.
//!
//! Absent on purpose: headers and bytes (see `schemas::command`).

use std::time::Duration;

use serde_json::Value;

/// A handler's answer to one command.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What became of the command.
    pub verdict: Verdict,
    /// How the sender is told.
    pub manner: Manner,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The effect exists.
    Effect(Reply),
    /// There is definitely no effect, and there will be none.
    Refusal(Reply),
    /// A technical failure: whether there is an effect is not known. Never remembered, so a re-send tries again.
    Failure(Reply),
    /// Nothing was done and nothing is said.
    Nothing,
}

/// How an answer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manner {
    /// At once.
    #[default]
    Once,
    /// At once, two times.
    Twice,
    /// After a while; other commands are answered meanwhile.
    Later(Duration),
    /// Not at all, as if the reply had been lost. A re-send is told what is remembered.
    Lost,
}

/// The contents of a reply.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// `ok`, `refused`, `failed`, or a name of the contract.
    pub outcome: String,
    /// Body.
    pub payload: Value,
    /// Cause for machines.
    pub code: Option<String>,
    /// Cause for people.
    pub reason: Option<String>,
}

impl Answer {
    /// Success.
    pub fn ok(payload: Value) -> Self {
        Self::success_as("ok", payload)
    }

    /// Success under a name of the contract.
    pub fn success_as(outcome: &str, payload: Value) -> Self {
        Verdict::Effect(Reply::new(outcome, payload)).into()
    }

    /// A refusal.
    pub fn refused(code: &str, reason: &str) -> Self {
        Verdict::Refusal(Reply::because("refused", code, reason)).into()
    }

    /// A refusal under a name of the contract.
    pub fn refusal_as(outcome: &str, payload: Value) -> Self {
        Verdict::Refusal(Reply::new(outcome, payload)).into()
    }

    /// A technical failure.
    pub fn failed(code: &str, reason: &str) -> Self {
        Verdict::Failure(Reply::because("failed", code, reason)).into()
    }

    /// No answer, and nothing done: the command counts as not received.
    pub fn nothing() -> Self {
        Verdict::Nothing.into()
    }

    /// The same answer, told after a while.
    #[must_use]
    pub fn later(self, after: Duration) -> Self {
        self.told(Manner::Later(after))
    }

    /// The same answer, told two times.
    #[must_use]
    pub fn twice(self) -> Self {
        self.told(Manner::Twice)
    }

    /// The same answer, lost on its way.
    #[must_use]
    pub fn lost(self) -> Self {
        self.told(Manner::Lost)
    }

    /// What is to be told, if anything.
    pub fn reply(&self) -> Option<&Reply> {
        match &self.verdict {
            Verdict::Effect(reply) | Verdict::Refusal(reply) | Verdict::Failure(reply) => {
                Some(reply)
            }
            Verdict::Nothing => None,
        }
    }

    fn told(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            manner: Manner::Once,
        }
    }
}

impl Reply {
    /// A reply with a body.
    pub fn new(outcome: &str, payload: Value) -> Self {
        Self {
            outcome: outcome.to_owned(),
            payload,
            ..Self::default()
        }
    }

    /// A reply with a cause.
    pub fn because(outcome: &str, code: &str, reason: &str) -> Self {
        Self {
            outcome: outcome.to_owned(),
            code: Some(code.to_owned()),
            reason: Some(reason.to_owned()),
            ..Self::default()
        }
    }
}
