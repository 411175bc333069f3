//! `uses`: contracts and fragments in files of their own.
//!
//! A path is relative to the file that names it. Each file is read once; how many there are and how large they are together is bounded.
//!
//! Absent on purpose: reading. Whoever compiles gives the text of a file for its path.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::codes;
use super::context::{Context, FileIx, nearest};
use super::contract::{self, Format, Operation};
use super::diagnostic::{Diagnostic, Span};
use super::fields::{CONTRACT, FRAGMENT};
use super::formats::{Formats, OfContract};
use super::names::Claims;
use super::object::Reader;
use super::scalar;
use super::tree::{self, Entry, Kind, Tree};
use super::types::{self, Slot};
use crate::ir::Target;

/// Gives the text of a file, or says why it cannot be read.
pub type Files<'f> = dyn Fn(&str) -> Result<String, String> + 'f;

/// Most files of one definition.
const FILES_MAX: usize = 64;

/// Most schemas of one definition.
const SCHEMAS_MAX: usize = 500;

/// Most bytes of all files and schemas.
const BYTES_MAX: usize = 2 * 1024 * 1024;

/// A fragment.
#[derive(Debug)]
pub(super) struct Fragment {
    /// The file it stands in.
    pub(super) file: FileIx,
    /// The file's content.
    pub(super) tree: Tree,
    /// Names of its arguments.
    pub(super) parameters: Vec<String>,
}

/// What is known of a schema.
#[derive(Debug, Clone)]
enum Schema {
    /// This.
    Known(Rc<Slot>),
    /// There is no file of its name.
    Absent,
    /// Nothing, and that was reported.
    Reported,
}

/// Everything that used files define.
pub(super) struct Library<'f> {
    files: &'f Files<'f>,
    /// Bytes of everything that was read.
    bytes: Cell<usize>,
    /// Schemas that were read.
    count: Cell<usize>,
    /// Was a schema too much?
    is_full: Cell<bool>,
    /// Schemas by the path without ending.
    schemas: RefCell<BTreeMap<String, Schema>>,
    /// Folders of schemas.
    folders: BTreeSet<String>,
    declared: BTreeSet<String>,
    services: BTreeSet<String>,
    operations: BTreeMap<String, Rc<Operation>>,
    fragments: BTreeMap<String, Rc<Fragment>>,
    /// How messages are sent.
    pub(super) formats: Formats,
}

impl<'f> Library<'f> {
    fn new(files: &'f Files<'f>) -> Self {
        Self {
            files,
            bytes: Cell::default(),
            count: Cell::default(),
            is_full: Cell::default(),
            schemas: RefCell::default(),
            folders: BTreeSet::new(),
            declared: BTreeSet::new(),
            services: BTreeSet::new(),
            operations: BTreeMap::new(),
            fragments: BTreeMap::new(),
            formats: Formats::default(),
        }
    }

    /// The operation that a value names; reports one that its service's contract does not have.
    pub(super) fn target(&self, context: &mut Context, tree: &Tree) -> Option<Target> {
        let target = scalar::operation(context, tree)?;
        let name = target.operation.as_str();
        let service = service_of(name);
        if self.services.contains(service) && !self.declared.contains(name) {
            let own = self.declared.iter().filter(|n| service_of(n) == service);
            let own: Vec<&str> = own.map(String::as_str).collect();
            let message = format!("the contract of `{service}` has no operation `{name}`");
            let found = Diagnostic::new(codes::UNKNOWN_OPERATION, tree.span, message)
                .help(format!("it has {}", own.join(", ")))
                .suggest(nearest(name, own.iter().copied()));
            context.report(found);
        }
        Some(target)
    }

    /// What is known of an operation.
    pub(super) fn operation(&self, target: &Target) -> Rc<Operation> {
        let known = self.operations.get(&target.operation);
        known.map_or_else(|| Rc::new(Operation::plain(target.clone())), Rc::clone)
    }

