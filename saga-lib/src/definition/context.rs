//! What the whole compilation shares: the diagnostics found so far.
//!
//! Absent on purpose: the first error as an end. Every part reports and goes on with what it can still check.

use super::codes;
use super::diagnostic::{Diagnostic, Span};
use super::tree::{Kind, Tree};

/// Most diagnostics of one file: beyond that a person starts again anyway.
const DIAGNOSTICS_MAX: usize = 100;

/// The diagnostics found so far.
#[derive(Debug)]
pub(super) struct Context<'s> {
    /// The file.
    pub(super) source: &'s str,
    found: Vec<Diagnostic>,
}

impl<'s> Context<'s> {
    /// Nothing found.
    pub(super) fn new(source: &'s str) -> Self {
        Self {
            source,
            found: Vec::new(),
        }
    }

    /// Notes a mistake.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < DIAGNOSTICS_MAX {
            self.found.push(diagnostic);
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

    /// Was nothing found?
    pub(super) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// The diagnostics in the order of the source.
    pub(super) fn finish(mut self, file: &str) -> Vec<Diagnostic> {
        if self.found.is_empty() {
            // Only a mistake of the compiler itself leads here; an empty list of errors would read as success.
            let message = "the definition cannot be compiled";
            self.report(Diagnostic::new(
                codes::WRONG_SHAPE,
                Span::default(),
                message,
            ));
        }
        self.found.sort_by_key(|d| (d.span, d.code));
        for diagnostic in &mut self.found {
            diagnostic.place(file, self.source);
        }
        self.found
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
