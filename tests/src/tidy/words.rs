//! Words that must be there, and words that must not.
//!
//! Absent on purpose: spelling and style; reviewers read.

use super::Violation;
use super::source::{Source, is_test_file, words};

/// A module tells what it is for; tests beside their module need not.
pub fn module_docs(source: &Source<'_>) -> Option<Violation> {
    let first = source.text.lines().find(|line| !line.trim().is_empty());
    let is_documented =
        first.is_some_and(|line| line.starts_with("//! ")) || is_test_file(source.path);
    (!is_documented).then(|| {
        let advice = "no module documentation: begin with `//!`, say what the file is for and what is absent on purpose";
        Violation::new(source.path, 0, advice)
    })
}

/// Product code states why something cannot fail, or handles it. The crate `tests` is left to clippy, which knows its tests.
pub fn unwraps(source: &Source<'_>) -> Vec<Violation> {
    if source.crate_name() == "tests" {
        return Vec::new();
    }
    let hits = source.code().filter(|(_, line)| line.contains(".unwrap()"));
    let advice = "`unwrap` outside of tests: return an error, or `expect` with the invariant";
    hits.map(|(line, _)| Violation::new(source.path, line, advice))
        .collect()
}

/// Work that is left open names its issue: in comments of Rust code.
pub fn open_ends(source: &Source<'_>) -> Vec<Violation> {
    open_ends_of_text(source.path, &source.masked.comments)
}

/// The same in any text.
pub fn open_ends_of_text(path: &str, text: &str) -> Vec<Violation> {
    let is_open = |line: &str| words(line).any(|(_, w)| w == MARKS[0] || w == MARKS[1]);
    let hits = text.lines().enumerate();
    let hits = hits.filter(|(_, line)| is_open(line) && !names_an_issue(line));
    let advice = "open end without an issue: do it, or add `#<number>` of its issue to the line";
    hits.map(|(line, _)| Violation::new(path, line, advice))
        .collect()
}

/// Written in two parts, so that this file does not break its own rules.
const MARKS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

fn names_an_issue(line: &str) -> bool {
    let mut after = line.split('#').skip(1);
    after.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Nobody else has this machine's directories.
pub fn machine_paths(path: &str, text: &str) -> Vec<Violation> {
    let lines = text.lines().enumerate();
    let hits = lines.filter_map(|(line, text)| {
        let directory = DIRECTORIES.iter().find(|d| begins_a_path(text, d))?;
        let advice = format!("`{directory}` is a path of one machine: use a relative path");
        Some(Violation::new(path, line, advice))
    });
    hits.collect()
}

const DIRECTORIES: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/tm", "p/wt"),
    concat!("/ho", "me/"),
];

/// `a/b/` does not begin with `/b/`.
fn begins_a_path(line: &str, directory: &str) -> bool {
    let mut hits = line.match_indices(directory);
    hits.any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/}*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(violations: impl IntoIterator<Item = Violation>) -> Vec<usize> {
        violations.into_iter().map(|v| v.line).collect()
    }

    #[test]
    fn missing_module_docs_are_told() {
        for (text, expected) in [
            ("//! A noun.\n", &[][..]),
            ("\n//! A noun.\n", &[]),
            ("// A noun.\n", &[1]),
            ("use std::fmt;\n//! A noun.\n", &[1]),
            ("", &[1]),
        ] {
            let source = Source::new("a/src/b.rs", text);
            assert_eq!(lines(module_docs(&source)), expected, "{text:?}");
        }
        let tests = Source::new("a/src/b/tests.rs", "use super::*;\n");
        assert_eq!(module_docs(&tests), None);
    }

    #[test]
    fn unwraps_are_told_outside_of_tests() {
        let text = "x.unwrap();\n// x.unwrap();\n\"x.unwrap()\";\n#[cfg(test)]\nmod tests {\n    x.unwrap();\n}\n";
        assert_eq!(lines(unwraps(&Source::new("a/src/b.rs", text))), [1]);
        assert!(unwraps(&Source::new("a/src/b/tests.rs", text)).is_empty());
        assert!(unwraps(&Source::new("tests/src/b.rs", text)).is_empty());
    }

    #[test]
    fn open_ends_are_told() {
        let text = "// TODO later\n// TODO(#12) later\n// FIXME\n\"TODO\"\n// TODOS\n// TODO # 1\n";
        assert_eq!(
            lines(open_ends(&Source::new("a/src/b.rs", text))),
            [1, 3, 6]
        );
        assert_eq!(lines(open_ends_of_text("a.lua", "-- TODO\n")), [1]);
    }

    #[test]
    fn machine_paths_are_told() {
        for directory in DIRECTORIES {
            let text = format!("ok\ncd {directory}x\nsome{directory}x\n\"{directory}\"\n");
            assert_eq!(lines(machine_paths("a.sh", &text)), [2, 4], "{directory}");
        }
    }
}