    /// The schema of a message in a folder.
    pub(super) fn schema(
        &self,
        context: &mut Context,
        folder: &str,
        name: &str,
        span: Span,
    ) -> Option<Rc<Slot>> {
        match self.look_up(context, folder, name, span) {
            Schema::Known(slot) => Some(slot),
            Schema::Absent | Schema::Reported => None,
        }
    }

    fn look_up(&self, context: &mut Context, folder: &str, name: &str, span: Span) -> Schema {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if name.is_empty() || !name.bytes().all(legal) || name.starts_with('.') {
            return Schema::Absent;
        }
        let path = format!("{folder}/{name}");
        if let Some(known) = self.schemas.borrow().get(&path) {
            return known.clone();
        }
        let found = self.read(context, &path, span);
        self.schemas.borrow_mut().insert(path, found.clone());
        found
    }

    /// Reads the schema at a path without ending.
    fn read(&self, context: &mut Context, path: &str, span: Span) -> Schema {
        // Once is enough: every further schema would say the same.
        if self.is_full.get() {
            return Schema::Reported;
        }
        let endings = [".avsc", ".json", ".schema.json"];
        let mut texts = endings.iter().filter_map(|ending| {
            let file = format!("{path}{ending}");
            let text = (self.files)(&file).ok()?;
            Some((file, text))
        });
        let Some((file, text)) = texts.next() else {
            return Schema::Absent;
        };
        self.count.set(self.count.get() + 1);
        if !self.has_room(&text) || self.count.get() > SCHEMAS_MAX {
            self.is_full.set(true);
            context.report(too_much(span));
            return Schema::Reported;
        }
        match types::parse(&file, &text) {
            Ok(slot) => Schema::Known(Rc::new(slot)),
            Err(error) => {
                context.report(broken(&file, &error, span));
                Schema::Reported
            }
        }
    }

    /// Counts a file that was read; may it be used?
    fn has_room(&self, text: &str) -> bool {
        let bytes = self.bytes.get().saturating_add(text.len());
        self.bytes.set(bytes);
        bytes <= BYTES_MAX
    }

    /// The schema of a message that any service may send.
    pub(super) fn any_schema(
        &self,
        context: &mut Context,
        name: &str,
        span: Span,
    ) -> Option<Rc<Slot>> {
        let mut folders = self.folders.iter();
        folders.find_map(|folder| self.schema(context, folder, name, span))
    }

    /// What a reply of this operation looks like, if all successes agree.
    pub(super) fn reply(&self, context: &mut Context, operation: &Operation) -> Option<Rc<Slot>> {
        let folder = operation.schemas.as_deref()?;
        let is_success = |outcome: &String| operation.success.contains(outcome);
        let types = operation.types.iter().filter(|(_, o)| is_success(o));
        let names: Vec<&String> = types.map(|(name, _)| name).collect();
        match names.as_slice() {
            [name] => self.schema(context, folder, name, Span::default()),
            _ => None,
        }
    }

    /// The fragment called `name`.
    pub(super) fn fragment(&self, name: &str) -> Option<Rc<Fragment>> {
        self.fragments.get(name).map(Rc::clone)
    }

    /// Names of the fragments.
    pub(super) fn fragments(&self) -> impl Iterator<Item = &str> {
        self.fragments.keys().map(String::as_str)
    }
}

/// Is it a contract or a fragment?
pub(super) fn is_part(tree: &Tree) -> bool {
    value(tree, "saga").is_none()
        && (value(tree, "contract").is_some() || value(tree, "fragment").is_some())
}

/// Reads everything that the definition `tree` uses.
pub(super) fn load<'f>(context: &mut Context, files: &'f Files<'f>, tree: &Tree) -> Library<'f> {
    let mut loader = Loader {
        context,
        files,
        open: Vec::new(),
        contracts: Vec::new(),
        library: Library::new(files),
        claims: Claims::default(),
    };
    loader.open.push(loader.context.file_name().to_owned());
    loader.uses(tree);
    loader.finish()
}

