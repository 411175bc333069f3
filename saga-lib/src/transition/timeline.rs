//! Sentences of the timeline: what each note says to people, without data.
//!
//! Absent on purpose: times and order (the turn adds them).

use crate::effect::Note;

/// Longest cause in a sentence, in characters.
const CAUSE_CHARS_MAX: usize = 120;

/// The sentence for a note; `None`: it is not worth a line.
pub(super) fn sentence(note: &Note) -> Option<String> {
    Some(match note {
        Note::Started => "started".to_owned(),
        Note::Resent {
            step,
            attempt,
            compensation,
        } => {
            let of = if *compensation {
                "compensation of "
            } else {
                ""
            };
            format!("{of}{step}: command sent again, attempt {attempt}")
        }
        Note::StepFinished { step, outcome, .. } => format!("{step} {outcome}"),
        Note::CompensationStarted { cause } => format!("turned back because of {cause}"),
        Note::CompensationFinished { step, outcome } => {
            format!("compensation of {step} {outcome}")
        }
        Note::Parked { kind, .. } => format!("parked: {}", kind.word()),
        Note::Resumed => "incident closed".to_owned(),
        Note::IncidentOpened { kind, .. } => format!("incident opened: {}", kind.word()),
        Note::LateReply { step } => format!("late reply of {step}"),
        Note::Finished { status } => status.word().to_owned(),
        Note::Milestone { name, .. } => format!("milestone {name}"),
        Note::ServiceLevelMissed { step } => format!("{step} takes longer than its service level"),
        Note::DeadlineNear => "the deadline is near".to_owned(),
        Note::DeadlinePassed => "the deadline passed".to_owned(),
        Note::Suspended => "suspended".to_owned(),
        // Whoever starts a step says whether a command went out.
        Note::StepStarted { .. }
        | Note::Queued
        | Note::Expired
        | Note::Measured { .. }
        | Note::ServiceLevelMet { .. } => {
            return None;
        }
    })
}

/// A cause in bounded length.
pub(super) fn short(cause: &str) -> String {
    cause.chars().take(CAUSE_CHARS_MAX).collect()
}
