//! Explanations of codes: why something is wrong, a wrong example and a right one.
//!
//! They stand in one embedded file, so that people can read it as a page too. A test compiles every example.
//!
//! Absent on purpose: translations.

use serde::Serialize;

/// The explanation of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The code.
    pub code: &'static str,
    /// What it stands for, as one sentence.
    pub title: &'static str,
    /// Why it is wrong.
    pub text: &'static str,
    /// An example that has it.
    pub wrong: &'static str,
    /// The same without it.
    pub right: &'static str,
}

const PAGE: &str = include_str!("../codes.md");

/// The explanation of `code`; upper and lower case are the same.
pub fn explain(code: &str) -> Option<Explanation> {
    let known = super::ALL.iter();
    let code = known
        .into_iter()
        .find(|c| c.code.eq_ignore_ascii_case(code))?;
    let heading = format!("## {}\n", code.code);
    let (_, section) = PAGE.split_once(&heading)?;
    let section = section.split("\n## ").next().unwrap_or(section);
    let text = section.split("```").next().unwrap_or(section).trim();
    Some(Explanation {
        code: code.code,
        title: code.meaning,
        text,
        wrong: example(section, "wrong")?,
        right: example(section, "right")?,
    })
}

fn example(section: &'static str, kind: &str) -> Option<&'static str> {
    let (_, rest) = section.split_once(&format!("```yaml {kind}\n"))?;
    rest.split("```").next()
}

/// The files of an example, its definition first: what an example leaves out is filled in.
pub fn files_of(example: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut name = "order.yaml".to_owned();
    let mut text = String::new();
    for line in example.lines() {
        match line.strip_prefix("--- ") {
            Some(next) => {
                files.push((std::mem::replace(&mut name, next.to_owned()), text));
                text = String::new();
            }
            None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    files.push((name, text));
    if let Some((_, definition)) = files.first_mut() {
        *definition = whole(definition);
    }
    files
}

/// A definition around steps, or around keys of the header.
fn whole(part: &str) -> String {
    let steps = part.starts_with("- ");
    let has = |key: &str| part.lines().any(|line| line.starts_with(key));
    let mut out = String::from("saga: order\nversion: 1\n");
    if steps || !has("start:") {
        out.push_str("start: { topic: orders, type: OrderPlaced, as: order, key: order.id }\n");
    }
    if steps {
        out.push_str("steps:\n");
    } else if !has("steps:") {
        out.push_str("steps: [{ publish: facts, type: OrderSeen }]\n");
    }
    out + part
}