struct Loader<'l, 'f> {
    context: &'l mut Context,
    files: &'f Files<'f>,
    /// Files that are being read, outermost first.
    open: Vec<String>,
    contracts: Vec<(FileIx, Tree)>,
    library: Library<'f>,
    claims: Claims,
}

impl<'f> Loader<'_, 'f> {
    /// Reads the files under `uses` of the current file.
    fn uses(&mut self, tree: &Tree) {
        let Some(uses) = value(tree, "uses") else {
            return;
        };
        let Kind::List(items) = &uses.kind else {
            self.context.wrong_shape(uses, "a list of files");
            return;
        };
        for item in items {
            if let Some(path) = scalar::text(self.context, item, "a file") {
                self.file(path, item.span);
            }
        }
    }

    fn file(&mut self, path: &str, span: Span) {
        let name = resolve(self.context.file_name(), path);
        if self.open.contains(&name) {
            let message = format!("`{path}` is used by what it uses");
            return self.refuse(
                span,
                &message,
                "a file cannot use itself, also not by way of others",
            );
        }
        if self.context.find(&name).is_some() {
            return;
        }
        if path.starts_with('/') || path.contains('\\') {
            let help = "write the path relative to this file, with `/`";
            return self.refuse(span, &format!("`{path}` is not a relative path"), help);
        }
        match (self.files)(&name) {
            Err(error) => {
                let message = format!("`{path}` cannot be read: {error}");
                self.refuse(
                    span,
                    &message,
                    "a path is relative to the file that names it",
                );
            }
            Ok(text) if self.is_within(&text) => self.enter(name, &text),
            Ok(_) => self.context.report(too_much(span)),
        }
    }

    fn is_within(&self, text: &str) -> bool {
        self.library.has_room(text) && self.context.count() <= FILES_MAX
    }

    fn enter(&mut self, name: String, text: &str) {
        self.open.push(name.clone());
        let file = self.context.add(name, text);
        let before = self.context.enter(file);
        if let Some(tree) = tree::parse(self.context) {
            self.uses(&tree);
            self.sort(file, tree);
        }
        self.context.enter(before);
        self.open.pop();
    }

    fn sort(&mut self, file: FileIx, tree: Tree) {
        if value(&tree, "fragment").is_some() {
            self.fragment(file, tree);
        } else if value(&tree, "contract").is_some() {
            self.declare(&tree);
            self.contracts.push((file, tree));
        } else {
            let found = Diagnostic::new(
                codes::BAD_USE,
                Span::default(),
                "this file is neither a contract nor a fragment",
            )
            .help("begin it with `contract: <name>` or `fragment: <name>`");
            self.context.report(found);
        }
    }

    fn fragment(&mut self, file: FileIx, tree: Tree) {
        let Some(reader) = Reader::open(self.context, &tree, &FRAGMENT) else {
            return;
        };
        let name = reader.id(self.context, "fragment");
        let parameters = parameters(self.context, &reader);
        let Some(name) = name else { return };
        let span = reader.get("fragment").map_or(reader.at, |t| t.span);
        self.claims.claim(self.context, &name, "the fragment", span);
        let fragment = Fragment {
            file,
            tree,
            parameters,
        };
        self.library.fragments.insert(name, Rc::new(fragment));
    }

    /// Notes the names of a contract's operations, so that they may name each other.
    fn declare(&mut self, tree: &Tree) {
        for entry in operations(tree) {
            self.claims
                .claim(self.context, &entry.key, "the operation", entry.key_span);
            let service = service_of(&entry.key).to_owned();
            self.library.services.insert(service);
            self.library.declared.insert(entry.key.clone());
        }
    }

    fn finish(mut self) -> Library<'f> {
        for (file, tree) in std::mem::take(&mut self.contracts) {
            let before = self.context.enter(file);
            self.contract(&tree);
            self.context.enter(before);
        }
        self.library
    }

    fn contract(&mut self, tree: &Tree) {
        let header = Reader::open_with(self.context, tree, &CONTRACT, is_operation);
        let Some(header) = header else { return };
        header.id(self.context, "contract");
        let types = header.text(self.context, "types");
        let schemas = types.map(|path| resolve(self.context.file_name(), &path));
        self.library.folders.extend(schemas.clone());
        let formats = OfContract::open(self.context, &header, schemas.as_deref(), self.files);
        for entry in operations(tree) {
            let name = Tree::text(&entry.key, entry.key_span);
            let Some(plain) = scalar::operation(self.context, &name) else {
                continue;
            };
            let found = contract::operation(self.context, &self.library, plain, entry);
            if let Some(mut operation) = found {
                operation.schemas.clone_from(&schemas);
                operation.format = Some(formats.of(&operation));
                self.check_schemas(&operation, entry);
                formats.command(self.context, &mut self.library.formats, &operation, entry);
                let operations = &mut self.library.operations;
                operations.insert(entry.key.clone(), Rc::new(operation));
            }
        }
        formats.events(self.context, &mut self.library.formats, &header);
    }

    /// Every message of a contract with schemas has one.
    fn check_schemas(&mut self, operation: &Operation, entry: &Entry) {
        let Some(folder) = &operation.schemas else {
            return;
        };
        // A missing Avro type is told by `formats`.
        let sent = value(&entry.value, "send").filter(|_| operation.format != Some(Format::Avro));
        let sent = sent.map(|_| &operation.target.r#type);
        for name in sent.into_iter().chain(operation.types.keys()) {
            let span = entry.key_span;
            let found = self.library.look_up(self.context, folder, name, span);
            if matches!(found, Schema::Absent) {
                let message = format!("there is no schema for `{name}` in `{folder}`");
                let found = Diagnostic::warning(codes::BAD_SCHEMA, span, message)
                    .help(format!("add `{name}.avsc` or `{name}.json`"));
                self.context.report(found);
            }
        }
    }

    fn refuse(&mut self, span: Span, message: &str, help: &str) {
        let found = Diagnostic::new(codes::BAD_USE, span, message).help(help);
        self.context.report(found);
    }
}

