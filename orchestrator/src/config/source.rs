//! Where values come from: the file, environment variables, flags.
//!
//! Absent on purpose: reading the process's environment deep inside. It is handed in, so tests need no global state.

use std::path::{Path, PathBuf};

use figment::providers::{Data, Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::Error;
use super::resolve::default_file;
use crate::suggest::nearest;

/// Everything a configuration is made from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file named by `--config`; else `SKALD_CONFIG`; else `skald.toml` if it is there.
    pub config: Option<PathBuf>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Flags that set a key.
    pub flags: Vec<Assignment>,
}

impl Sources {
    /// Sources of this process.
    pub fn of_process(config: Option<PathBuf>, flags: Vec<Assignment>) -> Self {
        // A variable that is not UTF-8 cannot be a setting of ours, and must not stop the start.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            config,
            environment: std::env::vars_os().filter_map(text).collect(),
            flags,
        }
    }

    /// The file to read, if any.
    ///
    /// # Errors
    /// [`Error::Missing`] for a file that was named but is not there.
    pub fn file(&self) -> Result<Option<PathBuf>, Error> {
        let variable = self.environment.iter().find(|(name, _)| name == CONFIG);
        let named = self
            .config
            .clone()
            .or_else(|| variable.map(|(_, path)| path.into()));
        match named {
            Some(path) if path.is_file() => Ok(Some(path)),
            Some(path) => Err(Error::Missing { path }),
            None => Ok(Some(default_file().to_owned()).filter(|path| path.is_file())),
        }
    }
}

/// One key set by a variable or a flag.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Key with its tables, e.g. `kafka.brokers`.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// Where it was set, as messages name it.
    pub place: String,
}

impl Assignment {
    /// A key set by a flag, if the flag was given.
    pub fn flag(key: &str, flag: &str, value: Option<impl Into<Value>>) -> Option<Self> {
        Some(Self {
            key: key.into(),
            value: value?.into(),
            place: format!("flag `{flag}`"),
        })
    }
}

impl Assignment {
    /// `inbox.secrets` from a text `id=secret,id=secret`.
    pub fn secrets(flag: &str, text: &str) -> Self {
        Self {
            key: "inbox.secrets".into(),
            value: Form::Secrets.read(text),
            place: format!("flag `{flag}`"),
        }
    }
}

impl Provider for Assignment {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.place.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let nested = figment::util::nest(&self.key, self.value.clone());
        let dict = nested.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

/// The file as a provider; the error for a file that cannot be read is ours, because figment's does not name it.
pub(super) fn file(path: &Path) -> Result<Data<Toml>, Error> {
    std::fs::File::open(path).map_err(|error| Error::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(Toml::file_exact(path))
}

/// Assignments for the known `SKALD_*` variables, and warnings about those that look like settings but are none.
pub(super) fn variables(environment: &[(String, String)]) -> (Vec<Assignment>, Vec<String>) {
    let (mut assignments, mut warnings) = (Vec::new(), Vec::new());
    for (name, text) in environment {
        let Some(rest) = name.strip_prefix("SKALD_") else {
            continue;
        };
        match assignment(name, rest, text) {
            Some(assignment) => assignments.push(assignment),
            // Container platforms inject `SKALD_SERVICE_HOST` and the like, so an unknown variable is no error.
            None => warnings.extend(warning(name, rest)),
        }
    }
    (assignments, warnings)
}

fn assignment(name: &str, rest: &str, text: &str) -> Option<Assignment> {
    let place = format!("environment variable `{name}`");
    if let Some(setting) = rest.strip_prefix("KAFKA_SETTINGS_") {
        let dotted = setting.to_lowercase().replace('_', ".");
        return Some(Assignment {
            key: format!("kafka.settings.{dotted}"),
            value: Value::from(text),
            place,
        });
    }
    let (key, form) = KEYS.iter().find(|(key, _)| variable(key) == rest)?;
    Some(Assignment {
        key: (*key).to_owned(),
        value: form.read(text),
        place,
    })
}

fn variable(key: &str) -> String {
    key.replace('.', "_").to_uppercase()
}

fn warning(name: &str, rest: &str) -> Option<String> {
    if name == CONFIG || IGNORED.iter().any(|prefix| rest.starts_with(prefix)) {
        return None;
    }
    let names: Vec<String> = KEYS.iter().map(|(key, _)| key.replace('.', "_")).collect();
    let near = nearest(rest, names.iter().map(String::as_str))?;
    Some(format!(
        "environment variable `{name}` is no setting; did you mean `SKALD_{}`?",
        variable(near)
    ))
}

const CONFIG: &str = "SKALD_CONFIG";

/// Variables with these beginnings belong to tests, container platforms and single flags.
const IGNORED: [&str; 5] = ["ACTOR", "TEST_", "SERVICE_", "PORT", "CONFIG"];

/// How a variable's text becomes a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// As it is.
    Text,
    /// A number or `true`/`false`.
    Scalar,
    /// `id=secret,id=secret`.
    Secrets,
    /// `topic=format,topic=format`.
    Pairs,
}

impl Form {
    fn read(self, text: &str) -> Value {
        match self {
            Self::Text => Value::from(text),
            // Parsing cannot fail: what is neither number nor flag stays text, and the key's own type refuses it.
            Self::Scalar => text.parse().unwrap_or_else(|_| Value::from(text)),
            Self::Secrets => Value::from(text.split(',').map(secret).collect::<Vec<_>>()),
            Self::Pairs => Value::from(text.split(',').map(pair).collect::<Dict>()),
        }
    }
}

fn secret(pair: &str) -> Dict {
    let (id, secret) = pair.split_once('=').unwrap_or((pair, ""));
    let entry = |key: &str, text: &str| (key.to_owned(), Value::from(text));
    Dict::from([entry("id", id.trim()), entry("secret", secret)])
}

/// Without `=` the value is empty, and the key's own type refuses it.
fn pair(text: &str) -> (String, Value) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.trim().to_owned(), Value::from(value.trim()))
}

/// Every key that a variable can set.
pub(super) const KEYS: [(&str, Form); 30] = [
    ("app", Form::Text),
    ("instance", Form::Text),
    ("lanes", Form::Scalar),
    ("workers", Form::Scalar),
    ("roles", Form::Text),
    ("deploy", Form::Text),
    ("kafka.brokers", Form::Text),
    ("redis.url", Form::Text),
    ("timeouts.transaction", Form::Text),
    ("timeouts.session", Form::Text),
    ("timeouts.poll_interval", Form::Text),
    ("batch.records", Form::Scalar),
    ("batch.bytes", Form::Text),
    ("batch.wait", Form::Text),
    ("ingress.dead_letters_in_a_row", Form::Scalar),
    ("ingress.dead_letters_ratio", Form::Scalar),
    ("resend.per_second", Form::Scalar),
    ("resend.burst", Form::Scalar),
    ("http.listen", Form::Text),
    ("topics.create_missing", Form::Scalar),
    ("topics.formats", Form::Pairs),
    ("registry.url", Form::Text),
    ("registry.user", Form::Text),
    ("registry.password", Form::Text),
    ("registry.timeout", Form::Text),
    ("schemas.folder", Form::Text),
    ("inbox.secrets", Form::Secrets),
    ("inbox.require_signature", Form::Scalar),
    ("log.format", Form::Text),
    ("log.filter", Form::Text),
];
