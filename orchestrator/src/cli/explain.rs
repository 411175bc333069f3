//! `skald explain CODE`: why something is wrong, with a wrong and a right example.
//!
//! Absent on purpose: codes of running instances.

use saga_lib::definition::codes::{self, Explanation};

use super::Error;
use crate::output::{Console, Format};
use crate::suggest::nearest;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A code of `skald check`, e.g. E0102; every code without it.
    pub code: Option<String>,
}

/// Explains one code, or lists all of them.
///
/// # Errors
/// [`Error::Usage`] for a code that does not exist.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<(), Error> {
    match &args.code {
        Some(code) => one(code, console),
        None => all(console),
    }
}

fn one(code: &str, console: &mut Console<'_>) -> Result<(), Error> {
    let found = codes::explain(code).ok_or_else(|| unknown(code))?;
    if console.format == Format::Json {
        return Ok(console.json(&found)?);
    }
    let Explanation {
        code,
        title,
        text,
        wrong,
        right,
    } = found;
    console.line(&format!("{code}: {title}\n\n{text}\n"))?;
    console.line(&format!("Wrong:\n\n{}", indented(wrong)))?;
    console.line(&format!("Right:\n\n{}", indented(right)))?;
    Ok(())
}

fn all(console: &mut Console<'_>) -> Result<(), Error> {
    if console.format == Format::Json {
        let found = codes::ALL.iter().filter_map(|c| codes::explain(c.code));
        return Ok(console.json(&found.collect::<Vec<_>>())?);
    }
    let rows = codes::ALL
        .iter()
        .map(|code| vec![code.code.to_owned(), code.meaning.to_owned()]);
    Ok(console.table(&["code", "meaning"], rows.collect())?)
}

fn unknown(code: &str) -> Error {
    let known: Vec<&str> = codes::ALL.iter().map(|c| c.code).collect();
    let near = nearest(&code.to_ascii_uppercase(), known.iter().copied());
    let hint = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
    Error::Usage(format!("there is no code `{code}`{hint}"))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(code: Option<&str>, format: Format) -> (Result<(), Error>, String) {
        let (mut out, mut talk) = (Vec::new(), Vec::new());
        let mut console = Console {
            out: &mut out,
            talk: &mut talk,
            format,
            color: false,
            answers: None,
        };
        let code = code.map(str::to_owned);
        let result = run(&Args { code }, &mut console);
        (result, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn a_code_has_both_examples() {
        let (result, out) = explained(Some("e0102"), Format::Table);
        assert!(result.is_ok());
        assert!(
            out.starts_with("E0102: A key does not exist there."),
            "{out}"
        );
        assert!(out.contains("    - id: pay"), "{out}");
    }

    #[test]
    fn an_unknown_code_is_refused() {
        assert!(matches!(
            explained(Some("E01O2"), Format::Table).0,
            Err(Error::Usage(_))
        ));
    }

    #[test]
    fn without_a_code_all_are_listed() {
        let (_, out) = explained(None, Format::Table);
        assert!(out.contains("E0001") && out.contains("E0316"), "{out}");
        let (_, json) = explained(None, Format::Json);
        let list: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(list.as_array().map(Vec::len), Some(codes::ALL.len()));
    }
}
