//! Output: data on stdout, talk on stderr, as a table or as JSON.
//!
//! Absent on purpose: progress bars and colours in tables; both are the demo's business.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs: one JSON value.
    Json,
}

/// Where a command writes, and what it may ask.
pub struct Console<'a> {
    /// Data.
    pub out: &'a mut dyn Write,
    /// Talk.
    pub talk: &'a mut dyn Write,
    /// How data is written.
    pub format: Format,
    /// May data be coloured?
    pub color: bool,
    /// Answers to questions; `None` where nobody can be asked.
    pub answers: Option<&'a mut dyn io::BufRead>,
}

impl Console<'_> {
    /// Writes a line of data.
    ///
    /// # Errors
    /// What stdout says.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Writes one JSON value, indented.
    ///
    /// # Errors
    /// What stdout says.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *self.out, value)?;
        writeln!(self.out)
    }

    /// Writes a table.
    ///
    /// # Errors
    /// What stdout says.
    pub fn table(&mut self, head: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
        writeln!(self.out, "{}", table(head, rows))
    }

    /// Tells something that is no data.
    pub fn talk(&mut self, text: &str) {
        // Nobody is left to be told that stderr is closed.
        let _ = writeln!(self.talk, "{text}");
    }

    /// Asks; `false` unless the answer is `y` or `yes`.
    pub fn confirm(&mut self, question: &str) -> bool {
        let Some(answers) = self.answers.as_mut() else {
            return false;
        };
        let _ = write!(self.talk, "{question} [y/N] ");
        let _ = self.talk.flush();
        let mut answer = String::new();
        let read = answers.read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }
}

/// May stdout be coloured? Not if it is no terminal, nor where `NO_COLOR` is set (<https://no-color.org>).
pub fn color() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// A table without lines, as wide as its content. Control characters in cells are shown, not sent to the terminal.
pub fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// `text` with control characters escaped: keys and reasons come from other systems and must not steer the terminal.
pub fn printable(text: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.into()
        }
    };
    text.chars().map(escape).collect()
}

/// A time span for people: the two largest units.
pub fn span(ms: i64) -> String {
    let ms = ms.max(0);
    let (s, m, h, d) = (ms / 1_000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
    match () {
        () if ms < 1_000 => format!("{ms}ms"),
        () if m == 0 => format!("{s}.{}s", ms % 1_000 / 100),
        () if h == 0 => format!("{m}m{}s", s % 60),
        () if d == 0 => format!("{h}h{}m", m % 60),
        () => format!("{d}d{}h", h % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_plain() {
        let rows = vec![
            vec!["order/1".into(), "running".into()],
            vec!["order/22\u{1b}[2J".into(), "x".into()],
        ];
        let expected =
            "ID                 STATUS\norder/1            running\norder/22\\u{1b}[2J  x";
        assert_eq!(table(&["id", "status"], rows), expected);
    }

    #[test]
    fn spans_show_two_units() {
        let shown: Vec<String> = [5, 1_250, 61_000, 3_660_000, 90_000_000].map(span).into();
        assert_eq!(shown, ["5ms", "1.2s", "1m1s", "1h1m", "1d1h"]);
    }

    #[test]
    fn nobody_to_ask_means_no() {
        let (mut out, mut talk) = (Vec::new(), Vec::new());
        let mut console = Console {
            out: &mut out,
            talk: &mut talk,
            format: Format::Table,
            color: false,
            answers: None,
        };
        assert!(!console.confirm("Cancel?"));
    }
}
