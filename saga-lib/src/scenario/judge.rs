//! Judging what happened against what a scenario expects.
//!
//! Absent on purpose: leniency. A list of commands is compared whole, order included.

use serde::Serialize;

use super::file::Expect;
use super::play::Play;
use super::world::Stop;

/// One thing that was otherwise than expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What: a key of `expect`.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// Everything that was otherwise than expected.
pub fn judge(expect: &Expect, play: &Play) -> Vec<Difference> {
    let mut found = Vec::new();
    if play.stop == Stop::Livelock {
        found.push(difference("end", "the saga rests", "it goes on and on"));
    }
    let instance = play.instance.as_ref();
    let status = instance.map_or("not started", |i| i.status.word());
    if let Some(expected) = expect.status.filter(|s| s.word() != status) {
        found.push(difference("status", expected.word(), status));
    }
    let outcome = instance.and_then(|i| i.outcome.as_deref());
    said(&mut found, "outcome", expect.outcome.as_deref(), outcome);
    let incident = instance.and_then(|i| i.incident.as_ref());
    let incident = incident.map(|i| i.kind.word());
    said(&mut found, "incident", expect.incident.as_deref(), incident);
    let commands: Vec<String> = play.commands.iter().map(|c| c.name.clone()).collect();
    listed(&mut found, "commands", expect.commands.as_ref(), &commands);
    listed(
        &mut found,
        "published",
        expect.published.as_ref(),
        &play.published,
    );
    listed(
        &mut found,
        "milestones",
        expect.milestones.as_ref(),
        &play.milestones,
    );
    bodies(&mut found, expect, play);
    found
}

fn bodies(found: &mut Vec<Difference>, expect: &Expect, play: &Play) {
    for (command, expected) in &expect.bodies {
        let what = format!("bodies.{command}");
        let sent = play.commands.iter().rev().find(|c| c.name == *command);
        match sent {
            Some(sent) if sent.body == *expected => {}
            Some(sent) => found.push(difference(
                &what,
                &expected.to_string(),
                &sent.body.to_string(),
            )),
            None => found.push(difference(
                &what,
                &expected.to_string(),
                "it was never sent",
            )),
        }
    }
}

fn said(found: &mut Vec<Difference>, what: &str, expected: Option<&str>, actual: Option<&str>) {
    if let Some(expected) = expected
        && Some(expected) != actual
    {
        found.push(difference(what, expected, actual.unwrap_or("none")));
    }
}

fn listed(
    found: &mut Vec<Difference>,
    what: &str,
    expected: Option<&Vec<String>>,
    actual: &[String],
) {
    if let Some(expected) = expected.filter(|expected| expected.as_slice() != actual) {
        let text = |list: &[String]| format!("[{}]", list.join(", "));
        found.push(difference(what, &text(expected), &text(actual)));
    }
}

fn difference(what: &str, expected: &str, found: &str) -> Difference {
    Difference {
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}
