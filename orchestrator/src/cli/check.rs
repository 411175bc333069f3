//! `skald check FILE...`: compiles definitions and shows every mistake and warning of every file, then explores what can happen to them.
//!
//! The files that a definition uses are read beside it.
//!
//! Absent on purpose: servers. Whether topics exist is found out at deploy and start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use saga_lib::definition::{self, Diagnostic, Severity};
use saga_lib::ir::Definition;
use schemas::bundle::Used;
use serde::Serialize;

mod explore;

use super::Error;
use crate::output::{Console, Format};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Definitions in YAML.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Explore with four faults in one story, not two, and more states.
    #[arg(long)]
    pub deep: bool,
    /// Only compile.
    #[arg(long, conflicts_with_all = ["deep", "save"])]
    pub no_explore: bool,
    /// Write a counter-example as a scenario that `skald test` plays; its name must end with `.test.yaml`.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
}

/// Checks; mistakes and counter-examples are data, so they go to stdout.
///
/// # Errors
/// [`Error::Shown`] if there was a mistake or a counter-example, [`Error::Usage`] for a file that cannot be saved.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    let place = explore::place(args)?;
    let checked = check_all(&args.files, console.color);
    let explored = match args.no_explore {
        true => Vec::new(),
        false => explore::all(&checked, args.deep),
    };
    match console.format {
        Format::Json => {
            let mut all = findings(&checked);
            all.extend(explored.iter().filter_map(explore::Explored::finding));
            console.json(&all)?;
        }
        Format::Table => {
            show(&checked, console)?;
            for one in &explored {
                console.line(&one.text())?;
            }
        }
    }
    console.talk(&summary(&checked));
    let broken = explored.iter().any(|one| one.report.broken.is_some());
    if let Some(place) = place {
        console.talk(&explore::save(&checked, &explored, place)?);
    }
    let bad = checked.iter().any(|file| file.mistakes() > 0);
    if bad || broken {
        Err(Error::Shown)
    } else {
        Ok(())
    }
}

/// One checked file.
pub(super) struct Checked {
    pub(super) name: String,
    /// The definition, its source and the files it used.
    pub(super) result: Result<(Definition, String), Mistakes>,
    /// Contract and fragment files it used.
    pub(super) used: Vec<Used>,
    /// What may go wrong with a good definition, and the same for people.
    pub(super) warnings: (Vec<Diagnostic>, String),
}

pub(super) enum Mistakes {
    /// Not a readable text file, or in conflict with another one.
    File(String),
    /// Mistakes and warnings in its text, and the same for people.
    Text(Vec<Diagnostic>, String),
}

impl Checked {
    pub(super) fn mistakes(&self) -> usize {
        match &self.result {
            Ok(_) => 0,
            Err(Mistakes::File(_)) => 1,
            Err(Mistakes::Text(found, _)) => {
                let mistakes = found.iter().filter(|d| d.severity == Severity::Error);
                mistakes.count().max(1)
            }
        }
    }

    fn warnings(&self) -> usize {
        let found = match &self.result {
            Err(Mistakes::Text(found, _)) => found,
            _ => &self.warnings.0,
        };
        let warnings = found.iter().filter(|d| d.severity == Severity::Warning);
        warnings.count()
    }
}

/// One mistake, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Finding<'a> {
    severity: &'static str,
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    code: Option<&'a str>,
    message: &'a str,
    help: Option<&'a str>,
    notes: &'a [String],
}

pub(super) fn check_all(files: &[PathBuf], color: bool) -> Vec<Checked> {
    let mut checked: Vec<Checked> = files
        .iter()
        .map(|path| check_one(&path.display().to_string(), path, color))
        .collect();
    refuse_twins(&mut checked);
    checked
}

fn check_one(name: &str, path: &Path, color: bool) -> Checked {
    let mut warnings = (Vec::new(), String::new());
    let mut used = Vec::new();
    let result = match std::fs::read_to_string(path) {
        Err(error) => Err(Mistakes::File(format!("cannot be read: {error}"))),
        Ok(source) => {
            let compiled = definition::compile_with(name, &source, &read_used);
            let found = compiled.diagnostics;
            let text = definition::render_all(&compiled.sources, &found, color);
            match compiled.definition {
                Some(definition) => {
                    warnings = (found, text);
                    used = beside(path, compiled.sources);
                    Ok((definition, source))
                }
                None => Err(Mistakes::Text(found, text)),
            }
        }
    };
    Checked {
        name: name.to_owned(),
        result,
        warnings,
        used,
    }
}

