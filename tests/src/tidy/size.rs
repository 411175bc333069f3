//! Sizes: files, functions, parameters.
//!
//! Absent on purpose: complexity measures; short functions have none.

use super::Violation;
use super::source::{Function, Source};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const PARAMETERS_MAX: usize = 6;

/// What is too large in a file.
pub fn check(source: &Source<'_>) -> Vec<Violation> {
    let functions = source.functions();
    let mut violations: Vec<Violation> = functions
        .iter()
        .flat_map(|function| check_function(source.path, function))
        .collect();
    violations.extend(check_file(source));
    violations
}

fn check_file(source: &Source<'_>) -> Option<Violation> {
    let lines = source.code().count();
    (lines > FILE_LINES_MAX).then(|| {
        let advice = format!(
            "{lines} lines without tests, at most {FILE_LINES_MAX} are allowed: split the file by topic"
        );
        Violation::new(source.path, FILE_LINES_MAX, advice)
    })
}

fn check_function(path: &str, function: &Function) -> Vec<Violation> {
    let (name, mut violations) = (&function.name, Vec::new());
    if function.lines > FUNCTION_LINES_MAX {
        let advice = format!(
            "`{name}` has {} lines, at most {FUNCTION_LINES_MAX} are allowed: name its parts",
            function.lines
        );
        violations.push(Violation::new(path, function.line, advice));
    }
    if function.parameters > PARAMETERS_MAX {
        let advice = format!(
            "`{name}` has {} parameters, at most {PARAMETERS_MAX} are allowed: make them a struct",
            function.parameters
        );
        violations.push(Violation::new(path, function.line, advice));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &str) -> Vec<usize> {
        let source = Source::new("a/src/lib.rs", text);
        check(&source).iter().map(|v| v.line).collect()
    }

    #[test]
    fn long_files_are_told() {
        assert!(lines_of(&"x;\n".repeat(500)).is_empty());
        assert_eq!(lines_of(&"x;\n".repeat(501)), [501]);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "x;\n".repeat(900));
        assert!(lines_of(&tests).is_empty());
    }

    #[test]
    fn long_functions_are_told() {
        let function = |lines: usize| format!("\nfn f() {{\n{}}}\n", "x;\n".repeat(lines - 2));
        assert!(lines_of(&function(70)).is_empty());
        assert_eq!(lines_of(&function(71)), [2]);
    }

    #[test]
    fn many_parameters_are_told() {
        let six = "fn f(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: (u8, u8)) {}";
        assert!(lines_of(six).is_empty());
        assert_eq!(lines_of(&six.replace("&self", "x: X")), [1]);
    }
}
