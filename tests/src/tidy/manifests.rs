//! Manifests: which crate may depend on what.
//!
//! ```text
//! saga-lib <- schemas <- connectors <- orchestrator <- tests
//! ```
//! Absent on purpose: a TOML parser; the manifests are ours and plain.

use super::Violation;

/// The crates from the bottom up; arrows point down.
const CRATES: [&str; 5] = ["saga-lib", "schemas", "connectors", "orchestrator", "tests"];

/// What the pure crates may use outside of tests: no I/O, no clock, no randomness.
const SAGA_LIB: [&str; 9] = [
    "annotate-snippets",
    "cel",
    "granit-parser",
    "regex",
    "serde",
    "serde_json",
    "strsim",
    "thiserror",
    "xxhash-rust",
];
const SCHEMAS: [&str; 10] = [
    "saga-lib",
    "base64",
    "hmac",
    "percent-encoding",
    "rmp-serde",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "xxhash-rust",
];

/// What is wrong in the manifest of the crate in directory `name`.
pub fn check(path: &str, name: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for dependency in dependencies(text) {
        let advice = arrow(name, &dependency).or_else(|| foreign(name, &dependency));
        violations.extend(advice.map(|advice| Violation::new(path, dependency.line, advice)));
    }
    violations.extend(lints(path, text));
    violations
}

struct Dependency<'a> {
    line: usize,
    name: &'a str,
    is_dev: bool,
}

/// Both `name = ...` in a section of dependencies and sections `[dependencies.name]`.
fn dependencies(text: &str) -> Vec<Dependency<'_>> {
    let (mut found, mut section) = (Vec::new(), "");
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
        }
        let is_dev = section.contains("dev-dependencies");
        let name = match section.rsplit_once("dependencies.") {
            Some((_, name)) if line.starts_with('[') => name,
            _ if section.ends_with("dependencies") => key(line),
            _ => "",
        };
        if !name.is_empty() {
            found.push(Dependency {
                line: number,
                name,
                is_dev,
            });
        }
    }
    found
}

fn key(line: &str) -> &str {
    if line.starts_with(['#', '[']) {
        return "";
    }
    line.split(['.', '=', ' ']).next().unwrap_or_default()
}

fn arrow(name: &str, dependency: &Dependency<'_>) -> Option<String> {
    let rank = |name: &str| CRATES.iter().position(|known| *known == name);
    let (from, to) = (rank(name)?, rank(dependency.name)?);
    (to >= from).then(|| {
        format!(
            "`{name}` depends on `{}`, which stands above it: move the shared part down, or decide on a new arrow in \
             orchestrator/docs/decisions",
            dependency.name
        )
    })
}

fn foreign(name: &str, dependency: &Dependency<'_>) -> Option<String> {
    let allowed: &[&str] = match name {
        "saga-lib" => &SAGA_LIB,
        "schemas" => &SCHEMAS,
        _ => return None,
    };
    let is_fine = dependency.is_dev || allowed.contains(&dependency.name);
    (!is_fine).then(|| {
        format!(
            "`{name}` is pure and `{}` is not on its list: do without, or show that it does no I/O and add it to the rule",
            dependency.name
        )
    })
}

fn lints(path: &str, text: &str) -> Option<Violation> {
    let mut lines = text.lines().map(str::trim);
    let has_section = lines.any(|line| line == "[lints]");
    let is_shared = has_section && lines.next() == Some("workspace = true");
    (!is_shared).then(|| {
        let advice =
            "the lints of the workspace are not in force: add `[lints]` with `workspace = true`";
        Violation::new(path, text.lines().count().saturating_sub(1), advice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn lines(name: &str, text: &str) -> Vec<usize> {
        let violations = check("a/Cargo.toml", name, text);
        violations.iter().map(|v| v.line).collect()
    }

    #[test]
    fn arrows_that_point_up_are_told() {
        let up = format!("[dependencies]\nserde = \"1\"\norchestrator.workspace = true\n{LINTS}");
        assert_eq!(lines("connectors", &up), [3]);
        assert!(lines("tests", &up).is_empty());
        let section = format!("[dev-dependencies.tests]\npath = \"../tests\"\n{LINTS}");
        assert_eq!(lines("connectors", &section), [1]);
        let own = format!("[target.'cfg(unix)'.dependencies]\nschemas = {{}}\n{LINTS}");
        assert_eq!(lines("schemas", &own), [2]);
        let down = format!("[dependencies]\nsaga-lib.workspace = true\n{LINTS}");
        assert!(lines("connectors", &down).is_empty());
    }

    #[test]
    fn impure_dependencies_are_told() {
        let text = format!(
            "[dependencies]\n# tokio = 1\nserde = \"1\"\ntokio = \"1\"\n[dev-dependencies]\ntempfile = \"3\"\n{LINTS}"
        );
        assert_eq!(lines("saga-lib", &text), [4]);
        assert_eq!(lines("schemas", &text), [4]);
        assert!(lines("connectors", &text).is_empty());
    }

    #[test]
    fn missing_lints_are_told() {
        assert_eq!(lines("connectors", "[package]\nname = \"a\"\n"), [2]);
        assert_eq!(lines("connectors", "[lints]\nrust = \"a\"\n"), [2]);
        assert!(lines("connectors", LINTS).is_empty());
    }
}
