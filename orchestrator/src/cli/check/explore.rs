//! What `skald check` explores: every order of events with a few faults, and the story of what must not happen.
//!
//! Absent on purpose: the exploration itself (see [`saga_lib::check`]).

use std::path::{Path, PathBuf};

use saga_lib::check::{self, Limits, Report};

use super::{Args, Checked, Error, Finding, counted};

/// What scenario files are called.
const SUFFIX: &str = ".test.yaml";

/// One explored definition.
pub(super) struct Explored {
    name: String,
    limits: Limits,
    /// What was found.
    pub(super) report: Report,
    /// What is to be told of it, for programs.
    message: String,
}

/// Where a counter-example is to be saved.
///
/// # Errors
/// [`Error::Usage`]: a name that `skald test` would not find, or more than one definition.
pub(super) fn place(args: &Args) -> Result<Option<&Path>, Error> {
    let Some(place) = &args.save else {
        return Ok(None);
    };
    if !place.to_string_lossy().ends_with(SUFFIX) {
        let problem = format!(
            "--save {}: its name must end with {SUFFIX}",
            place.display()
        );
        return Err(Error::Usage(problem));
    }
    if args.files.len() > 1 {
        let problem = "--save takes the counter-example of one definition: check them one by one";
        return Err(Error::Usage(problem.to_owned()));
    }
    Ok(Some(place))
}

/// Explores every definition without mistakes.
pub(super) fn all(checked: &[Checked], deep: bool) -> Vec<Explored> {
    let limits = if deep { Limits::DEEP } else { Limits::USUAL };
    let good = checked.iter().filter_map(|file| {
        let (definition, _) = file.result.as_ref().ok()?;
        let report = check::explore(definition, limits);
        Some(Explored {
            message: message(&report, limits),
            name: file.name.clone(),
            limits,
            report,
        })
    });
    good.collect()
}

fn message(report: &Report, limits: Limits) -> String {
    if let Some(example) = &report.broken {
        return example.law.clone();
    }
    let states = counted(report.states, "state");
    let faults = |number: u32| counted(number as usize, "fault");
    if report.is_exhaustive(limits) {
        let ends: Vec<&str> = report.ends.keys().map(String::as_str).collect();
        let most = faults(limits.faults);
        return format!("explored {states} with up to {most}: {}", ends.join(", "));
    }
    let tried = match report.faults {
        Some(most) => format!("everything with up to {}", faults(most)),
        None => "not even everything without a fault".to_owned(),
    };
    let bound = counted(limits.states, "state");
    format!(
        "explored {states}, not exhaustive: {tried} was tried, then the bound of {bound} was reached"
    )
}

impl Explored {
    /// For people: one line, or the numbered story of a counter-example.
    pub(super) fn text(&self) -> String {
        let Some(example) = &self.report.broken else {
            return format!("{}: {}", self.name, self.message);
        };
        let mut text = format!("error: {}: {}\n", self.name, self.message);
        for (number, line) in (1..).zip(&example.story) {
            text.push_str(&format!("{number:>5}. {line}\n"));
        }
        text
    }

    /// For programs: a counter-example is an error, a bound that was reached is a note.
    pub(super) fn finding(&self) -> Option<Finding<'_>> {
        let notes = match &self.report.broken {
            Some(example) => example.story.as_slice(),
            None if self.report.is_exhaustive(self.limits) => return None,
            None => &[],
        };
        Some(Finding {
            severity: if notes.is_empty() { "note" } else { "error" },
            file: &self.name,
            line: None,
            column: None,
            code: None,
            message: &self.message,
            help: None,
            notes,
        })
    }
}

/// Writes the counter-example; the answer tells what was done.
///
/// # Errors
/// [`Error::Usage`]: the file cannot be written.
pub(super) fn save(
    checked: &[Checked],
    explored: &[Explored],
    place: &Path,
) -> Result<String, Error> {
    let definition = checked.iter().find_map(|file| {
        let (definition, _) = file.result.as_ref().ok()?;
        Some((definition, &file.name))
    });
    let example = explored.iter().find_map(|one| one.report.broken.as_ref());
    let (Some((definition, name)), Some(example)) = (definition, example) else {
        return Ok("there is no counter-example, so nothing was saved".to_owned());
    };
    let saved = check::save(definition, &seen_from(place, Path::new(name)), example);
    std::fs::write(place, saved.text)
        .map_err(|error| Error::Usage(format!("{}: {error}", place.display())))?;
    let doubt = match saved.faithful {
        true => "",
        false => "; its data do not lead the same way yet, see there",
    };
    Ok(format!("saved to {}{doubt}", place.display()))
}

/// The definition's path as the scenario file writes it: relative where both are in one folder.
fn seen_from(place: &Path, definition: &Path) -> String {
    let folder = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
    let path = if folder(place) == folder(definition) {
        definition.file_name().map(PathBuf::from)
    } else {
        std::path::absolute(definition).ok()
    };
    path.unwrap_or_else(|| definition.to_owned())
        .display()
        .to_string()
}
