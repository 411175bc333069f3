//! Diagnostics: what is wrong, where, and what to write instead.
//!
//! A mistake stops the definition; a warning says that something may go wrong when an instance runs.
//!
//! Absent on purpose: ways to silence a warning. What it asks for can always be written.

use std::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, normalize_untrusted_str};

/// Bytes of the source, from start to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The bytes `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Cut to the source, to its first line and to whole characters, so that it can be shown.
    fn clipped(self, source: &str) -> Self {
        let start = floor(source, self.start);
        let rest = &source[start..];
        let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let end = floor(source, self.end.clamp(start, start + line));
        Self { start, end }
    }
}

/// How serious a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The definition cannot be used.
    Error,
    /// The definition can be used.
    Warning,
}

/// One mistake or warning in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Mistake or warning.
    pub severity: Severity,
    /// One of [`super::codes`].
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// File it is about; empty until the compilation ends.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Where, in bytes.
    pub span: Span,
    /// What to say at the caret; may be empty.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
    /// What else to know.
    pub notes: Vec<String>,
}

impl Diagnostic {
    pub(super) fn new(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            file: String::new(),
            line: 0,
            column: 0,
            span,
            label: String::new(),
            help: None,
            notes: Vec::new(),
        }
    }

    pub(super) fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::new(code, span, message)
        }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// `did you mean` if there is something near, nothing otherwise.
    pub(super) fn suggest(mut self, near: Option<&str>) -> Self {
        self.help = near
            .map(|near| format!("did you mean `{near}`?"))
            .or(self.help);
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Fills in what follows from the file.
    pub(super) fn place(&mut self, file: &str, source: &str) {
        self.span = self.span.clipped(source);
        let before = &source[..self.span.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        file.clone_into(&mut self.file);
        self.line = before.matches('\n').count() + 1;
        self.column = before[line_start..].chars().count() + 1;
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line, column) = (&self.file, self.line, self.column);
        write!(f, "{file}:{line}:{column}: {}: {}", self.code, self.message)
    }
}

/// The diagnostics as a terminal shows them, in the form of rustc.
pub fn render(file_name: &str, source: &str, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&render_one(&renderer, file_name, source, diagnostic));
        out.push_str("\n\n");
    }
    out
}

/// The same for diagnostics in several files.
pub fn render_all(sources: &[super::Source], diagnostics: &[Diagnostic], color: bool) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let source = sources.iter().find(|s| s.name == diagnostic.file);
        let text = source.map_or("", |source| source.text.as_str());
        let one = std::slice::from_ref(diagnostic);
        out.push_str(&render(&diagnostic.file, text, one, color));
    }
    out
}

fn render_one(renderer: &Renderer, file: &str, source: &str, diagnostic: &Diagnostic) -> String {
    let span = diagnostic.span.clipped(source);
    let label = (!diagnostic.label.is_empty()).then(|| clean(&diagnostic.label));
    let caret = AnnotationKind::Primary
        .span(span.start..span.end)
        .label(label);
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level
        .primary_title(clean(&diagnostic.message))
        .id(diagnostic.code)
        .element(Snippet::source(source).path(file).annotation(caret));
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(clean(note)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(clean(help)));
    }
    renderer.render(&[group])
}

/// Without control characters: a definition must not steer the terminal of whoever checks it.
fn clean(text: &str) -> String {
    normalize_untrusted_str(text)
}

/// The nearest start of a character at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}
