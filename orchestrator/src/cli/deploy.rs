//! `skald deploy FILE...`: compiles definitions and publishes them.
//!
//! Absent on purpose: half a deploy. One mistake, or one version that changed, and nothing is written.

use std::path::{Path, PathBuf};

use connectors::log::Log;
use saga_lib::definition;
use schemas::bundle::Bundle;
use schemas::topics::Topics;

use super::check::{self, Checked};
use super::operator::OperatorArgs;
use super::settings::SettingsArgs;
use super::{Error, connect};
use crate::client;
use crate::client::deploy::{Deployed, Request};
use crate::output::{Console, Format};
use crate::worker::wall_ms;

/// Arguments of `deploy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Definitions in YAML, or directories of them.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Start these versions from now on, also where a newer one is active.
    #[arg(long)]
    pub activate: bool,
    /// Who deploys, and why.
    #[command(flatten)]
    pub operator: OperatorArgs,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Compiles everything, then publishes it in one transaction.
///
/// # Errors
/// [`Error::Shown`] for mistakes in definitions, [`Error::Refused`] for a changed version.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    let settings = args.settings.load(Vec::new(), console)?;
    let bundles = compile(&args.files, console)?;
    let mut log = connect::log(&settings, &client::deploy::options(&settings.names))?;
    let request = Request {
        bundles: &bundles,
        activate: args.activate,
        operator: &args.operator.operator(),
        schemas: &settings.schemas,
    };
    let deployed = publish(&mut log, &settings.names, request)?;
    show(&deployed, console)
}

/// Compiles the definitions of files and directories; mistakes are shown as `check` shows them.
///
/// # Errors
/// [`Error::Shown`] if there was a mistake.
pub fn compile(files: &[PathBuf], console: &mut Console<'_>) -> Result<Vec<Bundle>, Error> {
    let files = expand(files)?;
    let checked = check::check_all(&files, console.color);
    if checked.iter().any(|file| file.mistakes() > 0) {
        match console.format {
            Format::Json => console.json(&check::findings(&checked))?,
            Format::Table => check::show(&checked, console)?,
        }
        console.talk(&check::summary(&checked));
        return Err(Error::Shown);
    }
    for file in checked.iter().filter(|file| !file.warnings.1.is_empty()) {
        console.talk(file.warnings.1.trim_end_matches('\n'));
    }
    Ok(checked.into_iter().filter_map(bundle).collect())
}

/// Publishes; events start the newest version from then on.
///
/// # Errors
/// As [`client::deploy::deploy`].
pub fn publish<L: Log>(
    log: &mut L,
    names: &Topics,
    request: Request<'_>,
) -> Result<Vec<Deployed>, Error> {
    Ok(client::deploy::deploy(log, names, request, wall_ms())?)
}

fn bundle(file: Checked) -> Option<Bundle> {
    let (definition, source) = file.result.ok()?;
    let name = Path::new(&file.name).file_name()?;
    Some(Bundle::new(definition, source, name.to_string_lossy()).using(file.used))
}

/// Directories stand for the `*.yaml` and `*.yml` in them, sorted, so that every machine deploys in one order.
fn expand(files: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut expanded = Vec::new();
    for path in files {
        if !path.is_dir() {
            expanded.push(path.clone());
            continue;
        }
        let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
            .map_err(|e| unreadable(path, &e))?
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|path| is_definition(path))
            .collect();
        inside.sort();
        if inside.is_empty() {
            return Err(Error::Refused(format!(
                "directory `{}` has no `*.yaml` or `*.yml`",
                path.display()
            )));
        }
        expanded.extend(inside);
    }
    Ok(expanded)
}

/// Scenarios (`order.test.yaml`), contracts and fragments stand beside their definition and are none themselves.
fn is_definition(path: &Path) -> bool {
    let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let scenario = path.to_string_lossy().contains(".test.");
    let is_part = || std::fs::read_to_string(path).is_ok_and(|text| definition::is_part(&text));
    yaml && !scenario && !is_part()
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Refused(format!("`{}` cannot be read: {error}", path.display()))
}

fn show(deployed: &[Deployed], console: &mut Console<'_>) -> Result<(), Error> {
    if console.format == Format::Json {
        return Ok(console.json(&deployed)?);
    }
    let rows = deployed.iter().map(|d| {
        let what = if d.known { "was there" } else { "deployed" };
        vec![
            format!("{}@{}", d.name, d.version),
            d.hash.clone(),
            what.into(),
            format!("{}@{}", d.name, d.active),
        ]
    });
    Ok(console.table(&["version", "hash", "result", "active"], rows.collect())?)
}
