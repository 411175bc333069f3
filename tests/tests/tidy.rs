//! The source tree keeps its rules.
//!
//! Absent on purpose: the rules and their own tests; they stand in `tests::tidy`.

use std::path::Path;

#[test]
fn the_source_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let violations = tests::tidy::check(&root).unwrap();
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}
