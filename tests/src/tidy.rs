//! Rules of the source tree that neither the compiler nor clippy knows.
//!
//! Every rule tells file, line and what to do, and all violations are told at once. The code is rustfmt's, so rules look at masked
//! text (comments and literals blanked) instead of syntax trees. Absent on purpose: exceptions by comment; change the rule, or the code.

pub mod manifests;
pub mod mask;
pub mod purity;
pub mod size;
pub mod source;
pub mod tree;
pub mod words;

use std::fmt;
use std::path::Path;

use source::Source;

/// A place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// File, from the root.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub advice: String,
}

impl Violation {
    /// `line` counts from 0 here, as slices do.
    pub fn new(path: &str, line: usize, advice: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: line + 1,
            advice: advice.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.advice)
    }
}

/// Every violation below `root`, sorted.
///
/// # Errors
/// If the tree cannot be read.
pub fn check(root: &Path) -> std::io::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    for file in tree::files(root)? {
        violations.extend(check_file(&file.path, &file.text));
    }
    violations.sort();
    Ok(violations)
}

/// Every violation of one file.
pub fn check_file(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = words::machine_paths(path, text);
    if let Some(name) = path.strip_suffix("/Cargo.toml") {
        violations.extend(manifests::check(path, name, text));
    }
    if !path.ends_with(".rs") {
        violations.extend(words::open_ends_of_text(path, text));
        return violations;
    }
    let source = Source::new(path, text);
    violations.extend(words::open_ends(&source));
    violations.extend(words::module_docs(&source));
    violations.extend(words::unwraps(&source));
    violations.extend(size::check(&source));
    violations.extend(purity::check(&source));
    violations
}
