//! Purity: the lower crates decide without clock, randomness, threads, files, network or hash order.
//!
//! Absent on purpose: macros of other crates; the list of dependencies (see `manifests`) keeps those out.

use super::Violation;
use super::source::{Source, line_of, words};

/// Impure modules of `std`.
const MODULES: [&str; 5] = ["fs", "net", "thread", "env", "process"];

/// Here hash maps are the evaluator's own type for objects; the module sorts them before anybody sees an order.
const HASH_MAPS_ALLOWED: [&str; 1] = ["saga-lib/src/expr/json.rs"];

/// What breaks purity in a file of a pure crate.
pub fn check(source: &Source<'_>) -> Vec<Violation> {
    let is_pure = matches!(source.crate_name(), "saga-lib" | "schemas");
    if !is_pure || !source.path.contains("/src/") {
        return Vec::new();
    }
    let mut violations: Vec<Violation> = source
        .code()
        .flat_map(|(line, code)| check_line(source, line, code))
        .collect();
    violations.extend(imports(source));
    violations
}

fn check_line(source: &Source<'_>, line: usize, code: &str) -> Vec<Violation> {
    let has_hash_maps =
        source.crate_name() != "saga-lib" || HASH_MAPS_ALLOWED.contains(&source.path);
    let advice = |word: &str| match word {
        "SystemTime" | "Instant" => Some("a clock: take the time from the input"),
        "rand" => Some("randomness: derive it from ids by a hash"),
        "async" | "await" => Some("`async`: return an effect and let the shell wait"),
        "println" | "eprintln" | "print" => Some("output: return it"),
        "HashMap" | "HashSet" if !has_hash_maps => Some("hash order: use `BTreeMap` or `BTreeSet`"),
        _ => None,
    };
    let mut violations: Vec<Violation> = words(code)
        .filter_map(|(_, word)| advice(word))
        .map(|advice| violation(source, line, advice))
        .collect();
    let is_direct = |module: &&&str| has_path(code, module) && !code.contains("use std::");
    violations.extend(
        MODULES
            .iter()
            .filter(is_direct)
            .map(|m| module(source, line, m)),
    );
    violations
}

fn has_path(code: &str, module: &str) -> bool {
    let path = format!("std::{module}");
    code.match_indices(&path).any(|(at, _)| {
        let after = code[at + path.len()..].chars().next();
        !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// `use std::{..., fs}` names a module without the path before it.
fn imports(source: &Source<'_>) -> Vec<Violation> {
    let code = &source.masked.code;
    let mut violations = Vec::new();
    for (at, _) in code.match_indices("use std::") {
        let line = line_of(code, at);
        let statement = code[at..].split(';').next().unwrap_or_default();
        let found = MODULES
            .iter()
            .filter(|module| words(statement).any(|(_, word)| word == **module));
        if !source.is_test(line) {
            violations.extend(found.map(|name| module(source, line, name)));
        }
    }
    violations
}

fn module(source: &Source<'_>, line: usize, module: &str) -> Violation {
    let advice =
        format!("`std::{module}` does I/O: return an effect, or move this to `connectors`");
    violation(source, line, &advice)
}

fn violation(source: &Source<'_>, line: usize, advice: &str) -> Violation {
    let advice = format!("`{}` is pure, this is {advice}", source.crate_name());
    Violation::new(source.path, line, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Source::new(path, text)).len()
    }

    #[test]
    fn impure_code_is_told() {
        for text in [
            "use std::time::Instant;",
            "let t = std::time::SystemTime::now();",
            "use std::fs;",
            "use std::{\n    fmt,\n    net::TcpStream,\n};",
            "std::thread::spawn(f);",
            "let v = std::env::var(x);",
            "use std::process::Command;",
            "rand::random()",
            "async fn f() {}",
            "println!()",
            "use std::collections::HashMap;",
            "fn f(x: &HashSet<u8>) {}",
        ] {
            assert_eq!(count("saga-lib/src/a.rs", text), 1, "{text}");
            assert_eq!(count("connectors/src/a.rs", text), 0, "{text}");
            let test = format!("#[cfg(test)]\nmod tests {{\n{text}\n}}\n");
            assert_eq!(count("saga-lib/src/a.rs", &test), 0, "{text}");
        }
    }

    #[test]
    fn pure_code_is_not() {
        for text in [
            "use std::time::Duration;",
            "// std::fs",
            "let fs = \"std::fs\";",
            "let operand = random;",
            "use std::collections::BTreeMap;",
            "use std::fmt;\nlet process = env;",
        ] {
            assert_eq!(count("saga-lib/src/a.rs", text), 0, "{text}");
        }
        assert_eq!(
            count("schemas/src/a.rs", "use std::collections::HashMap;"),
            0
        );
        assert_eq!(count("schemas/src/a.rs", "use std::fs;"), 1);
    }
}
