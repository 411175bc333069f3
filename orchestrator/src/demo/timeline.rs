//! The timeline of one saga: one line per command and attempt with its outcome, built from the facts of the history.
//!
//! Absent on purpose: payloads; the history does not carry them.

use saga_lib::effect::Note;
use saga_lib::id::CommandId;
use schemas::history::{Fact, SentCommand, Verdict};

use super::paint::{Paint, Tone};
use super::run::service_of;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    at_ms: i64,
    tone: Tone,
    /// Command, attempt and operation; attempt 0 stands for a reply without effect. A sentence has none of them.
    command: Option<(CommandId, u32, String)>,
    outcome: String,
}

impl Line {
    fn sends(&self, id: &CommandId) -> bool {
        self.command
            .as_ref()
            .is_some_and(|(own, attempt, _)| own == id && *attempt > 0)
    }
}

/// The text of a timeline, ending without a line break; empty without facts.
pub(super) fn text(facts: &[Fact], paint: Paint) -> String {
    let Some(first) = facts.first() else {
        return String::new();
    };
    let lines = lines(facts);
    let width = |of: fn(&Line) -> usize| lines.iter().map(of).max().unwrap_or(0);
    let widths = (width(step_width).max(4), width(name_width).max(7));
    let heading = format!("Timeline of {}", first.saga);
    let columns = row("time", ["step", "command", "attempt", "outcome"], widths);
    let mut text = vec![paint.paint(Tone::Strong, &heading), String::new()];
    text.push(paint.paint(Tone::Faint, &columns.to_uppercase()));
    text.extend(
        lines
            .iter()
            .map(|line| show(line, first.time_ms, widths, paint)),
    );
    text.join("\n")
}

fn lines(facts: &[Fact]) -> Vec<Line> {
    let mut lines = Vec::new();
    for fact in facts {
        answer(&mut lines, fact);
        fact.notes
            .iter()
            .for_each(|note| tell(&mut lines, fact, note));
        fact.commands
            .iter()
            .for_each(|command| send(&mut lines, fact, command));
    }
    lines
}

/// A reply ends the newest line of its command; one without effect gets a line of its own.
fn answer(lines: &mut Vec<Line>, fact: &Fact) {
    let Some(command) = &fact.input.command else {
        return;
    };
    if fact.applied != Verdict::Changed {
        let reason = fact.reason.as_deref().unwrap_or("no effect");
        let outcome = format!("{} again, ignored: {reason}", fact.input.summary);
        let told = (command.clone(), 0, String::new());
        lines.push(Line {
            at_ms: fact.time_ms,
            tone: Tone::Faint,
            command: Some(told),
            outcome,
        });
        return;
    }
    let is_it = |line: &&mut Line| line.sends(command);
    if let Some(line) = lines.iter_mut().rev().find(is_it) {
        let wait = fact.time_ms - line.at_ms;
        let (word, tone) = match (fact.input.summary.as_str(), command.compensation) {
            ("ok", None) => ("succeeded", Tone::Good),
            ("ok", Some(_)) => ("compensated", Tone::Odd),
            (other, _) => (other, Tone::Bad),
        };
        line.outcome = format!("{word} after {wait} ms");
        line.tone = tone;
    }
}

fn send(lines: &mut Vec<Line>, fact: &Fact, sent: &SentCommand) {
    let is_it = |line: &&mut Line| line.sends(&sent.id);
    if let Some(before) = lines
        .iter_mut()
        .rev()
        .find(is_it)
        .filter(|l| l.outcome.is_empty())
    {
        before.outcome = format!("no answer in {} ms", fact.time_ms - before.at_ms);
        before.tone = Tone::Bad;
    }
    let name = format!("{}.{}", service_of(&sent.topic), sent.r#type);
    lines.push(Line {
        at_ms: fact.time_ms,
        tone: Tone::Plain,
        command: Some((sent.id.clone(), sent.attempt, name)),
        outcome: String::new(),
    });
}

fn tell(lines: &mut Vec<Line>, fact: &Fact, note: &Note) {
    let (tone, outcome) = match note {
        Note::Started => (Tone::Calm, format!("▶ started by {}", fact.input.summary)),
        Note::CompensationStarted { cause } => (
            Tone::Odd,
            format!("◀ turned back because of {cause}: compensation in reverse order"),
        ),
        Note::Finished { status } => (Tone::Strong, format!("■ {}", status.word())),
        Note::Parked { detail, .. } => (Tone::Bad, format!("‖ parked: {detail}")),
        _ => return,
    };
    lines.push(Line {
        at_ms: fact.time_ms,
        tone,
        command: None,
        outcome,
    });
}

fn step(line: &Line) -> &str {
    line.command.as_ref().map_or("", |(id, ..)| &id.path)
}

fn name(line: &Line) -> &str {
    line.command.as_ref().map_or("", |(_, _, name)| name)
}

fn step_width(line: &Line) -> usize {
    step(line).chars().count()
}

fn name_width(line: &Line) -> usize {
    name(line).chars().count()
}

fn show(line: &Line, start_ms: i64, widths: (usize, usize), paint: Paint) -> String {
    let time = format!("+{} ms", line.at_ms - start_ms);
    let outcome = paint.paint(line.tone, &line.outcome);
    let Some((_, attempt, name)) = &line.command else {
        return format!("{time:>10}  {outcome}");
    };
    let attempt = if *attempt > 0 {
        attempt.to_string()
    } else {
        String::new()
    };
    row(&time, [step(line), name, &attempt, &outcome], widths)
}

fn row(time: &str, [step, name, attempt, outcome]: [&str; 4], widths: (usize, usize)) -> String {
    let (steps, names) = widths;
    format!("{time:>10}  {step:<steps$}  {name:<names$}  {attempt:>7}  {outcome}")
}

#[cfg(test)]
mod tests;
