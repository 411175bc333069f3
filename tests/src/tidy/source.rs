//! A Rust file as rules see it: masked lines, which of them are tests, and its functions.
//!
//! Absent on purpose: types and expressions.

use super::mask::{Masked, mask};

/// A Rust file.
#[derive(Debug)]
pub struct Source<'a> {
    /// From the root.
    pub path: &'a str,
    /// As it is.
    pub text: &'a str,
    /// Code and comments apart.
    pub masked: Masked,
    tests: Vec<(usize, usize)>,
}

/// A function with a body or without.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Name.
    pub name: String,
    /// First line, from 0.
    pub line: usize,
    /// Lines from `fn` to the closing brace.
    pub lines: usize,
    /// Parameters but `self`.
    pub parameters: usize,
}

impl<'a> Source<'a> {
    /// Masks `text`.
    pub fn new(path: &'a str, text: &'a str) -> Self {
        let masked = mask(text);
        let tests = test_regions(path, &masked.code);
        Self {
            path,
            text,
            masked,
            tests,
        }
    }

    /// The crate's directory.
    pub fn crate_name(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Lines of code outside of tests, numbered from 0.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.masked.code.lines().enumerate();
        lines.filter(|(line, _)| !self.is_test(*line))
    }

    /// Is the line, from 0, part of a test?
    pub fn is_test(&self, line: usize) -> bool {
        let holds = |(first, last): &(usize, usize)| (*first..=*last).contains(&line);
        self.tests.iter().any(holds)
    }

    /// Functions outside of tests.
    pub fn functions(&self) -> Vec<Function> {
        let code = &self.masked.code;
        let starts = words(code).filter(|(_, word)| *word == "fn");
        let functions = starts.filter_map(|(at, _)| function(code, at));
        functions.filter(|f| !self.is_test(f.line)).collect()
    }
}

/// Identifiers and keywords with their positions.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at + code[at..].find(is_word)?;
        let length = code[begin..].find(|c| !is_word(c));
        at = length.map_or(code.len(), |length| begin + length);
        Some((begin, &code[begin..at]))
    })
}

/// Number of the line at a position.
pub fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count()
}

fn test_regions(path: &str, code: &str) -> Vec<(usize, usize)> {
    if is_test_file(path) || code.contains("#![cfg(test)]") {
        return vec![(0, usize::MAX)];
    }
    let marks = ["#[cfg(test)]", "#[test]"];
    let starts = marks.iter().flat_map(|mark| code.match_indices(mark));
    let region = |(at, mark): (usize, &str)| {
        let end = item_end(code, at + mark.len());
        (line_of(code, at), line_of(code, end))
    };
    starts.map(region).collect()
}

/// `foo/tests.rs` and what stands in `foo/tests/`. The crate `tests` itself obeys the rules of any code.
pub fn is_test_file(path: &str) -> bool {
    let inner = path
        .split('/')
        .skip(1)
        .any(|part| part == "tests" || part == "tests.rs");
    inner && !path.starts_with("tests/")
}

/// Position of the brace or semicolon that ends the item at `from`.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_i32;
    for (at, char) in code[from..].char_indices() {
        depth += match char {
            '{' | '(' | '[' => 1,
            '}' | ')' | ']' => -1,
            _ => 0,
        };
        if depth == 0 && matches!(char, '}' | ';') {
            return from + at;
        }
    }
    code.len()
}

fn function(code: &str, at: usize) -> Option<Function> {
    let (name_at, name) = words(&code[at + 2..]).next()?;
    // `fn(` is a type, not a function.
    if !code[at + 2..at + 2 + name_at].chars().all(|c| c == ' ') {
        return None;
    }
    let after = at + 2 + name_at + name.len();
    let (begin, end) = parameters(code, after)?;
    let last = item_end(code, end + 1);
    let line = line_of(code, at);
    Some(Function {
        name: name.to_owned(),
        line,
        lines: line_of(code, last) + 1 - line,
        parameters: count(&code[begin + 1..end]),
    })
}

/// Positions of the parentheses around the parameters; generics before them may hold parentheses too.
fn parameters(code: &str, from: usize) -> Option<(usize, usize)> {
    let (mut angles, mut depth, mut begin, mut before) = (0_i32, 0_i32, None, ' ');
    for (at, char) in code[from..].char_indices() {
        match char {
            '<' if depth == 0 => angles += 1,
            '>' if depth == 0 && before != '-' && before != '=' => angles -= 1,
            '(' if angles == 0 => depth += 1,
            ')' if angles == 0 => depth -= 1,
            _ => {}
        }
        before = char;
        if depth == 1 && begin.is_none() {
            begin = Some(from + at);
        }
        if let (0, Some(begin)) = (depth, begin) {
            return Some((begin, from + at));
        }
    }
    None
}

/// Parameters in a list, without `self`.
fn count(list: &str) -> usize {
    let (mut depth, mut before, mut parts) = (0_i32, ' ', vec![String::new()]);
    for char in list.chars() {
        depth += match char {
            '(' | '[' | '{' | '<' => 1,
            '>' if before == '-' || before == '=' => 0,
            ')' | ']' | '}' | '>' => -1,
            _ => 0,
        };
        before = char;
        match parts.last_mut() {
            Some(part) if char != ',' || depth > 0 => part.push(char),
            _ => parts.push(String::new()),
        }
    }
    let is_self = |part: &str| words(part.split(':').next().unwrap_or("")).any(|w| w.1 == "self");
    let is_other = |part: &&String| !part.trim().is_empty() && !is_self(part);
    parts.iter().filter(is_other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_functions_with_their_size() {
        let text = "fn a() {}\nimpl A {\n    pub fn b<F: Fn(u8, u8) -> u8>(&mut self, f: F, (x, y): (u8, [u8; 3])) -> [u8; 2]\n    where\n        F: Copy,\n    {\n        \"}\";\n    }\n    fn c(self: Box<Self>, f: fn(u8, u8), m: Map<u8, u8>,);\n}\n";
        let source = Source::new("a/src/lib.rs", text);
        let seen: Vec<_> = source
            .functions()
            .into_iter()
            .map(|f| (f.name, f.line, f.lines, f.parameters))
            .collect();
        let expected = [("a", 0, 1, 0), ("b", 2, 6, 2), ("c", 8, 1, 2)];
        let expected = expected.map(|(n, l, s, p)| (n.to_owned(), l, s, p));
        assert_eq!(seen, expected);
    }

    #[test]
    fn knows_what_is_a_test() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}\n#[cfg(test)]\nmod more {\n    fn c() {}\n}\n#[test]\nfn d() {\n}\nfn e() {}\n";
        let source = Source::new("a/src/lib.rs", text);
        let names: Vec<String> = source.functions().into_iter().map(|f| f.name).collect();
        assert_eq!(names, ["a", "b", "e"]);
        for path in [
            "a/src/tests.rs",
            "a/src/b/tests.rs",
            "a/src/b/tests/c.rs",
            "a/tests/b.rs",
        ] {
            assert!(Source::new(path, text).functions().is_empty(), "{path}");
        }
        assert_eq!(Source::new("tests/tests/b.rs", text).functions().len(), 3);
        assert_eq!(source.crate_name(), "a");
    }
}
