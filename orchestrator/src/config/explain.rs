//! From the errors of the configuration library to ours: key, place, cause, and what was probably meant.
//!
//! Absent on purpose: values of keys that may hold secrets never reach a message.

use figment::error::{Actual, Kind};
use figment::{Metadata, Source};

use super::Error;
use crate::suggest::nearest;

/// The first cause of `error`.
pub(super) fn explain(error: figment::Error) -> Error {
    let place = error
        .metadata
        .as_ref()
        .map_or("configuration".into(), place);
    let path = error.path.join(".");
    match error.kind {
        Kind::UnknownField(field, known) => unknown(&error.path, &field, known, place),
        Kind::Message(reason) if path.is_empty() => Error::Syntax {
            reason: without_source(&reason),
            place,
        },
        kind => Error::Value {
            reason: reason(&path, kind),
            key: path,
            place,
        },
    }
}

fn unknown(path: &[String], field: &str, known: &[&'static str], place: String) -> Error {
    // The library may or may not have pushed the field itself onto the path.
    let tables = match path.split_last() {
        Some((last, tables)) if last == field => tables,
        _ => path,
    };
    let join = |name: &str| {
        let mut names: Vec<&str> = tables.iter().map(String::as_str).collect();
        names.push(name);
        names.join(".")
    };
    Error::UnknownKey {
        key: join(field),
        place,
        suggestion: nearest(field, known.iter().copied()).map(join),
    }
}

fn reason(path: &str, kind: Kind) -> String {
    match kind {
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!(
                "found {}, expected {}",
                shown(path, &found),
                plain(&expected.to_string())
            )
        }
        Kind::MissingField(field) => format!("`{field}` is missing"),
        kind => kind.to_string(),
    }
}

/// Words for the number types of the program.
fn plain(expected: &str) -> &str {
    match expected {
        "u16" | "u32" | "u64" | "usize" => "a whole number",
        "f64" => "a number",
        other => other,
    }
}

/// The parser quotes the line, which may hold a secret: only the position and the cause are kept.
fn without_source(reason: &str) -> String {
    let quoted = |line: &&str| !line.contains('|') && !line.trim().is_empty();
    reason.lines().filter(quoted).collect::<Vec<_>>().join(": ")
}

fn shown(path: &str, found: &Actual) -> String {
    let secret = [
        "inbox.secrets",
        "redis.url",
        "kafka.settings",
        "registry.password",
    ];
    if secret.iter().any(|key| path.starts_with(key)) {
        return "another form of value".into();
    }
    match found {
        Actual::Str(text) => format!("`{text}`"),
        Actual::Unsigned(number) => format!("`{number}`"),
        Actual::Signed(number) => format!("`{number}`"),
        Actual::Bool(flag) => format!("`{flag}`"),
        other => other.to_string(),
    }
}

fn place(metadata: &Metadata) -> String {
    match &metadata.source {
        Some(Source::File(path)) => {
            let here = std::env::current_dir().ok();
            let short = here.and_then(|dir| path.strip_prefix(dir).ok().map(|p| p.to_owned()));
            format!("`{}`", short.unwrap_or_else(|| path.clone()).display())
        }
        _ => metadata.name.to_string(),
    }
}
