//! Masks: the code of a file without comments and literals, and its comments without code.
//!
//! Both have the lines and columns of the file. Absent on purpose: tokens; the rules look for words and braces only.

/// A file's two halves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// Code; comments and the content of literals are blanks.
    pub code: String,
    /// Comments; everything else is blanks.
    pub comments: String,
}

/// Masks Rust code.
pub fn mask(text: &str) -> Masked {
    let chars: Vec<char> = text.chars().collect();
    let mut masker = Masker::default();
    let mut at = 0;
    while at < chars.len() {
        let (kind, length) = next(&chars[at..], masker.last_code);
        for char in &chars[at..at + length] {
            masker.push(kind, *char);
        }
        at += length;
    }
    Masked {
        code: masker.code,
        comments: masker.comments,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

#[derive(Default)]
struct Masker {
    code: String,
    comments: String,
    last_code: Option<char>,
}

impl Masker {
    fn push(&mut self, kind: Kind, char: char) {
        let blank = if char == '\n' { '\n' } else { ' ' };
        let shown = |wanted| if kind == wanted { char } else { blank };
        self.code.push(shown(Kind::Code));
        self.comments.push(shown(Kind::Comment));
        self.last_code = (kind == Kind::Code).then_some(char);
    }
}

/// Kind and length of what begins here.
fn next(rest: &[char], before: Option<char>) -> (Kind, usize) {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    match rest {
        ['/', '/', ..] => (Kind::Comment, line(rest)),
        ['/', '*', ..] => (Kind::Comment, block(rest)),
        ['"', ..] => (Kind::Literal, quoted(rest, '"')),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => (Kind::Literal, quoted(rest, '\'')),
        ['r', '"' | '#', ..] if !in_word => raw(rest, 1),
        ['b' | 'c', 'r', '"' | '#', ..] if !in_word => raw(rest, 2),
        _ => (Kind::Code, 1),
    }
}

fn line(rest: &[char]) -> usize {
    rest.iter().position(|c| *c == '\n').unwrap_or(rest.len())
}

fn block(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// `r"..."`, `r#"..."#`, or a raw identifier, which is code.
fn raw(rest: &[char], prefix: usize) -> (Kind, usize) {
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let begin = prefix + hashes + 1;
    if rest.get(begin - 1) != Some(&'"') {
        return (Kind::Code, begin - 1);
    }
    let is_end = |at: &usize| {
        let tail = &rest[*at + 1..];
        rest[*at] == '"' && tail.len() >= hashes && tail[..hashes].iter().all(|c| *c == '#')
    };
    let end = (begin..rest.len()).find(is_end);
    (Kind::Literal, end.map_or(rest.len(), |at| at + 1 + hashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: &str) {
        let masked = mask(text);
        assert_eq!(masked.code.trim_end(), code, "{text}");
        assert_eq!(masked.code.chars().count(), text.chars().count());
        assert_eq!(masked.comments.lines().count(), text.lines().count());
    }

    #[test]
    fn comments_are_blank() {
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        assert_eq!(mask("a // b").comments, "  // b");
    }

    #[test]
    fn literals_are_blank() {
        check(r#"f("a\"{", x)"#, "f(      , x)");
        check("f('{', '\\'', '\\u{1}')", "f(   ,     ,        )");
        check("f(r#\"a\"{\"#, br\"{\")", "f(        ,      )");
        check("f(\"a\n{\")", "f(  \n  )");
    }

    #[test]
    fn lifetimes_and_raw_identifiers_are_code() {
        check("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)");
        check("r#fn + for_r", "r#fn + for_r");
    }
}
