//! `skald test [FILE|DIRECTORY...]`: plays scenario files without any server.
//!
//! Absent on purpose: servers, topics and time. A scenario's clock jumps, so the whole run takes milliseconds.

use std::path::{Path, PathBuf};

use saga_lib::ir::Definition;
use saga_lib::scenario::{self, Difference, File, Scenario};
use serde::Serialize;

use super::Error;
use super::check;
use crate::output::{Console, Format, span};

/// What a scenario file's name ends with.
const SUFFIX: &str = ".test.yaml";

/// Arguments of `test`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenario files (`*.test.yaml`), definitions that have one beside them, or directories.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Only scenarios whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
}

/// One played scenario.
#[derive(Debug, Serialize)]
struct Played {
    file: String,
    scenario: String,
    passed: bool,
    /// Virtual time it took, ms.
    took_ms: i64,
    commands: Vec<String>,
    differences: Vec<Difference>,
}

/// Plays; differences are data, so they go to stdout.
///
/// # Errors
/// [`Error::Usage`] for a file that is no scenario file, [`Error::Shown`] if a scenario failed.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    let mut played = Vec::new();
    for path in scenario_files(&args.files)? {
        played.extend(file(&path, args.only.as_deref())?);
    }
    match console.format {
        Format::Json => console.json(&played)?,
        Format::Table => {
            for one in &played {
                console.line(&text(one))?;
            }
        }
    }
    let failed = played.iter().filter(|p| !p.passed).count();
    console.talk(&format!("{} scenarios, {failed} failed", played.len()));
    if played.is_empty() {
        return Err(Error::Usage("no scenario found".into()));
    }
    if failed > 0 {
        Err(Error::Shown)
    } else {
        Ok(())
    }
}

/// The scenario files that arguments name.
fn scenario_files(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for path in arguments {
        if path.is_dir() {
            found.extend(inside(path)?);
        } else if path.to_string_lossy().ends_with(SUFFIX) {
            found.push(path.clone());
        } else {
            found.push(beside(path)?);
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn inside(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |e: std::io::Error| Error::Usage(format!("{}: {e}", directory.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            found.extend(inside(&path)?);
        } else if path.to_string_lossy().ends_with(SUFFIX) {
            found.push(path);
        }
    }
    Ok(found)
}

fn beside(definition: &Path) -> Result<PathBuf, Error> {
    let scenarios = definition.with_extension(SUFFIX.trim_start_matches('.'));
    if scenarios.is_file() {
        return Ok(scenarios);
    }
    Err(Error::Usage(format!(
        "{} has no scenarios: write them to {}",
        definition.display(),
        scenarios.display()
    )))
}

fn file(path: &Path, only: Option<&str>) -> Result<Vec<Played>, Error> {
    let name = path.display().to_string();
    let file = read(path, &name)?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let definition = compiled(&folder.join(&file.definition))?;
    let wanted = |s: &&Scenario| only.is_none_or(|text| s.name.contains(text));
    let played = file.scenarios.iter().filter(wanted);
    Ok(played.map(|s| play(&name, &definition, s)).collect())
}

fn read(path: &Path, name: &str) -> Result<File, Error> {
    let source = std::fs::read_to_string(path).map_err(|e| Error::Usage(format!("{name}: {e}")))?;
    scenario::parse(name, &source).map_err(|error| match error {
        scenario::Error::Yaml(found) => {
            Error::Usage(saga_lib::definition::render(name, &source, &found, false))
        }
        error @ scenario::Error::Shape { .. } => Error::Usage(format!("{name}: {error}")),
    })
}

fn compiled(path: &PathBuf) -> Result<Definition, Error> {
    let mut checked = check::check_all(std::slice::from_ref(path), false);
    match checked.pop().map(|checked| checked.result) {
        Some(Ok((definition, _))) => Ok(definition),
        _ => Err(Error::Usage(format!(
            "{} has mistakes: `skald check` shows them",
            path.display()
        ))),
    }
}

fn play(file: &str, definition: &Definition, scenario: &Scenario) -> Played {
    let mut out = Played {
        file: file.to_owned(),
        scenario: scenario.name.clone(),
        passed: false,
        took_ms: 0,
        commands: Vec::new(),
        differences: Vec::new(),
    };
    match scenario::play(definition, scenario) {
        Ok(play) => {
            out.differences = scenario::judge(&scenario.expect, &play);
            out.took_ms = play.took_ms;
            out.commands = play.commands.into_iter().map(|c| c.name).collect();
        }
        Err(problem) => out.differences.push(Difference {
            what: "start".to_owned(),
            expected: "a trigger".to_owned(),
            found: problem,
        }),
    }
    out.passed = out.differences.is_empty();
    out
}

fn text(played: &Played) -> String {
    let word = if played.passed { "ok    " } else { "FAILED" };
    let head = format!(
        "{word}  {}: {} ({} virtual)",
        played.file,
        played.scenario,
        span(played.took_ms)
    );
    let lines = played.differences.iter().map(|d| {
        format!(
            "\n          {}: expected {}\n          {:width$}  found    {}",
            d.what,
            d.expected,
            "",
            d.found,
            width = d.what.len()
        )
    });
    format!("{head}{}", lines.collect::<String>())
}
