//! A folder of `.avsc` files, read once.
//!
//! Files may use each other's types. Absent on purpose: folders within the folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemas::avro::{Schema, SchemaError};
use schemas::event::Found;

use super::Error;

/// Schemas by name.
#[derive(Debug, Default)]
pub(super) struct Folder {
    full: BTreeMap<String, Named>,
    /// `None`: several types end with this name.
    last: BTreeMap<String, Option<Arc<Schema>>>,
}

/// A schema and where it stands.
#[derive(Debug)]
struct Named {
    path: PathBuf,
    schema: Arc<Schema>,
}

struct File {
    path: PathBuf,
    text: String,
}

impl Folder {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let mut waiting = files(path)?;
        let (mut folder, mut texts) = (Self::default(), Vec::new());
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut failed = Vec::new();
            for file in waiting {
                match parse(&file.text, &texts) {
                    Ok(schema) => {
                        folder.add(&file.path, schema)?;
                        texts.push(file.text);
                    }
                    Err(error) => failed.push((file, error)),
                }
            }
            if failed.len() == before {
                return Err(worst(&failed));
            }
            waiting = failed.into_iter().map(|(file, _)| file).collect();
        }
        Ok(folder)
    }

    /// By full name, else by last name if it is the only one.
    pub(super) fn find(&self, name: &str) -> Found {
        if let Some(named) = self.full.get(name) {
            return Found::Schema(named.schema.clone());
        }
        match self.last.get(name) {
            Some(Some(schema)) => Found::Schema(schema.clone()),
            Some(None) => Found::Never(format!(
                "several types of `schemas.folder` are called `{name}`: use the full name"
            )),
            None => Found::Never(format!(
                "no file of `schemas.folder` has a type `{name}`: add it and restart"
            )),
        }
    }

    /// A schema that is no named type goes by the name of its file.
    fn add(&mut self, path: &Path, schema: Schema) -> Result<(), Error> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let full = schema.name().map_or(stem.into_owned(), str::to_owned);
        let schema = Arc::new(schema);
        if let Some(other) = self.full.get(&full) {
            return Err(Error::Unusable {
                what: format!("{} and {}", other.path.display(), path.display()),
                reason: format!("both define `{full}`: keep one of them"),
            });
        }
        if let Some((_, last)) = full.rsplit_once('.') {
            let only = self.last.contains_key(last).then_some(None);
            self.last
                .insert(last.to_owned(), only.unwrap_or(Some(schema.clone())));
        }
        let path = path.to_owned();
        self.full.insert(full, Named { path, schema });
        Ok(())
    }
}

/// A file's own mistake rather than that another one, perhaps this one, is missing.
fn worst(failed: &[(File, SchemaError)]) -> Error {
    let own = |(_, error): &&(File, SchemaError)| !matches!(error, SchemaError::Undefined { .. });
    let worst = failed.iter().find(own).or(failed.first());
    Error::Unusable {
        what: worst.map_or(String::new(), |(file, _)| file.path.display().to_string()),
        reason: worst.map_or(String::new(), |(_, error)| error.to_string()),
    }
}

/// Alone if that is possible: a file that repeats a type of another one is fine. Others help only where a type is missing; what they do
/// to each other must not hide a file's own mistake.
fn parse(text: &str, others: &[String]) -> Result<Schema, SchemaError> {
    Schema::parse(text).or_else(|own| match own {
        SchemaError::Undefined { .. } => Schema::parse_with(text, others),
        own => Err(own),
    })
}

fn files(path: &Path) -> Result<Vec<File>, Error> {
    let cannot = |path: &Path, error: &std::io::Error| Error::Folder {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let entries = fs::read_dir(path).map_err(|error| cannot(path, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| cannot(path, &error))?.path();
        if path.extension().is_some_and(|end| end == "avsc") {
            let text = fs::read_to_string(&path).map_err(|error| cannot(&path, &error))?;
            files.push(File { path, text });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