/// Used files: those inside the definition's folder by their path from there, others by their path as it was read. The first source is
/// the definition itself.
fn beside(path: &Path, sources: Vec<definition::Source>) -> Vec<Used> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let used = sources.into_iter().skip(1).map(|source| {
        let name = Path::new(&source.name);
        let name = name.strip_prefix(folder).unwrap_or(name);
        Used {
            file: name.display().to_string(),
            text: source.text,
        }
    });
    used.collect()
}

/// Largest used file that is read at all; the compiler's own bound is lower.
const USED_BYTES_MAX: u64 = 1024 * 1024;

/// The text of a file that a definition uses. A device or a pipe would never end, so only files are read.
fn read_used(path: &str) -> Result<String, String> {
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is no file".to_owned());
    }
    if about.len() > USED_BYTES_MAX {
        return Err(format!("it has more than {USED_BYTES_MAX} bytes"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// A version is immutable, so two files must not describe one version differently.
fn refuse_twins(checked: &mut [Checked]) {
    let mut seen: BTreeMap<(String, u32), (String, String)> = BTreeMap::new();
    for file in checked {
        let Ok((definition, _)) = &file.result else {
            continue;
        };
        let version = (definition.name.clone(), definition.version);
        let hash = definition.hash();
        match seen.get(&version) {
            Some((first, known)) if *known != hash => {
                let (name, number) = version;
                file.result = Err(Mistakes::File(format!(
                    "describes `{name}@{number}` differently than {first}: give one of them another version"
                )));
            }
            Some(_) => {}
            None => {
                seen.insert(version, (file.name.clone(), hash));
            }
        }
    }
}

pub(super) fn show(checked: &[Checked], console: &mut Console<'_>) -> Result<(), Error> {
    for file in checked {
        match &file.result {
            Ok((definition, _)) => {
                let warnings = file.warnings.1.trim_end_matches('\n');
                if !warnings.is_empty() {
                    console.line(&format!("{warnings}\n"))?;
                }
                console.line(&good(&file.name, definition))?;
            }
            Err(Mistakes::File(message)) => {
                console.line(&format!("error: {} {message}\n", file.name))?;
            }
            Err(Mistakes::Text(_, text)) => console.line(text.trim_end_matches('\n'))?,
        }
        if file.mistakes() > 0 {
            console.line("")?;
        }
    }
    Ok(())
}

fn good(name: &str, definition: &Definition) -> String {
    format!(
        "{name}: {}@{} is good (hash {})",
        definition.name,
        definition.version,
        definition.hash()
    )
}

pub(super) fn findings(checked: &[Checked]) -> Vec<Finding<'_>> {
    let mut findings = Vec::new();
    for file in checked {
        match &file.result {
            Ok(_) => findings.extend(file.warnings.0.iter().map(finding)),
            Err(Mistakes::File(message)) => findings.push(Finding {
                severity: "error",
                file: &file.name,
                line: None,
                column: None,
                code: None,
                message,
                help: None,
                notes: &[],
            }),
            Err(Mistakes::Text(diagnostics, _)) => findings.extend(diagnostics.iter().map(finding)),
        }
    }
    findings
}

fn finding(diagnostic: &Diagnostic) -> Finding<'_> {
    Finding {
        severity: match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        file: &diagnostic.file,
        line: Some(diagnostic.line),
        column: Some(diagnostic.column),
        code: Some(diagnostic.code),
        message: &diagnostic.message,
        help: diagnostic.help.as_deref(),
        notes: &diagnostic.notes,
    }
}

pub(super) fn summary(checked: &[Checked]) -> String {
    let mistakes: usize = checked.iter().map(Checked::mistakes).sum();
    let bad = checked.iter().filter(|file| file.mistakes() > 0).count();
    let warnings: usize = checked.iter().map(Checked::warnings).sum();
    let files = counted(checked.len(), "file");
    let further = match warnings {
        0 => String::new(),
        _ => format!(", {}", counted(warnings, "warning")),
    };
    if mistakes == 0 {
        return format!("{files} checked, no mistakes{further}");
    }
    let found = counted(mistakes, "mistake");
    format!("{files} checked, {found} in {bad}{further}")
}

pub(super) fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests;
