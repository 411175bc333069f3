//! What the whole compilation shares: the files read so far and the diagnostics found in them.
//!
//! Absent on purpose: the first error as an end. Every part reports and goes on with what it can still check.

use std::rc::Rc;

use super::Source;
use super::codes;
use super::diagnostic::{Diagnostic, Severity, Span};
use super::tree::{Kind, Tree};

/// Most diagnostics of one compilation: beyond that a person starts again anyway.
const DIAGNOSTICS_MAX: usize = 100;

/// Index of a file that was read.
pub(super) type FileIx = usize;

/// The files and the diagnostics found so far.
#[derive(Debug)]
pub(super) struct Context {
    files: Vec<(String, Rc<str>)>,
    /// The file that is read now.
    current: FileIx,
    found: Vec<(FileIx, Diagnostic)>,
}

impl Context {
    /// Nothing found in the first file.
    pub(super) fn new(name: &str, text: &str) -> Self {
        Self {
            files: vec![(name.to_owned(), Rc::from(text))],
            current: 0,
            found: Vec::new(),
        }
    }

    /// Adds a file.
    pub(super) fn add(&mut self, name: String, text: &str) -> FileIx {
        self.files.push((name, Rc::from(text)));
        self.files.len() - 1
    }

    /// How many files were read.
    pub(super) fn count(&self) -> usize {
        self.files.len()
    }

    /// Goes to another file; returns the one left.
    pub(super) fn enter(&mut self, file: FileIx) -> FileIx {
        std::mem::replace(&mut self.current, file)
    }

    /// The current file.
    pub(super) fn current(&self) -> FileIx {
        self.current
    }

    /// Text of the current file.
    pub(super) fn source(&self) -> Rc<str> {
        self.files
            .get(self.current)
            .map_or_else(|| Rc::from(""), |(_, text)| Rc::clone(text))
    }

    /// Name of the current file.
    pub(super) fn file_name(&self) -> &str {
        self.files
            .get(self.current)
            .map_or("", |(name, _)| name.as_str())
    }

    /// Was a file of this name read?
    pub(super) fn find(&self, name: &str) -> Option<FileIx> {
        self.files.iter().position(|(known, _)| known == name)
    }

    /// `line 7`, or `line 7 of other.yaml`.
    pub(super) fn place_of(&self, span: Span) -> String {
        self.place_in(self.current, span)
    }

    /// The same for a place in another file.
    pub(super) fn place_in(&self, file: FileIx, span: Span) -> String {
        let (name, source) = self.files.get(file).map_or(("", ""), |(n, s)| (n, s));
        let before = source.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        match file {
            0 => format!("line {line}"),
            _ => format!("line {line} of {name}"),
        }
    }

    /// Notes a mistake or a warning in the current file.
    pub(super) fn report(&mut self, mut diagnostic: Diagnostic) {
        if self.found.len() >= DIAGNOSTICS_MAX {
            return;
        }
        let source = self.source();
        diagnostic.place(self.file_name(), &source);
        let found = (self.current, diagnostic);
        // A fragment that is used twice is read twice.
        if self.current == 0 || !self.found.contains(&found) {
            self.found.push(found);
        }
    }

    /// Notes that a value is not of the shape its key needs.
    pub(super) fn wrong_shape(&mut self, tree: &Tree, expected: &str) {
        // What the parser could not read was reported there.
        if !matches!(tree.kind, Kind::Broken) {
            let found = tree.kind.describe();
            let message = format!("expected {expected}, found {found}");
            self.report(Diagnostic::new(codes::WRONG_SHAPE, tree.span, message));
        }
    }

    /// Was no mistake found?
    pub(super) fn is_clean(&self) -> bool {
        let mut found = self.found.iter();
        found.all(|(_, d)| d.severity == Severity::Warning)
    }

    /// Notes that there is no definition, if nothing said so: an empty list of mistakes would read as success.
    pub(super) fn give_up(&mut self) {
        if self.is_clean() {
            let message = "the definition cannot be compiled";
            let found = Diagnostic::new(codes::WRONG_SHAPE, Span::default(), message);
            self.found.truncate(DIAGNOSTICS_MAX - 1);
            self.report(found);
        }
    }

    /// The diagnostics in the order of the files and of the source, and the files.
    pub(super) fn finish(mut self) -> (Vec<Diagnostic>, Vec<Source>) {
        self.found
            .sort_by_key(|(file, d)| (*file, d.span, d.code, d.severity));
        let found = self.found.into_iter().map(|(_, d)| d).collect();
        let sources = self.files.into_iter().map(|(name, text)| Source {
            name,
            text: text.to_string(),
        });
        (found, sources.collect())
    }
}

/// The word among `words` that `text` was probably meant to be.
pub(super) fn nearest<'w>(text: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let allowed = (text.chars().count() / 3).max(1);
    words
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(text, word), word))
        .filter(|(distance, word)| *distance <= allowed && *distance < word.chars().count())
        .min()
        .map(|(_, word)| word)
}
