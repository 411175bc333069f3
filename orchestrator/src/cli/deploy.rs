//! `skald deploy FILE...`: compiles definitions and publishes them.
//!
//! Absent on purpose: half a deploy. One mistake, or one version that changed, and nothing is written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use connectors::kafka::KafkaLog;
use connectors::log::Log;
use serde::Serialize;

use super::check::{self, Checked};
use super::settings::SettingsArgs;
use super::{Error, connect};
use crate::deployment::{Activation, Compiled, Deployer, Effect};
use crate::output::{Console, Format};
use crate::process;
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
    /// Where the configuration comes from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// Compiles everything, then publishes it in one transaction.
///
/// # Errors
/// [`Error::Shown`] for mistakes in definitions, [`Error::Refused`] for a changed version.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    let compiled = compile(&args.files, console)?;
    let connected = connect::connect(&args.settings, Duration::ZERO, console)?;
    let settings = &connected.settings;
    let cluster = settings.kafka.cluster();
    let mut deployer = Deployer::<KafkaLog>::open(&cluster, &settings.names, &settings.timeouts)?;
    let activation = if args.activate {
        Activation::These
    } else {
        Activation::Newer
    };
    let deployed = publish(&mut deployer, &compiled, activation)?;
    show(&deployed, console)
}

/// What became of one definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployed {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u32,
    /// Hash.
    pub hash: String,
    /// What became of it.
    pub effect: Effect,
    /// The version that events start from now on.
    pub active: u32,
}

/// Compiles the definitions of files and directories; mistakes are shown as `check` shows them.
///
/// # Errors
/// [`Error::Shown`] if there was a mistake.
pub fn compile(files: &[PathBuf], console: &mut Console<'_>) -> Result<Vec<Compiled>, Error> {
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
    Ok(checked.into_iter().filter_map(compiled).collect())
}

/// Publishes.
///
/// # Errors
/// As [`Deployer::deploy_as`].
pub fn publish<L: Log>(
    deployer: &mut Deployer<L>,
    compiled: &[Compiled],
    activation: Activation,
) -> Result<Vec<Deployed>, Error> {
    let effects = deployer
        .deploy_as(compiled, activation, wall_ms())
        .map_err(process::Error::from)?;
    let deployed = compiled.iter().zip(effects).map(|(compiled, effect)| {
        let definition = &compiled.definition;
        Deployed {
            active: deployer
                .active(&definition.name)
                .unwrap_or(definition.version),
            name: definition.name.clone(),
            version: definition.version,
            hash: definition.hash(),
            effect,
        }
    });
    Ok(deployed.collect())
}

fn compiled(file: Checked) -> Option<Compiled> {
    let (definition, source) = file.result.ok()?;
    let name = Path::new(&file.name).file_name()?;
    Some(Compiled {
        definition,
        source,
        file: name.to_string_lossy().into_owned(),
    })
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

/// Scenarios (`order.test.yaml`) stand beside their definition and are none themselves.
fn is_definition(path: &Path) -> bool {
    let scenario = path.to_string_lossy().contains(".test.");
    path.extension().is_some_and(|e| e == "yaml" || e == "yml") && !scenario
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Refused(format!("`{}` cannot be read: {error}", path.display()))
}

fn show(deployed: &[Deployed], console: &mut Console<'_>) -> Result<(), Error> {
    if console.format == Format::Json {
        return Ok(console.json(&deployed)?);
    }
    let rows = deployed.iter().map(|d| {
        let what = match d.effect {
            Effect::Deployed => "deployed",
            Effect::Activated => "activated",
            Effect::Published => "deployed, not active",
            Effect::Unchanged => "unchanged",
        };
        vec![
            format!("{}@{}", d.name, d.version),
            d.hash.clone(),
            what.into(),
            format!("{}@{}", d.name, d.active),
        ]
    });
    Ok(console.table(&["version", "hash", "result", "active"], rows.collect())?)
}
