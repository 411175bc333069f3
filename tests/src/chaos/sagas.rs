//! What runs under chaos: small sagas of every shape, each with a temper that its participants act out.
//!
//! No attempt lasts longer than 500 ms. All but `unsure` try 1,000 times, so that only a participant that is never reached makes them
//! give up; `unsure` tries twice, so that outcomes stay unknown.
//!
//! Absent on purpose: chance at work; what a case is follows from the seed and its number.

use saga_lib::instance::Status;
use serde_json::{Value, json};

use super::chance::Chance;

/// File names and texts of the definitions.
pub const DEFINITIONS: [(&str, &str); 6] = [
    ("hop.yaml", include_str!("sagas/hop.yaml")),
    ("pair.yaml", include_str!("sagas/pair.yaml")),
    ("fork.yaml", include_str!("sagas/fork.yaml")),
    ("soft.yaml", include_str!("sagas/soft.yaml")),
    ("nap.yaml", include_str!("sagas/nap.yaml")),
    ("unsure.yaml", include_str!("sagas/unsure.yaml")),
];

/// Shape of a saga: its definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One step, a pivot.
    Hop,
    /// A step with a compensation, then a pivot.
    Pair,
    /// Two parallel branches, then a pivot.
    Fork,
    /// A refusal that is caught, a fallback, a pivot, and a step that only goes forward.
    Soft,
    /// A pair with a delay between.
    Nap,
    /// A pair that tries twice: outcomes become unknown, the pivot parks.
    Unsure,
}

/// What the participants of a saga do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    /// They answer.
    Fine,
    /// They answer when the command was sent again already.
    Late,
    /// They answer two times.
    Twice,
    /// The first reply of each command is lost.
    Lost,
    /// Each command fails technically first.
    Failed,
    /// The first step is refused.
    RefuseFirst,
    /// The pivot is refused.
    RefuseLast,
    /// The first step is not received two times.
    SilentFirst,
    /// The pivot is not received two times.
    SilentLast,
}

/// One saga: its shape and temper follow from the seed and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Number, from 0.
    pub number: u64,
    /// Shape.
    pub shape: Shape,
    /// Temper.
    pub temper: Temper,
}

impl Case {
    /// The case of this number.
    pub fn of(seed: u64, number: u64) -> Self {
        let mut chance = Chance::of(seed, number);
        let shape = chance.weighted(&SHAPES);
        let temper = match shape {
            Shape::Unsure => chance.weighted(&UNSURE_TEMPERS),
            _ => chance.weighted(&TEMPERS),
        };
        Self {
            number,
            shape,
            temper,
        }
    }

    /// Business key.
    pub fn key(&self) -> String {
        format!("C-{}", self.number)
    }

    /// Saga id.
    pub fn id(&self) -> String {
        format!("{}/{}", self.shape.name(), self.key())
    }

    /// The event that starts it.
    pub fn event(&self) -> Value {
        json!({ "type": self.shape.name(), "id": self.key(), "temper": self.temper.word() })
    }

    /// The ends it may come to.
    pub fn ends(&self) -> &'static [Status] {
        use Status::{Compensated, Completed};
        match (self.shape, self.temper) {
            (_, Temper::RefuseLast) => &[Compensated],
            (Shape::Hop | Shape::Soft, Temper::RefuseFirst) => &[Completed],
            (_, Temper::RefuseFirst | Temper::SilentFirst) => &[Compensated],
            (Shape::Unsure, _) => &[Completed, Compensated],
            _ => &[Completed],
        }
    }

    /// Steps whose effects stand if it is completed, sorted.
    pub fn standing(&self) -> &'static [&'static str] {
        match (self.shape, self.temper) {
            (Shape::Hop, _) => &["take"],
            (Shape::Fork, _) => &["left", "right", "take"],
            (Shape::Soft, Temper::RefuseFirst) => &["spare-fallback", "take", "tell"],
            (Shape::Soft, _) => &["hold", "spare", "take", "tell"],
            _ => &["hold", "take"],
        }
    }
}

impl Shape {
    /// Name of its definition.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hop => "hop",
            Self::Pair => "pair",
            Self::Fork => "fork",
            Self::Soft => "soft",
            Self::Nap => "nap",
            Self::Unsure => "unsure",
        }
    }
}

impl Temper {
    /// The word that participants get.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Late => "late",
            Self::Twice => "twice",
            Self::Lost => "lost",
            Self::Failed => "failed",
            Self::RefuseFirst => "refuse_first",
            Self::RefuseLast => "refuse_last",
            Self::SilentFirst => "silent_first",
            Self::SilentLast => "silent_last",
        }
    }
}

/// Cheap ones mostly: what counts is how many are under way when something breaks.
const SHAPES: [(u64, Shape); 6] = [
    (52, Shape::Hop),
    (25, Shape::Pair),
    (6, Shape::Fork),
    (6, Shape::Soft),
    (6, Shape::Nap),
    (5, Shape::Unsure),
];

const TEMPERS: [(u64, Temper); 7] = [
    (78, Temper::Fine),
    (2, Temper::Late),
    (6, Temper::Twice),
    (3, Temper::Lost),
    (2, Temper::Failed),
    (4, Temper::RefuseFirst),
    (5, Temper::RefuseLast),
];

const UNSURE_TEMPERS: [(u64, Temper); 6] = [
    (50, Temper::Fine),
    (5, Temper::Lost),
    (10, Temper::RefuseFirst),
    (10, Temper::RefuseLast),
    (15, Temper::SilentFirst),
    (10, Temper::SilentLast),
];
