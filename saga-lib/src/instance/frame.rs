//! Frames: the structures of the program that are open, as a tree.
//!
//! A frame is opened by a node with a body (a fork, each of its branches, a repetition, each of its executions, a block, steps in
//! `catch`) and closed at the end of that body. Frames know their parent, so a token needs only the innermost one.
//!
//! Absent on purpose: what happens at an end (see [`crate::transition`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Token;
use crate::input::Reply;
use crate::ir::{Directive, NodeIx};
use crate::mutant::{Mutant, planted};

/// Identity of a frame inside its instance, from 1; never used twice.
pub type FrameId = u32;

/// The saga itself, which is no frame.
pub const ROOT: FrameId = 0;

/// An open structure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Identity.
    #[serde(rename = "i")]
    pub id: FrameId,
    /// The frame around it.
    #[serde(
        rename = "p",
        default,
        skip_serializing_if = "super::progress::is_zero"
    )]
    pub parent: FrameId,
    /// The node that opened it.
    #[serde(rename = "n")]
    pub node: NodeIx,
    /// What it is.
    #[serde(rename = "k")]
    pub kind: FrameKind,
    /// Where it goes.
    #[serde(rename = "m", default, skip_serializing_if = "Mode::is_forward")]
    pub mode: Mode,
    /// Names that exist only inside.
    #[serde(rename = "d", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, Value>,
    /// Its time limit, ms.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub due_ms: Option<i64>,
    /// When its service level is missed, ms; told once.
    #[serde(rename = "sl", default, skip_serializing_if = "Option::is_none")]
    pub sla_ms: Option<i64>,
}

/// What a frame is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    /// Parallel branches; each is a [`FrameKind::Branch`] inside.
    Fork {
        /// Branches that came to their end.
        arrived: u32,
        /// Enough of them did, and the saga went on; what is still open is being undone.
        joined: bool,
    },
    /// One branch of a fork.
    Branch {
        /// Its number, from 0.
        index: u32,
    },
    /// A for_each or loop; each execution is a [`FrameKind::Round`] inside.
    Iterate {
        /// Elements of a for_each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        items: Vec<Value>,
        /// Executions begun.
        begun: u32,
        /// Executions done.
        done: u32,
        /// What executions left, by number.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        kept: BTreeMap<u32, Value>,
    },
    /// One execution of a repetition's body.
    Round {
        /// Its number: from 0 in a for_each, from 1 in a loop.
        index: u32,
        /// May others run at the same time? Then they are independent of this one.
        parallel: bool,
        /// Is it an element (`[i]`) or a round of a loop (`.n`)?
        element: bool,
    },
    /// A block.
    Scope {
        /// Are results inside local?
        local: bool,
    },
    /// Steps in `catch`.
    Catch(Box<Caught>),
    /// A fallback waits until the compensation of the first provider is confirmed.
    Retreat,
    /// A question about the outcome of this token is under way.
    Query(Box<Token>),
}

/// What steps in `catch` run for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Caught {
    /// What follows them.
    #[serde(rename = "t")]
    pub then: Directive,
    /// The step's token: with its command if that may still be answered, without if it was refused.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Token>,
    /// The answer that came meanwhile.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Reply>,
}

/// Where a frame goes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Forward.
    #[default]
    Forward,
    /// Nothing new begins inside; when nothing is in flight any more, its outcome is this one.
    Ending {
        /// Name of the outcome.
        outcome: String,
    },
    /// What was done inside is compensated; then its outcome is this one.
    Unwinding {
        /// Name of the outcome: `compensated`, or `timeout` of a block that is tried again.
        outcome: String,
        /// `error` in expressions.
        error: Value,
    },
}

impl Mode {
    fn is_forward(&self) -> bool {
        *self == Self::Forward
    }
}

/// One level of nesting, as an obligation remembers it when the frame is long closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The frame.
    #[serde(rename = "i")]
    pub frame: FrameId,
    /// The frame whose children run at the same time, if this is one of them; else 0.
    #[serde(
        rename = "g",
        default,
        skip_serializing_if = "super::progress::is_zero"
    )]
    pub group: FrameId,
}

impl Frame {
    /// This level of nesting.
    pub fn level(&self) -> Level {
        let parallel = match self.kind {
            FrameKind::Branch { .. } => true,
            FrameKind::Round { parallel, .. } => parallel,
            _ => false,
        };
        Level {
            frame: self.id,
            group: if parallel { self.parent } else { ROOT },
        }
    }

    /// Its part of a command's path.
    pub fn suffix(&self) -> String {
        match self.kind {
            FrameKind::Round {
                index,
                element: true,
                ..
            } => format!("[{index}]"),
            FrameKind::Round { index, .. } => format!(".{index}"),
            _ => String::new(),
        }
    }

    /// Do results inside it stay inside?
    pub fn is_local(&self) -> bool {
        match self.kind {
            FrameKind::Round { .. } => true,
            FrameKind::Scope { local } => local,
            _ => false,
        }
    }
}

/// Did neither of two executions have to wait for the other? They did, unless their paths part at branches that run at the same time.
///
/// Deeper levels say nothing: what lies inside different frames of one sequence is ordered, however it is nested there.
pub fn are_independent(a: &[Level], b: &[Level]) -> bool {
    if planted(Mutant::E1FramesAreIndependent) {
        return a != b;
    }
    if planted(Mutant::E1BranchesInARow) {
        return false;
    }
    let parting = a.iter().zip(b).find(|(a, b)| a.frame != b.frame);
    parting.is_some_and(|(a, b)| a.group != ROOT && a.group == b.group)
}