fn too_much(span: Span) -> Diagnostic {
    let message = "the files of this definition are too many or too large";
    Diagnostic::new(codes::BUDGET, span, message).label(format!(
        "at most {FILES_MAX} files and {SCHEMAS_MAX} schemas, {BYTES_MAX} bytes together"
    ))
}

fn broken(file: &str, error: &str, span: Span) -> Diagnostic {
    let message = format!("the schema `{file}` cannot be read: {error}");
    Diagnostic::new(codes::BAD_SCHEMA, span, message)
}

fn parameters(context: &mut Context, reader: &Reader<'_>) -> Vec<String> {
    let Some(tree) = reader.get("with") else {
        return Vec::new();
    };
    let Kind::List(items) = &tree.kind else {
        context.wrong_shape(tree, "a list of names");
        return Vec::new();
    };
    let mut names = Vec::new();
    for item in items {
        let text = scalar::text(context, item, "a name").map(str::to_owned);
        names.extend(text.and_then(|text| scalar::variable(context, &text, item.span)));
    }
    names
}

/// Operations of a contract are told from its other keys by their dot.
fn is_operation(key: &str) -> bool {
    key.contains('.')
}

fn operations(tree: &Tree) -> impl Iterator<Item = &Entry> {
    let entries = match &tree.kind {
        Kind::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    entries.iter().filter(|e| is_operation(&e.key))
}

fn value<'t>(tree: &'t Tree, key: &str) -> Option<&'t Tree> {
    match &tree.kind {
        Kind::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.value),
        _ => None,
    }
}

fn service_of(operation: &str) -> &str {
    operation.rsplit_once('.').map_or(operation, |(s, _)| s)
}

/// `path` as seen from the folder of `file`, without `.` and, where possible, without `..`.
pub(super) fn resolve(file: &str, path: &str) -> String {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let root = if file.starts_with('/') { "/" } else { "" };
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{root}{}", parts.join("/"))
}
