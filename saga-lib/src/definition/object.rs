//! Reading a mapping by the field table.
//!
//! Absent on purpose: values. Their types stand in [`super::scalar`].

use super::codes;
use super::context::{Context, nearest};
use super::diagnostic::{Diagnostic, Span};
use super::fields::{Field, OBJECTS, Object, VERBS};
use super::tree::{Entry, Kind, Tree};

/// A mapping whose keys were compared with the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'t> {
    /// The table it was read by.
    pub(super) object: &'static Object,
    /// Where to point when something is missing.
    pub(super) at: Span,
    entries: &'t [Entry],
}

impl<'t> Reader<'t> {
    /// Reads `tree` as `object`; reports unknown, unsupported and missing keys. `None`: it is no mapping.
    pub(super) fn open(
        context: &mut Context,
        tree: &'t Tree,
        object: &'static Object,
    ) -> Option<Self> {
        Self::open_with(context, tree, object, |_| false)
    }

    /// The same for a mapping whose further keys the author chooses.
    pub(super) fn open_with(
        context: &mut Context,
        tree: &'t Tree,
        object: &'static Object,
        is_own: fn(&str) -> bool,
    ) -> Option<Self> {
        let Kind::Map(entries) = &tree.kind else {
            context.wrong_shape(tree, &format!("a mapping: {}", object.name));
            return None;
        };
        let at = entries.first().map_or(tree.span, |e| e.key_span);
        let reader = Self {
            object,
            at,
            entries,
        };
        reader.check_keys(context, is_own);
        reader.check_missing(context);
        Some(reader)
    }

    /// The value of a key this release has.
    pub(super) fn get(&self, name: &str) -> Option<&'t Tree> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// Is the key there?
    pub(super) fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// Where the key stands; where the mapping begins, if it is absent.
    pub(super) fn key_span(&self, name: &str) -> Span {
        self.entry(name).map_or(self.at, |entry| entry.key_span)
    }

    fn entry(&self, name: &str) -> Option<&'t Entry> {
        let field = self
            .object
            .field(name)
            .filter(|field| field.part.is_supported())?;
        let exact = self.entries.iter().find(|entry| entry.key == name);
        // The value of a misspelt key is read as well: its mistakes are told with the key's.
        exact.or_else(|| {
            self.entries
                .iter()
                .find(|entry| self.stands_for(entry, field))
        })
    }

    fn check_keys(&self, context: &mut Context, is_own: fn(&str) -> bool) {
        for entry in self.entries.iter().filter(|e| !is_own(&e.key)) {
            match self.object.field(&entry.key) {
                Some(field) if field.part.is_supported() => {}
                Some(_) => not_supported(context, &entry.key, entry.key_span),
                None => context.report(self.unknown(entry)),
            }
        }
    }

    fn check_missing(&self, context: &mut Context) {
        for field in self.object.fields.iter().filter(|f| f.required) {
            if !self.entries.iter().any(|e| self.stands_for(e, field)) {
                context.report(missing(self.object, field, self.at));
            }
        }
    }

    /// Is the entry this field, or a misspelling of it that was reported as an unknown key?
    fn stands_for(&self, entry: &Entry, field: &Field) -> bool {
        entry.key == field.name
            || self.object.field(&entry.key).is_none() && self.meant(entry) == Some(field.name)
    }

    fn meant(&self, entry: &Entry) -> Option<&'static str> {
        let supported = self.object.fields.iter().filter(|f| f.part.is_supported());
        nearest(&entry.key, supported.map(|f| f.name))
    }

    fn unknown(&self, entry: &Entry) -> Diagnostic {
        let name = &entry.key;
        if let Some(place) = home(name) {
            let message = format!("the key `{name}` does not belong to {}", self.object.name);
            return Diagnostic::new(codes::UNKNOWN_KEY, entry.key_span, message)
                .help(format!("`{name}` is a key of {place}"));
        }
        let message = format!("unknown key `{name}`");
        let supported = self.object.fields.iter().filter(|f| f.part.is_supported());
        let known: Vec<&str> = supported.map(|f| f.name).collect();
        Diagnostic::new(codes::UNKNOWN_KEY, entry.key_span, message)
            .label(format!("not a key of {}", self.object.name))
            .help(format!("its keys are {}", known.join(", ")))
            .suggest(self.meant(entry))
    }
}

/// Reports a part of the language that this release does not have.
pub(super) fn not_supported(context: &mut Context, name: &str, span: Span) {
    let message = format!("`{name}` is not supported by this release yet");
    context.report(Diagnostic::new(codes::NOT_SUPPORTED, span, message));
}

/// What is wrong with a key that no verb claims.
pub(super) fn unknown_in_step(name: &str, span: Span, meant: Option<&str>) -> Diagnostic {
    Diagnostic::new(codes::UNKNOWN_KEY, span, format!("unknown key `{name}`"))
        .label("not a key of a step")
        .suggest(meant)
}

/// The verb or key of a step that `name` was meant to be.
pub(super) fn meant_in_step(name: &str) -> Option<&'static str> {
    let verbs = VERBS.iter().map(|verb| verb.name);
    let keys = VERBS.iter().flat_map(|verb| verb.object.fields);
    nearest(name, verbs.chain(keys.map(|field| field.name)))
}

fn missing(object: &Object, field: &Field, at: Span) -> Diagnostic {
    let (name, owner) = (field.name, object.name);
    Diagnostic::new(
        codes::MISSING_KEY,
        at,
        format!("the key `{name}` is missing"),
    )
    .label(format!("{owner} needs it"))
    .note(format!("{name}: {}", field.doc))
}

/// An object that has the key, if any.
fn home(name: &str) -> Option<&'static str> {
    let mut objects = OBJECTS.iter();
    objects.find(|o| o.field(name).is_some()).map(|o| o.name)
}
